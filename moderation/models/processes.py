"""Who is at work, and which lanes rest."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.vocabulary import Lane, ProcessRole


class Heartbeat(models.Model):
    """A process' sign of life, written by itself every few seconds on the database's clock.

    `about` says what a reader reads. `at_work` is how many tasks it holds, None where it has none
    to count. Once `drain_asked_at` is set, it claims nothing more.
    """

    name = models.CharField(max_length=160, primary_key=True)
    role = models.CharField(max_length=10, choices=ProcessRole)
    lanes = models.JSONField(default=list)
    about = models.CharField(max_length=160, blank=True, default="")
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=40, blank=True, default="")
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    at_work = models.PositiveIntegerField(null=True, blank=True)
    drain_asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [one_of("role", ProcessRole, "heartbeat")]

    def __str__(self) -> str:
        return self.name


class LanePause(models.Model):
    """A lane that nobody claims from until a person lets it go on: the row is the pause."""

    lane = models.CharField(max_length=20, choices=Lane, primary_key=True)
    paused_at = models.DateTimeField(db_default=Now(), editable=False)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    note = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [one_of("lane", Lane, "lane_pause")]

    def __str__(self) -> str:
        return self.lane


class AdminInvitation(models.Model):
    """A link by which the first administrator makes their account: once, until it expires.

    Only the SHA-256 of the link's secret part is kept.
    """

    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation {self.pk}"
