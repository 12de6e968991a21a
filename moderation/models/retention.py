"""How far whoever takes old rows away has come."""

from __future__ import annotations

from django.db import models


class RetentionMark(models.Model):
    """One rule's round over its table: `place` is the last key that was looked at, "" at the start.

    Whoever looks holds the row's lock. `removed` counts what the rule has ever taken away.
    """

    rule = models.CharField(max_length=20, primary_key=True)
    place = models.CharField(max_length=40, blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)
    removed = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.rule} at {self.place or 'the start'}"
