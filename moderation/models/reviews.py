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
    `due_at` is when it should be decided by, as the community's service level says.
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
    # ISO 639-1 as the providers found it, "" when none did.
    language = models.CharField(max_length=8, blank=True, default="")
    has_media = models.BooleanField(default=False)
    # What readers' open reports of it come to.
    report_count = models.PositiveIntegerField(default=0)
    report_weight = models.FloatField(default=0.0)
    # What its text is found by among others that say the same, "" for a text too short to tell,
    # and nearly the same, None for such a text (see `moderation.text.likeness`).
    text_mark = models.CharField(max_length=64, blank=True, default="", editable=False)
    near_mark_1 = models.PositiveIntegerField(null=True, editable=False)
    near_mark_2 = models.PositiveIntegerField(null=True, editable=False)
    near_mark_3 = models.PositiveIntegerField(null=True, editable=False)
    near_mark_4 = models.PositiveIntegerField(null=True, editable=False)
    due_at = models.DateTimeField(null=True, blank=True)
    rank_at = models.DateTimeField(db_default=Now())
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="held_reviews",
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    # When its present holder first opened it.
    held_since = models.DateTimeField(null=True, blank=True)
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
            models.Index(
                fields=["lane", "rank_at"],
                condition=Q(state=ReviewState.OPEN),
                name="review_open_by_lane",
            ),
            models.Index(
                fields=["holder"],
                condition=Q(state=ReviewState.OPEN, holder__isnull=False),
                name="review_open_by_holder",
            ),
            models.Index(
                fields=["text_mark"],
                condition=Q(state=ReviewState.OPEN) & ~Q(text_mark=""),
                name="review_open_same_text",
            ),
            # A filter that few items fit must not read all others to find a page of them.
            *[
                models.Index(
                    fields=[name, "rank_at"],
                    condition=Q(state=ReviewState.OPEN),
                    name=f"review_open_by_{name}",
                )
                for name in ("category", "rule", "language", "severity")
            ],
            models.Index(
                fields=["rank_at"],
                condition=Q(state=ReviewState.OPEN, has_media=True),
                name="review_open_with_media",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(state=ReviewState.OPEN),
                name="review_open_by_age",
            ),
            models.Index(
                fields=["due_at"], condition=Q(state=ReviewState.OPEN), name="review_open_by_due"
            ),
            *[
                models.Index(
                    fields=[f"near_mark_{number}"],
                    condition=Q(state=ReviewState.OPEN),
                    name=f"review_open_near_text_{number}",
                )
                for number in range(1, 5)
            ],
        ]

    def __str__(self) -> str:
        return f"review {self.pk} of {self.post_id} r{self.revision}"


class DecisionBatch(models.Model):
    """Several decisions that a moderator made as one, to be reversed as one."""

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="+")
    moderator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    action = models.CharField(max_length=10, choices=Action)
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [one_of("action", Action, "decision_batch")]

    def __str__(self) -> str:
        return f"batch {self.pk}: {self.action}"


class Decision(models.Model):
    """What a person concluded of one review, with the reason the author will read.

    `seconds_spent` is how long the item lay open before them, None when it was never opened.
    """

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="decisions")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="decisions")
    revision = models.PositiveIntegerField()
    moderator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions"
    )
    action = models.CharField(max_length=10, choices=Action)
    category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    reason = models.TextField()
    batch = models.ForeignKey(
        DecisionBatch, on_delete=models.SET_NULL, null=True, blank=True, related_name="decisions"
    )
    seconds_spent = models.FloatField(null=True, blank=True)
    decided_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("action", Action, "decision"),
            models.CheckConstraint(name="decision_states_a_reason", condition=~Q(reason="")),
        ]
        indexes = [models.Index(fields=["decided_at"], name="decision_by_time")]

    def __str__(self) -> str:
        return f"{self.action} by {self.moderator_id}"
