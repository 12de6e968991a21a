"""Link committed audit events into one global chain, and verify the whole record.

Writers share no lock: an event is linked after its commit, by whichever sweeper comes first.
The seal's position is unique, so two sealers collide and one of them simply tries again later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models import Max

from moderation.models import AuditEvent, AuditSeal
from moderation.pipeline.audit.record import digest_of

# One seal covers at most this many events; a backlog is worked off seal by seal.
SEAL_EVENTS = 2_000
# Ids are given before commit: a transaction that ends late leaves its event behind the last seal.
# The database ends our transactions after 30 s; at the highest measured rate that is this many ids.
STRAGGLER_IDS = 50_000


def seal_events() -> int:
    """Link what was committed since the last seal; return how many events were linked.

    Returns 0 when another sealer was faster.
    """
    last = AuditSeal.objects.order_by("-position").first()
    events = list(_unsealed(last))
    if not events:
        return 0
    ids = [pk for pk, _ in events]
    previous = last.digest if last else ""
    seal = AuditSeal(
        position=(last.position + 1) if last else 1,
        event_ids=ids,
        event_count=len(ids),
        first_id=min(ids),
        last_id=max(*ids, last.last_id if last else 0),
        previous_digest=previous,
    )
    seal.digest = _link(seal, [digest for _, digest in events])
    try:
        with transaction.atomic():
            seal.save(force_insert=True)
    except IntegrityError:
        return 0
    return len(ids)


def _unsealed(last: AuditSeal | None) -> list[tuple[int, str]]:
    fresh = AuditEvent.objects.filter(pk__gt=last.last_id if last else 0)
    rows = list(fresh.order_by("pk").values_list("pk", "digest")[:SEAL_EVENTS])
    if last is not None and len(rows) < SEAL_EVENTS:
        rows = _stragglers(last)[: SEAL_EVENTS - len(rows)] + rows
    return rows


def _stragglers(last: AuditSeal) -> list[tuple[int, str]]:
    """Return committed events behind the last seal that no seal covers.

    Counting is cheap; only when the counts differ are the ids read.
    """
    window = AuditSeal.objects.filter(last_id__gt=last.last_id - STRAGGLER_IDS)
    before = AuditSeal.objects.filter(last_id__lte=last.last_id - STRAGGLER_IDS)
    floor = before.aggregate(last=Max("last_id"))["last"] or 0
    sealed = {pk for ids in window.values_list("event_ids", flat=True) for pk in ids if pk > floor}
    present = AuditEvent.objects.filter(pk__gt=floor, pk__lte=last.last_id)
    if present.count() == len(sealed):
        return []
    return [
        (pk, digest)
        for pk, digest in present.order_by("pk").values_list("pk", "digest")
        if pk not in sealed
    ]


def _link(seal: AuditSeal, digests: Sequence[str]) -> str:
    said = [seal.position, seal.previous_digest, seal.event_ids, list(digests)]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


# Verifying


@dataclass(slots=True)
class Verification:
    """What a walk over the whole record found. `fault` names the first broken row, "" for none.

    `unsealed` counts the events after the last seal, which only their subject's chain protects.
    """

    events: int = 0
    seals: int = 0
    unsealed: int = 0
    fault: str = ""
    _seen: set[int] = field(default_factory=set, repr=False)


def verify_record() -> Verification:
    """Check every event's digest, every subject's chain and the chain of seals."""
    found = Verification()
    for check in (_verify_subjects, _verify_seals, _verify_coverage):
        check(found)
        if found.fault:
            break
    return found


def _verify_subjects(found: Verification) -> None:
    subject: tuple[str, str] | None = None
    sequence, digest = 0, ""
    for event in AuditEvent.objects.order_by("subject_id", "subject_kind", "sequence").iterator(
        chunk_size=5_000
    ):
        found.events += 1
        if (event.subject_kind, event.subject_id) != subject:
            subject = (event.subject_kind, event.subject_id)
            sequence, digest = 0, ""
        if event.sequence != sequence + 1:
            found.fault = (
                f"event {event.pk}: {event.subject_kind} {event.subject_id} goes from "
                f"#{sequence} to #{event.sequence}; an event is missing"
            )
        elif event.previous_digest != digest:
            found.fault = f"event {event.pk}: does not follow its subject's event #{sequence}"
        elif digest_of(event) != event.digest:
            found.fault = f"event {event.pk}: was changed after it was recorded"
        if found.fault:
            return
        sequence, digest = event.sequence, event.digest


def _verify_seals(found: Verification) -> None:
    position, previous = 0, ""
    for seal in AuditSeal.objects.order_by("position").iterator(chunk_size=100):
        digests = dict(AuditEvent.objects.filter(pk__in=seal.event_ids).values_list("pk", "digest"))
        missing = [pk for pk in seal.event_ids if pk not in digests]
        if seal.position != position + 1:
            found.fault = f"seal {seal.position}: follows seal {position}; a seal is missing"
        elif seal.previous_digest != previous:
            found.fault = f"seal {seal.position}: does not follow seal {position}"
        elif missing:
            found.fault = f"event {missing[0]}: was sealed in seal {seal.position} and is gone"
        elif _link(seal, [digests[pk] for pk in seal.event_ids]) != seal.digest:
            found.fault = f"seal {seal.position}: its events are not those that were sealed"
        if found.fault:
            return
        found.seals += 1
        found._seen.update(seal.event_ids)
        position, previous = seal.position, seal.digest


def _verify_coverage(found: Verification) -> None:
    """Events that were sealed stood in the seals' walk; what is left is the unsealed tail."""
    found.unsealed = found.events - len(found._seen)
