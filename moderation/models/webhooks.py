"""Whom a community has told what happens: webhooks, its authors' mail, a cache before its media."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models._encrypted import EncryptedField
from moderation.models.communities import Community
from moderation.vocabulary import DisabledBecause, EndpointKind


class Endpoint(models.Model):
    """One that is told of a community's events.

    `event_types` are the types that it wants, or groups of them as `post.*`; all when it is empty.
    `options` and `secrets` are a matter of its kind. A webhook has the secrets `current` and,
    until `previous_secret_until`, `previous`.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="endpoints")
    kind = models.CharField(max_length=10, choices=EndpointKind, default=EndpointKind.WEBHOOK)
    name = models.CharField(max_length=100)
    url = models.CharField(max_length=500, blank=True, default="")
    event_types = models.JSONField(default=list, blank=True)
    options = models.JSONField(default=dict, blank=True)
    secrets = EncryptedField(default=dict, blank=True)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    disabled_because = models.CharField(
        max_length=10, choices=DisabledBecause, blank=True, default=""
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    # Since when nothing has reached it, null when the last attempt did.
    failing_since = models.DateTimeField(null=True, blank=True)
    # Until when it has asked to be spared.
    spared_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["community", "name"]
        constraints = [
            one_of("kind", EndpointKind, "endpoint"),
            models.UniqueConstraint(
                fields=["community"],
                condition=Q(kind=EndpointKind.EMAIL),
                name="endpoint_one_email_a_community",
            ),
            models.CheckConstraint(
                name="endpoint_says_why_disabled",
                condition=Q(active=True, disabled_because="")
                | Q(active=False, disabled_because__in=DisabledBecause.values),
            ),
        ]

    def __str__(self) -> str:
        return self.name
