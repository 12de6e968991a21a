"""The record as others follow it: in the order of its ids, and nothing left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from moderation.coordination.short_memory import ShortMemory
from moderation.models import AuditEvent
from moderation.queries.clock import database_now

ROWS_A_LOOK = 1000
# An id that is missing may be a transaction that has not committed. The database ends those that
# idle for longer than this; until then what comes after is held back.
_SETTLES_AFTER = timedelta(seconds=10)

# All who follow in one process ask once whether there is anything new.
_newest: ShortMemory[int] = ShortMemory(seconds=0.5)


@dataclass(frozen=True, slots=True)
class Look:
    """Events with ids up to `upto`, where the next look begins; `more` may wait there already."""

    events: Sequence[AuditEvent]
    upto: int
    more: bool


def newest_event_id() -> int:
    """Return the newest id, 0 without any. May be half a second old."""
    return _newest.get("id", lambda: AuditEvent.objects.aggregate(id=Max("id"))["id"] or 0)


def settled_event_id() -> int:
    """Return the id after which somebody begins who wants what happens from now on."""
    rows = list(AuditEvent.objects.order_by("-pk").values_list("pk", "happened_at")[:ROWS_A_LOOK])
    return _settled(rows[-1][0] - 1, rows[::-1]) if rows else 0


def events_after(event_id: int, *, community_ids: Collection[int], kinds: Collection[str]) -> Look:
    """Return what happened to posts of some communities after an event."""
    rows = list(
        AuditEvent.objects.filter(pk__gt=event_id)
        .order_by("pk")
        .values_list("pk", "happened_at")[:ROWS_A_LOOK]
    )
    upto = _settled(event_id, rows)
    found = AuditEvent.objects.filter(
        pk__gt=event_id,
        pk__lte=upto,
        subject_kind="post",
        kind__in=kinds,
        community_id__in=community_ids,
    )
    events = list(found.defer("sealed").order_by("pk")) if upto > event_id else []
    return Look(events, upto, more=len(rows) == ROWS_A_LOOK and upto == rows[-1][0])


def _settled(event_id: int, rows: Sequence[tuple[int, datetime]]) -> int:
    """Return the last id before which none can still appear."""
    long_ago = database_now() - _SETTLES_AFTER
    upto = event_id
    for pk, happened_at in rows:
        if pk != upto + 1 and happened_at > long_ago:
            break
        upto = pk
    return upto
