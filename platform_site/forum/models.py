"""The forum's own: boards. Everything that people write is moderation's."""

from __future__ import annotations

from django.db import models

from moderation.models import Community


class Board(models.Model):
    """A place to talk in. Its slug is the channel of the posts made there."""

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="boards")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True, default="")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name
