"""How far authors are trusted: rejections count at once, trust is earned by approved posts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.models import Author, Effect, Enforcement, Post
from moderation.vocabulary import EffectKind, Standing, Status


def watch(author_ids: Iterable[int]) -> None:
    """Authors who got a strike are watched: checked first, and shown only when approved."""
    _move(author_ids, Standing.WATCHED)


def promote(approved: Mapping[Standing, Collection[int]]) -> None:
    """Let authors rise who just had a post approved; `approved` groups them by their standing."""
    conf = get_conf()
    watched = approved.get(Standing.WATCHED, ())
    _move(_without_recent_strike(watched), Standing.NEW, only_from=Standing.WATCHED)
    for before, after, needed in (
        (Standing.NEW, Standing.KNOWN, conf.known_after_approved),
        (Standing.KNOWN, Standing.TRUSTED, conf.trusted_after_approved),
    ):
        _move(_with_approved_posts(approved.get(before, ()), needed), after, only_from=before)


def clear(author_id: int) -> None:
    """A strike was reversed: without another one the author is trusted as if it never had been."""
    if _without_recent_strike([author_id]):
        _move([author_id], _earned(author_id), only_from=Standing.WATCHED)


def without(enforcement: Enforcement) -> Standing:
    """Return how far its author would be trusted if an enforcement with a strike were reversed."""
    author = Author.objects.get(pk=enforcement.author_id)
    known = Standing(author.standing)
    if known is not Standing.WATCHED:
        return known
    is_free = _without_recent_strike([author.pk], leaving_out=enforcement.pk)
    return _earned(author.pk) if is_free else known


def _earned(author_id: int) -> Standing:
    """Return what an author's approved posts have earned them."""
    conf = get_conf()
    approved = Post.objects.filter(author_id=author_id, status=Status.APPROVED).values("pk")
    # A count that stops where it makes no more difference.
    count = approved[: conf.trusted_after_approved].count()
    if count >= conf.trusted_after_approved:
        return Standing.TRUSTED
    return Standing.KNOWN if count >= conf.known_after_approved else Standing.NEW


def _without_recent_strike(author_ids: Collection[int], *, leaving_out: int = 0) -> set[int]:
    if not author_ids:
        return set()
    since = Now() - timedelta(days=get_conf().watch_days)
    struck = (
        Effect.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()),
            kind=EffectKind.STRIKE,
            enforcement__author_id__in=author_ids,
            enforcement__reversed_at__isnull=True,
            enforcement__created_at__gte=since,
        )
        .exclude(enforcement_id=leaving_out)
        .values_list("enforcement__author_id", flat=True)
    )
    return set(author_ids) - set(struck)


def _with_approved_posts(author_ids: Collection[int], needed: int) -> set[int]:
    if not author_ids:
        return set()
    posts = Post.objects.filter(author_id__in=author_ids, status=Status.APPROVED)
    counts = posts.values("author_id").annotate(approved=Count("pk"))
    return set(counts.filter(approved__gte=needed).values_list("author_id", flat=True))


def _move(
    author_ids: Iterable[int], standing: Standing, *, only_from: Standing | None = None
) -> None:
    """Move authors in key order, so that two workers never wait for each other in a circle."""
    ids = sorted(author_ids)
    if not ids:
        return
    authors = Author.objects.filter(pk__in=ids)
    if only_from is not None:
        authors = authors.filter(standing=only_from)
    locked = list(
        authors.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
    )
    Author.objects.filter(pk__in=locked).update(standing=standing)
