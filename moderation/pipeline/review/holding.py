"""6a · A moderator takes an item under a lease, keeps it while they look, gives it back."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now

from moderation.delivery import websocket
from moderation.delivery.hints import QueueHint
from moderation.errors import NotFound, ReviewTaken
from moderation.models import Review
from moderation.pipeline.casework import must
from moderation.vocabulary import ReviewState

# Long enough to read a thread; a closed browser frees the item by itself.
HOLD_SECONDS = 300


def hold_review(*, review_id: int, moderator: User, seconds: int = HOLD_SECONDS) -> Review:
    """Take an item for a time, or keep it. Raises `ReviewTaken` if someone else has it."""
    must(moderator, "moderation.decide_review", review_id)
    until = Now() + timedelta(seconds=seconds)
    is_open = Review.objects.filter(pk=review_id, state=ReviewState.OPEN)
    kept = is_open.filter(holder=moderator, lease_until__gte=Now()).update(lease_until=until)
    taken = kept or (
        is_open.filter(
            Q(holder__isnull=True) | Q(holder=moderator) | Q(lease_until__lt=Now())
        ).update(holder=moderator, lease_until=until, held_since=Now())
    )
    review = Review.objects.select_related("post", "holder").filter(pk=review_id).first()
    if review is None:
        raise NotFound(f"There is no review {review_id}.")
    if not taken:
        raise ReviewTaken()
    if not kept:
        _tell("review.held", review)
    return review


def free_review(*, review_id: int, moderator: User) -> None:
    """Give an item back undecided."""
    mine = Review.objects.filter(pk=review_id, holder=moderator, state=ReviewState.OPEN)
    review = mine.first()
    if review is not None and mine.update(holder=None, lease_until=None, held_since=None):
        _tell("review.freed", review)


def keep_review(*, review_id: int, moderator: User, seconds: int = HOLD_SECONDS) -> bool:
    """Extend the lease of an item one holds; False says that it is no longer one's own."""
    kept = Review.objects.filter(pk=review_id, holder=moderator, state=ReviewState.OPEN).update(
        lease_until=Now() + timedelta(seconds=seconds)
    )
    return bool(kept)


def _tell(kind: str, review: Review) -> None:
    """Let those who watch the queue see who has what."""
    websocket.push([QueueHint(kind, review.post_id, review.community_id, review.revision)])
