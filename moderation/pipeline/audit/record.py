"""Every stage: append what happened to the record, in the transaction that made it happen.

What others are told of it is staged there too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.auth.models import User

from moderation import tracing
from moderation.delivery.staging import stage
from moderation.models import AuditEvent, Author
from moderation.vocabulary import ActorKind

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Actor:
    """Who or what takes a step. `id` is our own id of them, never a name."""

    kind: ActorKind
    id: str = ""


MACHINE = Actor(ActorKind.MACHINE)
SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to one subject. `personal` is kept only under the author's key."""

    kind: str
    subject_kind: str
    subject_id: str
    actor: Actor
    community_id: int | None = None
    revision: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] | None = None
    author: Author | None = None
    # The subject was created in this very transaction: nothing can stand before this event.
    is_first: bool = False
    # The trace that it belongs to, "" for none; None: whatever is under way here.
    trace: str | None = None


def record_events(events: Sequence[Event]) -> list[AuditEvent]:
    """Append events in order. The caller holds the row locks of their subjects.

    Each carries the digest of its subject's previous event; two writers that miss the lock
    collide on the dense sequence and one of them rolls back.
    """
    heads = _read_heads([event for event in events if not event.is_first])
    now = datetime.now(UTC)
    rows = []
    for event in events:
        subject = (event.subject_kind, event.subject_id)
        sequence, previous = heads.get(subject, (0, ""))
        row = AuditEvent(
            kind=event.kind,
            subject_kind=event.subject_kind,
            subject_id=event.subject_id,
            sequence=sequence + 1,
            community_id=event.community_id,
            revision=event.revision,
            actor_kind=event.actor.kind,
            actor_id=event.actor.id,
            facts=_facts(event),
            sealed=_seal(event),
            happened_at=now,
            previous_digest=previous,
        )
        row.digest = digest_of(row)
        heads[subject] = (row.sequence, row.digest)
        rows.append(row)
    AuditEvent.objects.bulk_create(rows)
    stage(rows)
    return rows


def _facts(event: Event) -> dict[str, Any]:
    facts = dict(event.facts)
    if tracing.is_on() and event.subject_kind == "post":
        carried = tracing.traceparent(event.subject_id) if event.trace is None else event.trace
        if carried:
            facts[tracing.FACT] = carried
    return facts


def digest_of(event: AuditEvent) -> str:
    """Return the SHA-256 (hex) over everything an event says, ciphertext included."""
    said = [
        event.kind,
        event.subject_kind,
        event.subject_id,
        event.sequence,
        event.community_id,
        event.revision,
        event.actor_kind,
        event.actor_id,
        event.facts,
        event.sealed,
        event.happened_at.astimezone(UTC).isoformat(timespec="microseconds"),
        event.previous_digest,
    ]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_sealed(event: AuditEvent, author: Author) -> dict[str, Any] | None:
    """Return what an event says of its author, or None once the author's key is destroyed."""
    if not event.sealed or author.personal_key is None:
        return None
    sealed = base64.b64decode(event.sealed)
    plain = AESGCM(bytes(author.personal_key)).decrypt(
        sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], event.subject_id.encode()
    )
    opened: dict[str, Any] = json.loads(plain)
    return opened


def _seal(event: Event) -> str:
    if event.personal is None or event.author is None or event.author.personal_key is None:
        return ""
    nonce = os.urandom(_NONCE_BYTES)
    plain = json.dumps(event.personal, separators=(",", ":")).encode()
    key = bytes(event.author.personal_key)
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, event.subject_id.encode())
    return base64.b64encode(sealed).decode()


def record_change(
    kind: str,
    *,
    subject: tuple[str, str],
    community_id: int | None,
    user: User | Actor | None,
    facts: Mapping[str, Any],
) -> None:
    """Append that somebody, or for None Gatehouse itself, changed how things are set up."""
    actor = Actor(ActorKind.MODERATOR, str(user.pk)) if isinstance(user, User) else user or SYSTEM
    record_events(
        [
            Event(
                kind=kind,
                subject_kind=subject[0],
                subject_id=subject[1],
                actor=actor,
                community_id=community_id,
                facts=facts,
            )
        ]
    )


def _read_heads(events: Sequence[Event]) -> dict[tuple[str, str], tuple[int, str]]:
    heads: dict[tuple[str, str], tuple[int, str]] = {}
    if not events:
        return heads
    rows = AuditEvent.objects.filter(
        subject_id__in={event.subject_id for event in events},
        subject_kind__in={event.subject_kind for event in events},
    ).values_list("subject_kind", "subject_id", "sequence", "digest")
    for kind, subject_id, sequence, digest in rows:
        if sequence > heads.get((kind, subject_id), (0, ""))[0]:
            heads[kind, subject_id] = (sequence, digest)
    return heads
