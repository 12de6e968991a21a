"""What waits for a person, and the evidence beside it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet

from moderation.models import ProviderResult, Review
from moderation.queries.appeals import partial_items
from moderation.queries.people import review_scope
from moderation.vocabulary import Reason, ReviewState


def review_queue(user: User) -> QuerySet[Review]:
    """Return the open items that are a moderator's to work on, the most urgent first."""
    return (
        Review.objects.filter(review_scope(user).condition(), state=ReviewState.OPEN)
        .exclude(partial_items(user))
        .select_related("post", "post__author", "community", "holder", "verdict")
        .order_by("rank_at", "pk")
    )


def evidence_for(review: Review) -> QuerySet[ProviderResult]:
    """Return what providers said of the revision under review; not so a second opinion."""
    rows = ProviderResult.objects.filter(
        submission__post_id=review.post_id, submission__revision=review.revision
    )
    return rows.exclude(submission__reason=Reason.APPEAL).order_by("pk")
