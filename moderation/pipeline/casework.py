"""What every step of casework shares: who may take it, its locks in their order, its record."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User

from moderation import queries
from moderation.delivery.hints import Hint
from moderation.errors import Conflict, NotAllowed, NotFound, NotImpartial, ReviewTaken
from moderation.models import Post, Review
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.queries.appeals import is_partial, open_appeals
from moderation.vocabulary import ActorKind, ReviewLane, ReviewState

_WITH_APPEALS = (ReviewLane.APPEAL, ReviewLane.ESCALATED)


def must(moderator: User, permission: str, review_id: int) -> None:
    """Raise `NotAllowed` unless the item is one that its moderator may do this to."""
    rows = Review.objects.filter(pk=review_id).values_list("community_id", "category", "lane")
    found = rows.first()
    if found is None:
        raise NotFound(f"There is no review {review_id}.")
    community_id, category, lane = found
    if not (
        moderator.has_perm(permission)
        and queries.may_review(moderator, community_id=community_id, category=category)
    ):
        raise NotAllowed()
    if lane in _WITH_APPEALS and is_partial(moderator, review_id):
        raise NotImpartial()


def must_in(moderator: User, permission: str, community_id: int) -> None:
    if not (moderator.has_perm(permission) and queries.moderates(moderator, community_id)):
        raise NotAllowed()


def must_be_undisputed(review: Review) -> None:
    """Raise `Conflict` while an appeal waits in an item: it is answered first."""
    if review.lane in _WITH_APPEALS and open_appeals(review.pk):
        raise Conflict(
            "An appeal waits in this item: uphold or overturn it, then decide what is left."
        )


def by_moderator(moderator: User) -> Actor:
    return Actor(ActorKind.MODERATOR, str(moderator.pk))


def lock_post(post_id: UUID) -> Post:
    return (
        Post.objects.select_for_update(of=("self",), no_key=True)
        .select_related("author", "community")
        .get(pk=post_id)
    )


def lock(review_id: int) -> tuple[Post, Review]:
    """Lock the post, then its review: the order that every stage keeps."""
    post_id = Review.objects.filter(pk=review_id).values_list("post_id", flat=True).get()
    post = lock_post(post_id)
    review = (
        Review.objects.select_for_update(of=("self",)).select_related("verdict").get(pk=review_id)
    )
    return post, review


def must_hold(review: Review, moderator: User) -> None:
    """Nobody else may hold the item; holding it oneself is not asked, so that a list can decide."""
    now = queries.database_now()
    held_by_other = (
        review.holder_id not in (None, moderator.pk)
        and review.lease_until is not None
        and review.lease_until > now
    )
    if review.state != ReviewState.OPEN or held_by_other:
        raise ReviewTaken()


def record(
    kind: str, post: Post, moderator: User, facts: dict[str, object], *, note: str = ""
) -> Hint:
    event = record_events(
        [
            Event(
                kind=kind,
                subject_kind="post",
                subject_id=str(post.pk),
                actor=by_moderator(moderator),
                community_id=post.community_id,
                revision=post.revision,
                facts={**facts, "status": post.status, "visibility": post.visibility},
                personal={"note": note} if note else None,
                author=post.author,
            )
        ]
    )[0]
    return Hint.of(post, event)
