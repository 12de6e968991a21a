"""What is due, what was asked and answered, and what the policy concluded."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community, PolicyRevision
from moderation.models.posts import Post
from moderation.vocabulary import (
    Action,
    Category,
    FilterKind,
    Lane,
    Outcome,
    Part,
    Reason,
    SubmissionState,
)

# What a submission's last error says while it waits for a service that answers later.
PARKED = "waits_for_provider"


class Submission(models.Model):
    """One revision sent for screening. This row is the queue; the broker only says "look".

    It is due when `state` is due, `due_at` has come and no lease runs. All times are the
    database's. `rank_at` orders a lane: creation time less a head start for risk.
    """

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="submissions")
    revision = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=10, choices=Reason, default=Reason.NEW)
    state = models.CharField(max_length=10, choices=SubmissionState, default=SubmissionState.DUE)
    lane = models.CharField(max_length=20, choices=Lane, default=Lane.SCREEN)
    rank_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("reason", Reason, "submission"),
            one_of("state", SubmissionState, "submission"),
            one_of("lane", Lane, "submission"),
            # An appeal asks about the revision that it is about, whatever became of the post.
            models.UniqueConstraint(
                fields=["post"],
                condition=Q(state=SubmissionState.DUE) & ~Q(reason=Reason.APPEAL),
                name="submission_one_due_a_post",
            ),
            models.UniqueConstraint(
                fields=["post", "revision"],
                condition=Q(reason__in=[Reason.NEW, Reason.EDIT]),
                name="submission_one_first_a_revision",
            ),
            models.CheckConstraint(
                name="submission_lease_is_whole",
                condition=Q(lease_token__isnull=True, lease_until__isnull=True)
                | Q(lease_token__isnull=False, lease_until__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["lane", "rank_at"],
                condition=Q(state=SubmissionState.DUE),
                name="submission_due_by_rank",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(state=SubmissionState.DUE),
                name="submission_due_by_age",
            ),
            models.Index(
                fields=["lease_token"],
                condition=Q(lease_token__isnull=False),
                name="submission_by_lease",
            ),
        ]

    def __str__(self) -> str:
        return f"submission {self.pk} of {self.post_id} r{self.revision}"


class ProviderResult(models.Model):
    """Evidence: what one provider answered about one part. Null is not 0: a category that is
    absent from `scores` was not judged."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="results")
    provider = models.CharField(max_length=50)
    model_version = models.CharField(max_length=100, blank=True, default="")
    part_kind = models.CharField(max_length=10, choices=Part)
    part_key = models.CharField(max_length=60)
    outcome = models.CharField(max_length=12, choices=Outcome)
    scores = models.JSONField(default=dict)
    spans = models.JSONField(default=list)
    regions = models.JSONField(default=list)
    raw = models.JSONField(default=dict)
    error = models.CharField(max_length=200, blank=True, default="")
    # Who judged this part in its place, "" for nobody: then its failure counts.
    stood_in = models.CharField(max_length=50, blank=True, default="")
    # Asked for a candidate policy only: no verdict that counts rests on it.
    shadow = models.BooleanField(default=False)
    latency_ms = models.FloatField(null=True)
    cost_micros = models.PositiveBigIntegerField(default=0)
    cached = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("outcome", Outcome, "provider_result"),
            models.UniqueConstraint(
                fields=["submission", "provider", "part_key"], name="provider_result_once_a_part"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} on {self.part_key}"


class VerdictRecord(models.Model):
    """What the policy concluded of one submission: at most one, and never changed."""

    submission = models.OneToOneField(Submission, on_delete=models.CASCADE, related_name="verdict")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="verdicts")
    revision = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    policy = models.ForeignKey(PolicyRevision, on_delete=models.PROTECT, null=True)
    action = models.CharField(max_length=10, choices=Action)
    rule = models.CharField(max_length=60)
    category = models.CharField(max_length=20, choices=Category, null=True)
    score = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    provider = models.CharField(max_length=50, null=True)
    part_key = models.CharField(max_length=60, null=True)
    spans = models.JSONField(default=list)
    not_judged = models.JSONField(default=list)
    # The author's standing when it was judged: a replay needs what the judge saw.
    standing = models.CharField(max_length=10)
    # So are its parts, as pairs of key and kind (None: nobody kept them), and the language that
    # its community expected.
    parts = models.JSONField(null=True)
    language = models.CharField(max_length=8, blank=True, default="", db_default="")
    judged_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [one_of("action", Action, "verdict")]

    def __str__(self) -> str:
        return f"{self.action} ({self.rule})"


class FilterRule(models.Model):
    """What moderators themselves look for in texts. Each hit is evidence, with its place.

    `pattern` is a word, an expression, a domain, or a list with commas, as its kind says.
    """

    # Null: applies in every community.
    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, null=True, blank=True, related_name="filter_rules"
    )
    kind = models.CharField(max_length=20, choices=FilterKind)
    pattern = models.CharField(max_length=1000)
    category = models.CharField(max_length=20, choices=Category, default=Category.OTHER)
    score = models.FloatField(default=1.0)
    label = models.CharField(max_length=200, blank=True, default="")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("kind", FilterKind, "filter_rule"),
            models.CheckConstraint(
                name="filter_rule_score_is_a_score", condition=Q(score__gte=0, score__lte=1)
            ),
            models.UniqueConstraint(
                fields=["community", "kind", "pattern"], name="filter_rule_once_a_community"
            ),
            models.UniqueConstraint(
                fields=["kind", "pattern"],
                condition=Q(community__isnull=True),
                name="filter_rule_once_for_all",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.pattern[:60]
