"""What the desk keeps beside decisions: how each likes theirs, reasons to pick, what was skipped
or seen."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.models.reviews import Review
from moderation.vocabulary import Category, DeskAction


class DeskPreferences(models.Model):
    """How a moderator likes their desk. Somebody without a row has the usual one.

    `keys` maps what a key does to the key, `veils` a category ("" for all others) to the names of
    its veils; both hold only what differs from the usual.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="desk_preferences",
    )
    keys_on = models.BooleanField(default=True)
    keys = models.JSONField(default=dict, blank=True)
    veils = models.JSONField(default=dict, blank=True)
    lease_minutes = models.PositiveSmallIntegerField(default=5)
    lease_reminder = models.BooleanField(default=True)
    # When they last waved a break aside, and how much they had seen on that day by then.
    went_on_day = models.DateField(null=True, blank=True)
    went_on_after = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "desk preferences"

    def __str__(self) -> str:
        return f"desk of {self.user_id}"


class CannedReason(models.Model):
    """A sentence that a community's moderators pick from; the author reads it as it stands.

    Those of one action take the place of the sentences that Gatehouse comes with.
    """

    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, related_name="canned_reasons"
    )
    action = models.CharField(max_length=10, choices=DeskAction, default=DeskAction.BLOCK)
    # None: suits whatever was found.
    category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    text = models.CharField(max_length=500)
    position = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            one_of("action", DeskAction, "canned_reason"),
            models.UniqueConstraint(
                fields=["community", "action", "text"], name="canned_reason_once_an_action"
            ),
            models.CheckConstraint(name="canned_reason_says_something", condition=~Q(text="")),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class SkippedReview(models.Model):
    """An item that somebody left to others: it comes back to them when nothing else waits."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="skipped_by")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="skipped_reviews"
    )
    skipped_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "review"], name="skipped_once_a_person")
        ]

    def __str__(self) -> str:
        return f"review {self.review_id} skipped by {self.user_id}"


class ExposureDay(models.Model):
    """How many items of a graphic category somebody opened on one day (UTC)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="exposure_days"
    )
    day = models.DateField()
    category = models.CharField(max_length=20, choices=Category)
    seen = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "day", "category"], name="exposure_once_a_day_and_category"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} saw {self.seen} of {self.category} on {self.day}"
