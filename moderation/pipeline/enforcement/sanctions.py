"""What a sanction keeps an author from. It ends by the clock; nothing has to end it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from moderation.errors import AuthorBarred, AuthorSilenced, AuthorSuspended
from moderation.models import Author, Effect
from moderation.models.posts import INDEFINITELY
from moderation.vocabulary import EffectKind, Standing


def standing_at(author: Author, now: datetime) -> Standing:
    """Return how far an author is trusted now: whose posts are held is trusted least."""
    if author.held_until is not None and author.held_until > now:
        return Standing.WATCHED
    return Standing(author.standing)


def is_barred(author: Author, now: datetime) -> bool:
    """Whether an author may not write now."""
    return any(
        until is not None and until > now
        for until in (author.silenced_until, author.suspended_until)
    )


def refuse_if_barred(author: Author, now: datetime) -> None:
    """Raise `AuthorBarred` if the author may not write now. Asks the database only then."""
    if is_barred(author, now):
        raise why_barred([author], now)[author.pk]


def refuse_if_suspended(author: Author, now: datetime) -> None:
    """Raise `AuthorSuspended` if the author may not take part at all now.

    Objecting to the suspension itself stays open to them: whoever takes that in does not ask.
    """
    if author.suspended_until is not None and author.suspended_until > now:
        raise why_barred([author], now)[author.pk]


def why_barred(authors: Iterable[Author], now: datetime) -> dict[int, AuthorBarred]:
    """Return what to tell each author who may not write now. One query for all of them."""
    barred = {author.pk: author for author in authors if is_barred(author, now)}
    if not barred:
        return {}
    statements = dict(
        Effect.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            kind__in=(EffectKind.SILENCE, EffectKind.SUSPENSION),
            enforcement__author_id__in=barred,
            enforcement__reversed_at__isnull=True,
        )
        .order_by("pk")
        .values_list("enforcement__author_id", "enforcement__statement__number")
    )
    return {pk: _error(author, now, statements.get(pk) or "") for pk, author in barred.items()}


def _error(author: Author, now: datetime, statement: str) -> AuthorBarred:
    suspended, silenced = author.suspended_until, author.silenced_until
    is_suspended = suspended is not None and suspended > now
    until = suspended if is_suspended else silenced
    assert until is not None  # `is_barred` says so
    end = None if until >= INDEFINITELY else until
    how_long = f"until {end.day} {end:%B %Y, %H:%M} UTC" if end else "until this is reversed"
    kind = AuthorSuspended if is_suspended else AuthorSilenced
    said = (
        f"Your account is suspended from taking part {how_long}."
        if is_suspended
        else f"You cannot post or edit {how_long}; you can still read, and delete your posts."
    )
    return kind(
        f"{said} Why, and how to object, stands with the post that it was for, under My posts.",
        until=end,
        statement=statement,
    )
