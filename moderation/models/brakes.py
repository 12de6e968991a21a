"""Rules and providers that may only ask a person for a while, and the counts that tell."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.vocabulary import BrakeKind, Category


class Brake(models.Model):
    """A rule or provider of a community whose blocks became questions to a person.

    It holds until released, at the latest until `expires_at`. The counts say what it was pulled
    for: blocks of verdicts, lately and as usual.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="brakes")
    kind = models.CharField(max_length=10, choices=BrakeKind)
    name = models.CharField(max_length=60)
    recent_hits = models.PositiveIntegerField()
    recent_total = models.PositiveIntegerField()
    usual_hits = models.PositiveIntegerField()
    usual_total = models.PositiveIntegerField()
    pulled_at = models.DateTimeField(db_default=Now(), editable=False)
    # None: until a person releases it.
    expires_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )

    class Meta:
        constraints = [
            one_of("kind", BrakeKind, "brake"),
            models.UniqueConstraint(
                fields=["community", "kind", "name"],
                condition=Q(released_at__isnull=True),
                name="brake_once_pulled",
            ),
        ]
        indexes = [
            models.Index(
                fields=["community"], condition=Q(released_at__isnull=True), name="brake_pulled"
            )
        ]

    def __str__(self) -> str:
        return f"brake on {self.said}"

    @property
    def said(self) -> str:
        """Return what is braked in words: the rule for a category, or a provider's name."""
        category = self.name.partition(".")[0]
        if self.kind == BrakeKind.RULE and category in Category.values:
            return f"the rule for {Category(category).label.lower()}"
        return self.name


class BlockTally(models.Model):
    """How many verdicts of ten minutes a rule or provider blocked; kind "all": how many came."""

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="+")
    starts_at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=10)
    name = models.CharField(max_length=60, blank=True, default="")
    hits = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community", "starts_at", "kind", "name"], name="block_tally_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name or self.kind}: {self.hits}"


class TallyMark(models.Model):
    """Up to which verdict has been counted: one row, whose lock counters take turns by."""

    last_verdict = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last_verdict)
