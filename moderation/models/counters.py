"""What has happened so far, as figures that only grow: kept, since nobody counts large tables."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class RunningTotal(models.Model):
    """How often something has happened, or what it comes to, since anybody began to count.

    `label` tells kinds of it apart; `bucket` is a histogram's upper bound in seconds, or "sum".
    """

    name = models.CharField(max_length=40)
    label = models.CharField(max_length=60, blank=True, default="")
    bucket = models.CharField(max_length=10, blank=True, default="")
    value = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "label", "bucket"], name="running_total_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.label} {self.bucket}: {self.value}"


class CountingMark(models.Model):
    """Up to which row a table has been counted; whoever counts holds its lock.

    `looked_at` is when a sweeper last did: also its sign of life.
    """

    table = models.CharField(max_length=40, primary_key=True)
    last_row = models.BigIntegerField(default=0)
    looked_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.table}: {self.last_row}"
