"""Statements of reasons on their way to the public register."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.statements import Statement
from moderation.vocabulary import RegisterState


class RegisterEntry(models.Model):
    """One statement and the register. Its row is the queue, as a submission's is.

    `uuid` is what the register calls it; `wrong` holds (field, what is wrong) of one that it would
    refuse, or did.
    """

    statement = models.OneToOneField(
        Statement, on_delete=models.CASCADE, primary_key=True, related_name="register_entry"
    )
    state = models.CharField(max_length=10, choices=RegisterState, default=RegisterState.DUE)
    due_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=100, blank=True, default="")
    wrong = models.JSONField(default=list, blank=True)
    uuid = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "register entries"
        constraints = [one_of("state", RegisterState, "register_entry")]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(state=RegisterState.DUE), name="register_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state}: statement {self.statement_id}"
