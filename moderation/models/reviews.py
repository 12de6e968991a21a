"""What waits for a person, and what the person decided."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.models.posts import Post
from moderation.models.screening import VerdictRecord
from moderation.vocabulary import Action, Category, ReviewLane, ReviewState, Severity


class Review(models.Model):
    """One post's revision before a person, held by at most one moderator at a time.

    `rank_at` orders the queue: creation time less a head start for severity and reach.
    `version` grows with each change, so that nobody acts on an item they did not see.
    """

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="reviews")
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="reviews")
    revision = models.PositiveIntegerField()
    verdict = models.ForeignKey(
        VerdictRecord, on_delete=models.SET_NULL, null=True, related_name="reviews"
    )
    lane = models.CharField(max_length=10, choices=ReviewLane, default=ReviewLane.NEW)
    state = models.CharField(max_length=10, choices=ReviewState, default=ReviewState.OPEN)
    rule = models.CharField(max_length=60, blank=True, default="")
    category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    score = models.FloatField(null=True, blank=True)
    severity = models.PositiveSmallIntegerField(choices=Severity, default=Severity.MEDIUM)
    reach = models.PositiveIntegerField(default=0)
    rank_at = models.DateTimeField(db_default=Now())
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="held_reviews",
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [
            ("decide_review", "Can approve and reject posts"),
            ("escalate_review", "Can put an item before a lead"),
            ("decide_escalated", "Can decide what was put before a lead"),
            ("reverse_enforcement", "Can reverse an enforcement"),
        ]
        constraints = [
            one_of("lane", ReviewLane, "review"),
            one_of("state", ReviewState, "review"),
            models.UniqueConstraint(
                fields=["post"], condition=Q(state=ReviewState.OPEN), name="review_one_open_a_post"
            ),
        ]
        indexes = [
            models.Index(
                fields=["community", "rank_at"],
                condition=Q(state=ReviewState.OPEN),
                name="review_open_by_rank",
            ),
            models.Index(
                fields=["rank_at"], condition=Q(state=ReviewState.OPEN), name="review_open_all"
            ),
        ]

    def __str__(self) -> str:
        return f"review {self.pk} of {self.post_id} r{self.revision}"


class Decision(models.Model):
    """What a person concluded of one review, with the reason the author will read."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="decisions")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="decisions")
    revision = models.PositiveIntegerField()
    moderator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions"
    )
    action = models.CharField(max_length=10, choices=Action)
    category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    reason = models.TextField()
    decided_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("action", Action, "decision"),
            models.CheckConstraint(name="decision_states_a_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.moderator_id}"
