"""Whom we ask: the services an operator has set up, what asking them cost, what is outstanding."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models._encrypted import EncryptedField
from moderation.models.posts import Post
from moderation.models.screening import Submission
from moderation.vocabulary import JobState, Outcome, Part


class ProviderAccount(models.Model):
    """A service as an operator has set it up. Policies route to its `name`.

    What is null here is as the adapter's own facts say.
    """

    name = models.SlugField(max_length=50, unique=True)
    adapter = models.CharField(max_length=50)
    enabled = models.BooleanField(default=True)
    options = models.JSONField(default=dict, blank=True)
    secrets = EncryptedField(default=dict, blank=True)
    timeout_seconds = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.05)])
    per_second = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.01)])
    concurrency = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    # Of one part, in millionths of a US dollar.
    cost_micros = models.PositiveBigIntegerField(null=True, blank=True)
    daily_budget_micros = models.PositiveBigIntegerField(null=True, blank=True)
    # How long an answer about the same content is used again; 0 for never.
    cache_seconds = models.PositiveIntegerField(default=86_400)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ProviderCall(models.Model):
    """One call to a service: how many parts it was about, what it cost, how long it took."""

    provider = models.CharField(max_length=50)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    parts = models.PositiveIntegerField()
    outcome = models.CharField(max_length=12, choices=Outcome)
    error = models.CharField(max_length=200, blank=True, default="")
    latency_ms = models.FloatField()
    cost_micros = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [one_of("outcome", Outcome, "provider_call")]
        indexes = [
            models.Index(fields=["provider", "started_at"], name="provider_call_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.parts} parts"


class ProviderDay(models.Model):
    """A day's totals of one service, in the database's time zone (UTC)."""

    provider = models.CharField(max_length=50)
    day = models.DateField()
    calls = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveBigIntegerField(default=0)
    parts = models.PositiveBigIntegerField(default=0)
    # Parts that were answered without a call.
    cached = models.PositiveBigIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(default=0)
    latency_ms = models.FloatField(default=0)
    # When its budget for the day was found to be spent.
    budget_spent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-day", "provider"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "day"], name="provider_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.provider} on {self.day}"


class ProviderJob(models.Model):
    """What a service works on that answers later: one part of one submission.

    `answer` is what it said, kept until the verdict is reached. A job goes forward only: once it
    is settled or expired nothing changes it.
    """

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="jobs")
    provider = models.CharField(max_length=50)
    part_kind = models.CharField(max_length=10, choices=Part)
    part_key = models.CharField(max_length=60)
    job_id = models.CharField(max_length=300)
    # Ends the address that the service calls back; null when it calls nobody.
    token = models.CharField(max_length=64, null=True, unique=True)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.WAITING)
    poll_at = models.DateTimeField()
    poll_after_seconds = models.FloatField(default=30.0)
    polls = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    answer = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("state", JobState, "provider_job"),
            models.UniqueConstraint(fields=["provider", "job_id"], name="provider_job_once"),
            models.UniqueConstraint(
                fields=["submission", "provider", "part_key"], name="provider_job_once_a_part"
            ),
        ]
        indexes = [
            models.Index(
                fields=["poll_at"],
                condition=Q(state=JobState.WAITING),
                name="provider_job_to_poll",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} job {self.job_id}"


class CallbackMessage(models.Model):
    """The inbox: an authentic message of a service, kept before anything is done about it."""

    provider = models.CharField(max_length=50)
    # The service's own id of it, or a digest: what arrives twice is stored once.
    message_id = models.CharField(max_length=200)
    token = models.CharField(max_length=64, blank=True, default="")
    job_id = models.CharField(max_length=300, blank=True, default="")
    answer = models.JSONField(null=True)
    received_at = models.DateTimeField(db_default=Now(), editable=False)
    handled_at = models.DateTimeField(null=True, blank=True)
    # What became of it: a short word for whoever looks into a missing answer.
    outcome = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "message_id"], name="callback_message_once")
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(handled_at__isnull=True), name="callback_unhandled"
            ),
            models.Index(fields=["received_at"], name="callback_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.message_id}"


class Reevaluation(models.Model):
    """A revision that another judged in a provider's place: asked again when it has recovered."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="reevaluations")
    revision = models.PositiveIntegerField()
    provider = models.CharField(max_length=50)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["post", "provider"], name="reevaluation_once_a_provider"
            )
        ]
        indexes = [models.Index(fields=["provider", "id"], name="reevaluation_by_provider")]

    def __str__(self) -> str:
        return f"{self.post_id} r{self.revision} by {self.provider}"
