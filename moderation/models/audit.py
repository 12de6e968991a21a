"""The record: append-only events, each linked to its subject's previous one, sealed into one chain.

Two chains hold it together. Along a subject (a post, an author, a policy), every event carries
the digest of the one before: the subject's row lock orders them, nothing is shared between
subjects. Across all subjects, seals link whole batches of committed events, in `AuditSeal`.
Triggers on both databases refuse UPDATE, DELETE and TRUNCATE (`moderation.models.triggers`).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.vocabulary import ActorKind


class AuditEvent(models.Model):
    """One step: who or what, when, on what, from which facts.

    `facts` holds ids, numbers and words of the vocabulary. What a person wrote or is goes only
    into `sealed`, encrypted under the author's personal key; `digest` covers that ciphertext.
    """

    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    community_id = models.PositiveBigIntegerField(null=True)
    revision = models.PositiveIntegerField(null=True)
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor_id = models.CharField(max_length=60, blank=True, default="")
    facts = models.JSONField(default=dict)
    # Base64: text columns go into PostgreSQL in one array a column, binary ones do not.
    sealed = models.TextField(blank=True, default="")
    # Set by the application so that the digest can cover it; a display time, never a deadline.
    happened_at = models.DateTimeField()
    previous_digest = models.CharField(max_length=64, blank=True, default="")
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            one_of("actor_kind", ActorKind, "audit_event"),
            models.UniqueConstraint(
                fields=["subject_id", "subject_kind", "sequence"], name="audit_sequence_is_dense"
            ),
            models.CheckConstraint(
                name="audit_sequence_starts_at_one", condition=Q(sequence__gte=1)
            ),
        ]
        indexes = [
            models.Index(
                fields=["community_id", "-id"],
                condition=Q(kind="operation.started"),
                name="audit_operations_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.subject_kind} {self.subject_id} #{self.sequence}"


class AuditSeal(models.Model):
    """A link of the global chain: covers a batch of committed events and the link before."""

    position = models.PositiveBigIntegerField(unique=True)
    event_ids = models.JSONField()
    event_count = models.PositiveIntegerField()
    first_id = models.PositiveBigIntegerField()
    last_id = models.PositiveBigIntegerField(db_index=True)
    previous_digest = models.CharField(max_length=64, blank=True, default="")
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"seal {self.position}"


class AuditCheckpoint(models.Model):
    """A signed word on where the chain of seals stood: whoever rewrites the chain cannot sign it.

    The signature (Ed25519) covers all but `public_key`, which says under which key it verifies.
    `events` counts those that the chain had sealed by then.
    """

    position = models.PositiveBigIntegerField(unique=True)
    seal_digest = models.CharField(max_length=64)
    events = models.PositiveBigIntegerField()
    signed_at = models.DateTimeField()
    public_key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    def __str__(self) -> str:
        return f"checkpoint at seal {self.position}"
