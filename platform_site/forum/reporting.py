"""Turns what a report page sent into one call of the pipeline, and addresses into posts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from moderation import queries
from moderation.errors import InvalidFields
from moderation.models import Post, Report
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.reports.notice import MOST_POSTS, Notice, give_notice
from moderation.pipeline.reports.report import NewReport, Reported, report_post
from moderation.vocabulary import Category

_ANCHOR: Final = re.compile(r"post-([0-9a-fA-F-]{36})")
_MOST_SHOWN_CHARS: Final = 80


def report(user: User, post: Post, *, category: str, explanation: str) -> Reported:
    """Report a post as a user of this site. Raises what the pipeline refuses it for."""
    writer = Writer.for_user(user.pk, user.get_username())
    return report_post(NewReport(post, writer, Category(category), explanation))


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form for illegal content."""

    locations: str
    category: str
    explanation: str
    name: str
    email: str
    good_faith: bool


def notify(request: HttpRequest, typed: Typed) -> list[Report]:
    """Give notice of what stands at some addresses. Raises what the pipeline refuses it for."""
    user = request.user if isinstance(request.user, User) else None
    return give_notice(
        Notice(
            post_ids=posts_at(request, typed.locations),
            category=Category(typed.category),
            explanation=typed.explanation,
            name=typed.name,
            email=typed.email,
            good_faith=typed.good_faith,
            user=user,
        ),
        address=_address_of(request),
    )


def posts_at(request: HttpRequest, locations: str) -> list[UUID]:
    """Return the posts at the addresses that somebody typed, one a line or with blanks between.

    Raises `InvalidFields` naming each address at which this reader finds no post.
    """
    addresses = locations.split()
    if len(addresses) > MOST_POSTS:
        raise InvalidFields.of(
            "locations", f"Give at most {MOST_POSTS} addresses at once, these are {len(addresses)}."
        )
    meant = [(address, _post_at(request, address)) for address in addresses]
    public = set(
        queries.public_posts()
        .filter(pk__in=[post_id for _, post_id in meant if post_id])
        .values_list("pk", flat=True)
    )
    unknown = [address for address, post_id in meant if post_id not in public]
    if unknown:
        raise InvalidFields([("locations", _nothing_at(address)) for address in unknown])
    return [post_id for _, post_id in meant if post_id is not None]


def _nothing_at(address: str) -> str:
    shown = address if len(address) <= _MOST_SHOWN_CHARS else f"{address[:_MOST_SHOWN_CHARS]}…"
    return (
        f"There is no post that everyone can read at {shown}. Copy the address of the post itself: "
        "the link behind the time beside its author’s name. It may also be gone already."
    )


def _post_at(request: HttpRequest, address: str) -> UUID | None:
    """Return which post of this site an address means, None for any other address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.netloc and parts.netloc.lower() not in _own_hosts(request):
        return None
    anchor = _ANCHOR.fullmatch(parts.fragment)
    at = anchor.group(1) if anchor else parse_qs(parts.query).get("at", [""])[0]
    try:
        match = resolve(parts.path)
    except Resolver404:
        return None
    if match.namespace != "forum" or "post_id" not in match.kwargs:
        return None
    page: UUID = match.kwargs["post_id"]
    # Within a topic's page, a reply has an address of its own.
    return _uuid(at) or page


def _own_hosts(request: HttpRequest) -> set[str]:
    return {request.get_host().lower(), urlsplit(settings.SITE_URL.origin).netloc.lower()}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _address_of(request: HttpRequest) -> str:
    """Return the internet address that a request came from."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.BEHIND_PROXY and forwarded:
        # The last one was written by our own proxy; those before it by whoever pleased.
        return str(forwarded.rpartition(",")[2].strip())
    return str(request.META.get("REMOTE_ADDR", ""))


def numbers_in(text: str) -> Sequence[str]:
    """Return the report numbers of an address, as many as one notice has."""
    return [number for number in text.split(",") if number][:MOST_POSTS]
