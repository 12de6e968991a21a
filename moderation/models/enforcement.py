"""What a verdict or a decision caused, as one unit that can be reversed."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.models.posts import Author, Post
from moderation.models.reviews import Decision
from moderation.models.screening import VerdictRecord
from moderation.vocabulary import Action, Category, EffectKind, Part

# The reason of a reversal that nobody outside hears of, nor of what it reversed.
UNDONE: Final = "Undone by the moderator who had decided."


class Enforcement(models.Model):
    """Owns its effects: all of them hold, or, once it is reversed, none."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="enforcements")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="enforcements")
    revision = models.PositiveIntegerField()
    action = models.CharField(max_length=10, choices=Action)
    verdict = models.OneToOneField(
        VerdictRecord, on_delete=models.CASCADE, null=True, blank=True, related_name="enforcement"
    )
    decision = models.OneToOneField(
        Decision, on_delete=models.CASCADE, null=True, blank=True, related_name="enforcement"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    reversal_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            one_of("action", Action, "enforcement"),
            models.CheckConstraint(
                name="enforcement_has_one_cause",
                condition=Q(verdict__isnull=True, decision__isnull=False)
                | Q(verdict__isnull=False, decision__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["author"],
                condition=Q(reversed_at__isnull=True),
                name="enforcement_standing_by_author",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(action__in=[Action.WARN, Action.BLOCK]),
                name="enforcement_restricts_by_time",
            ),
        ]

    def __str__(self) -> str:
        return f"enforcement {self.pk}: {self.action}"


class Effect(models.Model):
    """One change that an enforcement owns; it holds while its enforcement does."""

    enforcement = models.ForeignKey(Enforcement, on_delete=models.CASCADE, related_name="effects")
    kind = models.CharField(max_length=10, choices=EffectKind)
    # None: holds until its enforcement is reversed.
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("kind", EffectKind, "effect"),
            models.UniqueConstraint(
                fields=["enforcement", "kind"], name="effect_once_an_enforcement"
            ),
        ]

    def __str__(self) -> str:
        return self.kind


class RejectedContent(models.Model):
    """What was taken down, by the fingerprint of its text or its picture: not to be asked about
    again while the enforcement stands.
    """

    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, related_name="rejected_content"
    )
    enforcement = models.ForeignKey(
        Enforcement, on_delete=models.CASCADE, related_name="rejected_content"
    )
    fingerprint = models.CharField(max_length=64)
    part_kind = models.CharField(max_length=10, choices=Part)
    category = models.CharField(max_length=20, choices=Category)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["enforcement", "fingerprint"], name="rejected_content_once"
            )
        ]
        indexes = [models.Index(fields=["community", "fingerprint"], name="rejected_content_known")]

    def __str__(self) -> str:
        return self.fingerprint[:12]
