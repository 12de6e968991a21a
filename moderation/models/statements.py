"""What an author was told of a restriction, as it was told: the statement of reasons."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from moderation.models.communities import Community
from moderation.models.enforcement import Enforcement
from moderation.models.posts import Author


class Statement(models.Model):
    """The statement of reasons for one enforcement. Never changed once issued.

    `number` is its name outside, in addresses and in public registers; it says nothing of the
    author. `document` is what was said, as plain data: see `moderation.policy.reasons`.
    """

    number = models.CharField(max_length=32, unique=True, editable=False)
    enforcement = models.OneToOneField(
        Enforcement, on_delete=models.CASCADE, related_name="statement"
    )
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="statements")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="statements")
    document = models.JSONField()
    issued_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["community", "-id"], name="statement_newest"),
            models.Index(fields=["author", "-id"], name="statement_by_author"),
        ]

    def __str__(self) -> str:
        return f"statement {self.number}"
