"""What a request carries, as values of ours: its body or form, its files, query and headers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from rest_framework.request import Request

from moderation.api.callers import Caller
from moderation.conf import get_conf
from moderation.drafts import (
    MAX_ALT_CHARS,
    MAX_CHANNEL_CHARS,
    MAX_ID_CHARS,
    read_addresses,
    read_body,
    read_post,
)
from moderation.errors import InvalidFields, MediaRefused, ModerationError
from moderation.fields import Fields, uuid_of
from moderation.pipeline.intake.submit import Idempotency, NewPost
from moderation.pipeline.media import NewMedia
from moderation.vocabulary import Status

MOST_KEPT = 100
MAX_IDEMPOTENCY_KEY_CHARS = 255


# Posts


def read_new_post(request: Request, caller: Caller) -> NewPost:
    """Return the post of a JSON body or a form. Raises `InvalidFields`."""
    sent = request.data
    if isinstance(sent, QueryDict):
        post = _new_post(Fields(unfold_form(sent)), caller, media=read_uploads(request, sent))
    else:
        post = _new_post(Fields(sent), caller)
    return post


def read_new_posts(request: Request, caller: Caller) -> list[NewPost | ModerationError]:
    """Return the posts of a bulk request, or for each what is wrong with it.

    Raises `InvalidFields` when the request as a whole is no good.
    """
    fields = Fields(request.data)
    items = fields.items("posts", most=get_conf().max_bulk_items)
    community = fields.text("community", most=MAX_ID_CHARS)
    if not items and not fields.wrong:
        fields.note("posts", "is required")
    fields.finish()
    return [_one_of_many(item, caller, community) for item in items]


def _one_of_many(item: object, caller: Caller, community: str) -> NewPost | ModerationError:
    try:
        return _new_post(Fields(item), caller, community=community)
    except ModerationError as error:
        return error


def _new_post(
    fields: Fields, caller: Caller, *, community: str = "", media: tuple[NewMedia, ...] = ()
) -> NewPost:
    return read_post(
        fields,
        community_of=caller.community,
        writer=caller.writer(),
        community=community,
        media=media,
    )


def unfold_form(form: QueryDict) -> dict[str, object]:
    """Return a form as the JSON body that says the same: `author_id` is `author.id`."""
    sent: dict[str, object] = {name: form.get(name) for name in form}
    if "author_id" in sent:
        sent["author"] = {"id": sent["author_id"], "name": sent.get("author_name")}
    # Files stand beside the form; addresses cannot be sent in one.
    sent.pop("media", None)
    return sent


def read_uploads(request: Request, form: QueryDict) -> tuple[NewMedia, ...]:
    """Return a form's files; the first `alt_text` belongs to the first file, and so on."""
    files = request.FILES.getlist("media")
    if any(isinstance(item, str) for item in form.getlist("media")):
        raise InvalidFields.of("media", "must be a file; an address is sent as JSON")
    if not files:
        return ()
    most = get_conf().max_media_per_post
    if len(files) > most:
        raise InvalidFields.of("media", f"has at most {most} items, this has {len(files)}")
    texts = form.getlist("alt_text")
    wrong: list[tuple[str, str]] = []
    found = []
    for number, file in enumerate(files):
        alt_text = texts[number] if number < len(texts) else ""
        one = Fields({"alt_text": alt_text}, place=f"media.{number}.", wrong=wrong)
        found.append(_upload(file, one.text("alt_text", most=MAX_ALT_CHARS)))
    if wrong:
        raise InvalidFields(wrong)
    return tuple(found)


def _upload(file: UploadedFile[Any], alt_text: str) -> NewMedia:
    limit = get_conf().max_upload_bytes
    # Looked at before it is read into memory.
    if (file.size or 0) > limit:
        raise MediaRefused(f"An attachment has at most {limit // 1024 // 1024} MB.")
    data = file.read()
    if not data:
        raise MediaRefused("An attachment is empty.")
    return NewMedia(data=data, alt_text=alt_text)


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit changes; None leaves a field as it is."""

    title: str | None
    body: str | None
    media: tuple[NewMedia, ...] | None
    keep_media_ids: tuple[UUID, ...] | None


def read_edit(request: Request) -> Edit:
    """Return the changes of a JSON body or a form. Raises `InvalidFields`."""
    sent = request.data
    form = sent if isinstance(sent, QueryDict) else None
    fields = Fields(sent if form is None else unfold_form(form))
    title = fields.text("title", most=get_conf().max_title_chars)
    body = read_body(fields)
    media = read_addresses(fields) if form is None else read_uploads(request, form)
    keep = _kept_media(fields, form)
    fields.finish()
    return Edit(
        title=title if "title" in fields else None,
        body=body if "text" in fields or "body" in fields else None,
        media=media or None,
        keep_media_ids=keep,
    )


def _kept_media(fields: Fields, form: QueryDict | None) -> tuple[UUID, ...] | None:
    """Return the attachments that stay; None keeps all, an empty list none."""
    if "keep_media" not in fields:
        return None
    sent: Sequence[object]
    if form is None:
        sent = fields.items("keep_media", most=MOST_KEPT)
    else:
        # A form that keeps nothing says so with an empty value.
        sent = [item for item in form.getlist("keep_media") if item]
    found = [uuid_of(item) if isinstance(item, str) else None for item in sent]
    if None in found:
        fields.note("keep_media", "is a list of attachments' ids")
    return tuple(item for item in found if item is not None)


# Addresses


@dataclass(frozen=True, slots=True)
class Query:
    """Which posts of a history are asked for; "" leaves a filter out."""

    author: str
    status: str
    channel: str
    reference: str
    community: str
    created_after: datetime | None
    created_before: datetime | None
    cursor: str
    limit: int


DEFAULT_PAGE = 50
LARGEST_PAGE = 100


def read_query(request: Request) -> Query:
    """Raises `InvalidFields`."""
    fields = Fields(request.GET.dict())
    found = Query(
        author=fields.text("author", most=MAX_ID_CHARS),
        status=fields.text("status", most=MAX_ID_CHARS),
        channel=fields.text("channel", most=MAX_CHANNEL_CHARS),
        reference=fields.text("reference", most=MAX_ID_CHARS),
        community=fields.text("community", most=MAX_ID_CHARS),
        created_after=fields.moment("created_after"),
        created_before=fields.moment("created_before"),
        cursor=fields.text("cursor", most=MAX_ID_CHARS),
        limit=read_page_size(fields),
    )
    if found.status and found.status not in Status.values:
        fields.note("status", f"is one of {', '.join(Status.values)}")
    fields.finish()
    return found


def read_page_size(fields: Fields) -> int:
    text = fields.text("limit", most=MAX_ID_CHARS)
    if "limit" not in fields:
        return DEFAULT_PAGE
    size = int(text) if text.isascii() and text.isdecimal() else 0
    if not 0 < size <= LARGEST_PAGE:
        fields.note("limit", f"is a number from 1 to {LARGEST_PAGE}")
    return size


# Headers


def read_idempotency(request: Request, caller: Caller) -> Idempotency | None:
    """Return the caller's key for this request, None without one. Raises `InvalidFields`."""
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not (0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARS and key.isascii() and key.isprintable()):
        raise InvalidFields.of(
            "Idempotency-Key", f"has 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters"
        )
    return Idempotency(client=caller.client, key=key, request_digest=_digest(request))


def _digest(request: Request) -> str:
    """Return the SHA-256 (hex) of method, address and payload.

    Of a form it covers the values and files: its boundary changes with each repetition.
    """
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if isinstance(request.data, QueryDict):
        for name, values in sorted(request.data.lists()):
            if name not in request.FILES:
                digest.update(repr((name, values)).encode())
        for name, files in sorted(request.FILES.lists()):
            for file in files:
                file.seek(0)
                digest.update(f"{name} {file.size}\n".encode())
                digest.update(file.read())
                file.seek(0)
    else:
        digest.update(request._request.body)
    return digest.hexdigest()


_ETAG = re.compile(r'"(\d{1,9})(?:-[0-9a-f]{1,64})?"', re.ASCII)


def read_if_match(request: Request) -> int | None:
    """Return the revision that an edit was made from, None when the client does not care.

    A tag begins with it; what follows says what else a reader saw, as a verdict, which stands in
    no edit's way. Raises `InvalidFields` for anything but one strong tag of ours or `*`.
    """
    header: str = request.META.get("HTTP_IF_MATCH", "").strip()
    if header in ("", "*"):
        return None
    tag = _ETAG.fullmatch(header)
    if tag is None:
        raise InvalidFields.of("If-Match", 'is the ETag that was read, as "3", or *')
    return int(tag[1])
