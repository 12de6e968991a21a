"""Drafts as they were sent to be checked: one, or a batch of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import QueryDict
from rest_framework.request import Request

from moderation.api.bodies import read_uploads, unfold_form
from moderation.api.callers import Caller
from moderation.conf import get_conf
from moderation.drafts import MAX_ALT_CHARS, MAX_ID_CHARS, MAX_URL_CHARS, read_body
from moderation.errors import InvalidFields, MediaRefused
from moderation.fields import Fields
from moderation.pipeline.judging.check import Draft
from moderation.pipeline.media import NewMedia, check_upload

# Nobody outside answers within less, and nobody who waits for an answer waits for more.
SHORTEST_DEADLINE_MS = 50
LONGEST_DEADLINE_MS = 10_000
DEFAULT_DEADLINE_MS = 2_000
# Decoding takes tens of milliseconds each, while the caller waits.
MAX_MEDIA_PER_CHECK = 100
# A recorder adds which codecs it used.
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;codecs=[\w.,+-]+)?;base64,", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked. `is_batch` tells a batch of one from one; `keep` asks for a record."""

    drafts: tuple[Draft, ...]
    deadline_ms: int
    is_batch: bool
    keep: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    """One draft's fields; `place` is where they stand in the request."""

    place: str
    title: str
    body: str
    media: tuple[NewMedia, ...]
    community: str


def read_check(request: Request, caller: Caller) -> CheckRequest:
    """Return the drafts of a JSON body or a form.

    Raises `InvalidFields`, `MediaRefused`, and `NotFound` for a community that is not there.
    """
    form = request.data if isinstance(request.data, QueryDict) else None
    fields = Fields(request.data if form is None else unfold_form(form))
    deadline_ms = fields.number(
        "deadline_ms",
        least=SHORTEST_DEADLINE_MS,
        most=LONGEST_DEADLINE_MS,
        default=DEFAULT_DEADLINE_MS,
    )
    keep = fields.flag("keep")
    is_batch = form is None and "items" in fields
    if is_batch:
        sent = _read_items(fields)
    else:
        uploads = read_uploads(request, form) if form is not None else ()
        sent = [_read_one(fields, uploads=uploads)]
    if sum(len(one.media) for one in sent) > MAX_MEDIA_PER_CHECK:
        fields.note("items", f"have at most {MAX_MEDIA_PER_CHECK} attachments together")
    fields.finish()
    return CheckRequest(_drafts(sent, caller), deadline_ms, is_batch, keep)


def _read_items(fields: Fields) -> list[_Sent]:
    for name in ("text", "body", "title", "media"):
        if name in fields:
            fields.note(name, "belongs into one of `items`")
    slug = fields.text("community", most=MAX_ID_CHARS)
    items = fields.items("items", most=get_conf().max_bulk_items)
    if not items and not fields.wrong:
        fields.note("items", "is required")
    return [
        _read_one(
            Fields(item, place=f"items.{number}.", wrong=fields.wrong),
            place=f"items.{number}.",
            community=slug,
        )
        for number, item in enumerate(items)
    ]


def _read_one(
    fields: Fields,
    *,
    place: str = "",
    community: str = "",
    uploads: tuple[NewMedia, ...] = (),
) -> _Sent:
    wrong_before = len(fields.wrong)
    # As they were sent, blanks and all: the places that are flagged are counted in them.
    title = fields.text("title", most=get_conf().max_title_chars, keep_blanks=True)
    body = read_body(fields, keep_blanks=True)
    media = uploads or _read_media(fields, place)
    slug = fields.text("community", most=MAX_ID_CHARS) or community
    is_empty = not (title.strip() or body.strip() or media)
    if is_empty and len(fields.wrong) == wrong_before:
        fields.note("text", "is required where there is neither a title nor an attachment")
    return _Sent(place, title, body, media, slug)


def _read_media(fields: Fields, place: str) -> tuple[NewMedia, ...]:
    found = []
    for number, item in enumerate(fields.items("media", most=get_conf().max_media_per_post)):
        one = Fields(item, place=f"{place}media.{number}.", wrong=fields.wrong)
        if ("url" in one) == ("data" in one):
            one.note("", "has either a `url` or `data`")
            continue
        found.append(
            NewMedia(
                data=_read_data(one) if "data" in one else b"",
                url=one.text("url", most=MAX_URL_CHARS),
                alt_text=one.text("alt_text", most=MAX_ALT_CHARS),
            )
        )
    return tuple(found)


def _read_data(fields: Fields) -> bytes:
    # Four characters hold three bytes.
    sent = fields.text("data", most=get_conf().max_upload_bytes * 4 // 3 + 200)
    head = _DATA_URL.match(sent)
    try:
        data = base64.b64decode(sent[head.end() :], validate=True) if head else b""
    except binascii.Error:
        data = b""
    if not data:
        fields.note("data", "is a file as `data:image/png;base64,…`")
    return data


def _drafts(sent: Sequence[_Sent], caller: Caller) -> tuple[Draft, ...]:
    return tuple(
        Draft(caller.community(one.community), one.title, one.body, _vetted(one)) for one in sent
    )


def _vetted(sent: _Sent) -> tuple[NewMedia, ...]:
    """Refuse what submitting would refuse, and say which attachment it is."""
    for number, media in enumerate(sent.media):
        place = f"{sent.place}media.{number}"
        if media.url and not media.url.startswith(("https://", "http://")):
            raise InvalidFields.of(f"{place}.url", "begins with https:// or http://")
        try:
            check_upload(media)
        except MediaRefused as error:
            raise MediaRefused(f"{place}: {error}") from error
    return sent.media
