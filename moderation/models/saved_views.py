"""What a moderator narrows the queue to again and again, under a name of their own."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from moderation.models.communities import Community


class SavedView(models.Model):
    """A set of filters by name: its maker's, or for every moderator of a community."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views"
    )
    name = models.CharField(max_length=60)
    # The filters as the queue's address has them.
    query = models.CharField(max_length=1000, blank=True, default="")
    shared_with = models.ForeignKey(
        Community, on_delete=models.CASCADE, null=True, blank=True, related_name="shared_views"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="saved_view_once_a_name")
        ]

    def __str__(self) -> str:
        return self.name
