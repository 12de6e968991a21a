"""Which open items say, or show, nearly the same as one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from moderation.media.pdq import DEFAULT_MAX_DISTANCE, HASH_BYTES, bank_of, distances
from moderation.models import MediaItem, Post, Review
from moderation.queries.posts import current_media
from moderation.queries.reviews import review_queue
from moderation.text.likeness import ALIKE, MARKS, Runs, likeness, near_marks, runs_of
from moderation.vocabulary import MediaState

# As many as a person can look at one by one before they decide them as one.
MOST_ALIKE = 100
# Of items that share a mark so many are compared, the most urgent first.
_MOST_COMPARED = 500
# The marks of so many of them are looked up in turn.
_MOST_HOPS = 50
# Of items with attachments so many are compared; their hashes are 32 bytes each.
_MOST_PICTURES = 5_000


@dataclass(frozen=True, slots=True)
class Alike:
    """An open item that is like another. `share` of their texts is the same, None where only
    pictures are alike; `distance` of 256 bits lie between two of their pictures, None where only
    the text is.
    """

    review: Review
    share: float | None
    distance: int | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """The items that are like one, the likest first. `is_cut` says that there may be more."""

    members: list[Alike]
    is_cut: bool


def cluster_of(review: Review, user: User) -> Cluster:
    """Return the open items of the same community that are like one of them.

    Only those that the user works on, and whose post still says what was queued.
    """
    queue = review_queue(user).filter(community=review.community_id).exclude(pk=review.pk)
    texts, more_texts = _like_text(review.post, queue)
    pictures, more_pictures = _like_pictures(review.post, queue)
    found = {row.pk: row for row in queue.filter(pk__in=texts.keys() | pictures.keys())}
    members = [
        Alike(row, texts.get(pk), pictures.get(pk))
        for pk, row in found.items()
        if row.post.revision == row.revision
    ]
    members.sort(key=lambda one: (-(one.share or 0.0), one.distance or 0, one.review.pk))
    return Cluster(members[:MOST_ALIKE], more_texts or more_pictures or len(members) > MOST_ALIKE)


def same_text_counts(reviews: list[Review], user: User) -> dict[str, int]:
    """Return how many open items have each of these items' texts, by its mark; 0 and 1 left out.

    Counts up to `MOST_ALIKE` for all of them together say enough.
    """
    marks = {row.text_mark for row in reviews} - {""}
    if not marks:
        return {}
    counts: dict[str, int] = dict.fromkeys(marks, 0)
    same = review_queue(user).order_by().select_related(None).filter(text_mark__in=marks)
    for mark in same.values_list("text_mark", flat=True)[: len(marks) + MOST_ALIKE]:
        counts[mark] += 1
    return {mark: count for mark, count in counts.items() if count > 1}


def _like_text(post: Post, queue: QuerySet[Review]) -> tuple[dict[int, float], bool]:
    said = _text_of(post)
    runs = runs_of(said)
    marks = near_marks(said)
    if not marks:
        return {}, False
    shares, is_cut = _compare(runs, queue.filter(_shared([marks])))
    near = {row.pk: row for row, share in shares.items() if share >= ALIKE}
    if near:
        # Copies that share no mark with this one share some with its other copies.
        further = _shared([_marks_of(row) for row in list(near.values())[:_MOST_HOPS]])
        more, is_cut_again = _compare(runs, queue.filter(further).exclude(pk__in=near))
        shares |= more
        is_cut = is_cut or is_cut_again
    return {row.pk: share for row, share in shares.items() if share >= ALIKE}, is_cut


def _shared(marks: list[tuple[int, ...]]) -> Q:
    """Return what picks the items that share a mark, in its place, with one of some texts."""
    places = zip(*marks, strict=True)
    return reduce(
        or_,
        (
            Q(**{f"near_mark_{place}__in": sorted(set(values))})
            for place, values in enumerate(places, start=1)
        ),
    )


def _marks_of(review: Review) -> tuple[int, ...]:
    found = [getattr(review, f"near_mark_{place}") for place in range(1, MARKS + 1)]
    return tuple(found) if None not in found else near_marks(_text_of(review.post))


def _compare(runs: Runs, queue: QuerySet[Review]) -> tuple[dict[Review, float], bool]:
    rows = list(queue[: _MOST_COMPARED + 1])
    shares = {row: likeness(runs, runs_of(_text_of(row.post))) for row in rows[:_MOST_COMPARED]}
    return shares, len(rows) > _MOST_COMPARED


def _like_pictures(post: Post, queue: QuerySet[Review]) -> tuple[dict[int, int], bool]:
    wanted = [
        item.perceptual_hash
        for item in current_media(post).filter(state=MediaState.READY)
        if _is_hash(item.perceptual_hash)
    ]
    if not wanted:
        return {}, False
    reviews = list(
        queue.filter(has_media=True)
        .select_related(None)
        .values_list("pk", "post_id")[: _MOST_PICTURES + 1]
    )
    review_of = {post_id: pk for pk, post_id in reviews[:_MOST_PICTURES]}
    hashed = [
        (review_of[post_id], found)
        for post_id, found in _hashes_of(review_of)
        if post_id is not None and _is_hash(found)
    ]
    if not hashed:
        return {}, False
    bank = bank_of([found for _, found in hashed])
    nearest: dict[int, int] = {}
    for one in wanted:
        for (pk, _), far in zip(hashed, distances(bank, one).tolist(), strict=True):
            if far <= DEFAULT_MAX_DISTANCE and far < nearest.get(pk, HASH_BYTES * 8):
                nearest[pk] = far
    return nearest, len(reviews) > _MOST_PICTURES


def _hashes_of(posts: Collection[UUID]) -> Iterator[tuple[UUID | None, str]]:
    return iter(
        MediaItem.objects.filter(
            post_id__in=list(posts), state=MediaState.READY, removed_in_revision__isnull=True
        )
        .exclude(perceptual_hash="")
        .order_by()
        .values_list("post_id", "perceptual_hash")
    )


def _is_hash(text: str) -> bool:
    return len(text) == HASH_BYTES * 2


def _text_of(post: Post) -> str:
    return "\n".join(part for part in (post.title, post.body) if part)
