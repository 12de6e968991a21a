"""What waits for a person, and the evidence beside it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet

from moderation.models import ProviderResult, Review
from moderation.queries.people import communities_moderated_by
from moderation.vocabulary import ReviewState


def review_queue(user: User) -> QuerySet[Review]:
    """Return the open items of a moderator's communities, the most urgent first."""
    reviews = Review.objects.filter(state=ReviewState.OPEN)
    if not user.is_superuser:
        # Ids rather than a subquery: the index by rank then gives a page without sorting the rest.
        own = communities_moderated_by(user).values_list("pk", flat=True)
        reviews = reviews.filter(community__in=list(own))
    return reviews.select_related(
        "post", "post__author", "community", "holder", "verdict"
    ).order_by("rank_at")


def evidence_for(review: Review) -> QuerySet[ProviderResult]:
    """Return what providers said of the revision under review."""
    return ProviderResult.objects.filter(
        submission__post_id=review.post_id, submission__revision=review.revision
    ).order_by("pk")
