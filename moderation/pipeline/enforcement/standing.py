"""How far authors are trusted: rejections count at once, trust is earned by approved posts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.models import Author, Effect, Enforcement, Post
from moderation.vocabulary import EffectKind, Standing, Status


def watch(author_ids: Iterable[int]) -> None:
    """Authors who got a strike are watched: checked first, and shown only when approved."""
    follow_verdicts(struck=author_ids, approved={})


def follow_verdicts(*, struck: Iterable[int], approved: Mapping[Standing, Collection[int]]) -> None:
    """Watch authors who got a strike, and let rise who just had a post approved.

    `approved` groups the latter by their standing.
    """
    conf = get_conf()
    watched = approved.get(Standing.WATCHED, ())
    steps = [
        _Step(set(struck), Standing.WATCHED),
        _Step(_without_recent_strike(watched), Standing.NEW, only_from=Standing.WATCHED),
    ]
    for before, after, needed in (
        (Standing.NEW, Standing.KNOWN, conf.known_after_approved),
        (Standing.KNOWN, Standing.TRUSTED, conf.trusted_after_approved),
    ):
        earned = _with_approved_posts(approved.get(before, ()), needed)
        steps.append(_Step(earned, after, only_from=before))
    _move(steps)


def clear(author_id: int) -> None:
    """A strike was reversed: without another one the author is trusted as if it never had been."""
    if _without_recent_strike([author_id]):
        _move([_Step({author_id}, _earned(author_id), only_from=Standing.WATCHED)])


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


@dataclass(frozen=True, slots=True)
class _Step:
    """Authors who move to a standing, those alone who are at `only_from` if that is given."""

    author_ids: Set[int]
    standing: Standing
    only_from: Standing | None = None


def _move(steps: Sequence[_Step]) -> None:
    lock(set().union(*(step.author_ids for step in steps)))
    for step in steps:
        if step.author_ids:
            authors = Author.objects.filter(pk__in=step.author_ids)
            if step.only_from is not None:
                authors = authors.filter(standing=step.only_from)
            authors.update(standing=step.standing)


def lock(author_ids: Iterable[int]) -> None:
    """Lock authors in key order, so that no two who do wait for each other in a circle.

    Whoever needs several in one transaction locks them at once.
    """
    ids = sorted(author_ids)
    if ids:
        rows = Author.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
        list(rows.values_list("pk", flat=True))
