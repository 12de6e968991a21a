"""Who may call the API, and what was answered to a repeated call."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community, Organisation
from moderation.vocabulary import Priority


class ApiKey(models.Model):
    """A key of one community, or of an organisation for all its communities.

    Only the SHA-256 of the secret part is kept; `key_id` is the part that finds the row.
    """

    key_id = models.CharField(max_length=16, unique=True, editable=False)
    secret_digest = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=100, blank=True, default="")
    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, null=True, blank=True, related_name="keys"
    )
    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, null=True, blank=True, related_name="keys"
    )
    scopes = models.JSONField(default=list)
    # Its tier: how much it may send, and how soon that is looked at while many wait. Null is what
    # the site's settings say.
    rate_per_second = models.FloatField(null=True, blank=True)
    rate_burst = models.PositiveIntegerField(null=True, blank=True)
    priority = models.CharField(max_length=10, choices=Priority, default=Priority.NORMAL)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Written at most once a minute: a hint for people, not a log.
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                name="api_key_has_one_owner",
                condition=Q(organisation__isnull=True, community__isnull=False)
                | Q(organisation__isnull=False, community__isnull=True),
            ),
            one_of("priority", Priority, "api_key"),
            models.CheckConstraint(
                name="api_key_may_send_something",
                condition=(Q(rate_per_second__isnull=True) | Q(rate_per_second__gt=0))
                & (Q(rate_burst__isnull=True) | Q(rate_burst__gt=0)),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.key_id

    @property
    def owner(self) -> Community | Organisation:
        """Whose key it is; the database holds that there is exactly one."""
        return self.community or self.organisation  # type: ignore[return-value]


class IdempotencyRecord(models.Model):
    """The answer that a client's Idempotency-Key got, committed together with what it did.

    `client` names the caller (key, user or content-service), so that keys are private to it.
    """

    client = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "key"], name="idempotency_key_once_a_client")
        ]

    def __str__(self) -> str:
        return f"{self.client}: {self.key}"
