"""What goes out: each message is staged with the change that caused it, each attempt is kept."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.audit import AuditEvent
from moderation.models.webhooks import Endpoint
from moderation.vocabulary import DeliveryState


class OutboxMessage(models.Model):
    """One event for one endpoint. Its row is the queue, as a submission's is.

    `message_id` is the same on every repeat, and for every endpoint that is told of the event: it
    is the `webhook-id`. `payload` is what a webhook is sent; for other kinds it is made when it is
    sent. `attempts` counts those since it was staged or replayed.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="messages")
    # None for a test.
    event = models.ForeignKey(AuditEvent, on_delete=models.PROTECT, null=True, related_name="+")
    message_id = models.CharField(max_length=64)
    event_type = models.CharField(max_length=40)
    payload = models.TextField(blank=True, default="")
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.DUE)
    due_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("state", DeliveryState, "outbox_message"),
            models.UniqueConstraint(
                fields=["endpoint", "message_id"], name="outbox_message_once_an_endpoint"
            ),
            models.CheckConstraint(
                name="outbox_lease_is_whole",
                condition=Q(lease_token__isnull=True, lease_until__isnull=True)
                | Q(lease_token__isnull=False, lease_until__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"],
                condition=Q(state=DeliveryState.DUE),
                name="outbox_due_by_endpoint",
            ),
            models.Index(fields=["endpoint", "-id"], name="outbox_log_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.message_id}"


class DeliveryAttempt(models.Model):
    """One attempt to hand a message over: what was sent, what was answered, how long it took."""

    message = models.ForeignKey(OutboxMessage, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    latency_ms = models.FloatField()
    # None when nothing was answered; then `error` says so.
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=100, blank=True, default="")
    request = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    # The beginning of the answer's body.
    response = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.message_id}"
