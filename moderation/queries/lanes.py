"""Which lanes rest, who is at work in each, and for how long the oldest due row has waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Min, Q
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.coordination.own_process import own_name
from moderation.coordination.short_memory import ShortMemory
from moderation.models import Heartbeat, LanePause, Submission
from moderation.queries.clock import database_now
from moderation.vocabulary import Lane, ProcessRole, SubmissionState

# A page and a scrape stay small whatever crashes in a circle.
MOST_PROCESSES: Final = 200
_MOST_DUE: Final = 5_000

_stops: ShortMemory[frozenset[str]] = ShortMemory()
_pauses: ShortMemory[frozenset[str]] = ShortMemory()
_late: ShortMemory[float] = ShortMemory(seconds=5.0)


@dataclass(frozen=True, slots=True)
class Process:
    """One process as its last heartbeat told; times in seconds on the database's clock."""

    row: Heartbeat
    silent_seconds: float
    is_alive: bool

    @property
    def is_draining(self) -> bool:
        return self.row.drain_asked_at is not None

    @property
    def is_drained(self) -> bool:
        """Whether it holds nothing more, as far as it counts what it holds."""
        return self.is_draining and self.row.at_work == 0


def paused_lanes() -> frozenset[str]:
    """Return the lanes that a person paused; a second old at most."""
    return _pauses.get(
        "paused", lambda: frozenset(LanePause.objects.values_list("lane", flat=True))
    )


def is_stopped(lane: Lane) -> bool:
    """Whether this process may claim nothing from a lane now: it is paused, or we are drained."""
    return lane in paused_lanes() or bool(_drained())


def _drained() -> frozenset[str]:
    name = own_name()
    return _stops.get(name, lambda: _read_drained(name)) if name else frozenset()


def _read_drained(name: str) -> frozenset[str]:
    asked = Heartbeat.objects.filter(name=name, drain_asked_at__isnull=False)
    return frozenset(asked.values_list("name", flat=True))


def pauses() -> list[LanePause]:
    """Return the pauses with who made them, in the order of the lanes."""
    found = {pause.lane: pause for pause in LanePause.objects.select_related("paused_by")}
    return [found[lane] for lane in Lane if lane in found]


def processes() -> list[Process]:
    """Return who told of themselves lately, by role; those that fell silent at the end."""
    now, late = database_now(), get_conf().silent_after_seconds
    rows = Heartbeat.objects.order_by("-seen_at")[:MOST_PROCESSES]
    found = []
    for row in rows:
        silent = max((now - row.seen_at).total_seconds(), 0.0)
        found.append(Process(row, silent, is_alive=silent < late))
    order = list(ProcessRole)
    return sorted(
        found,
        key=lambda one: (not one.is_alive, order.index(ProcessRole(one.row.role)), one.row.name),
    )


def workers_by_lane(found: Sequence[Process]) -> Mapping[Lane, int]:
    """Return how many live workers claim from each lane."""
    at_work = [one for one in found if one.is_alive and not one.is_draining]
    return {lane: sum(lane in one.row.lanes for one in at_work) for lane in Lane}


def is_late() -> bool:
    """Whether posts stay undecided because nobody, or too few, are at work.

    The oldest row that anyone may claim tells, not whether processes live: one that lives may do
    nothing. What a person paused is not late.
    """
    return overdue_seconds() > get_conf().late_after_seconds


def overdue_seconds() -> float:
    """Return for how long the oldest due row has been due and free, 0.0 when none is."""
    return _late.get("overdue", _overdue)


def _overdue() -> float:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    due = Submission.objects.filter(free, state=SubmissionState.DUE, due_at__lte=Now())
    due = due.exclude(lane__in=[*paused_lanes(), Lane.RESCAN]).order_by("created_at")
    oldest = due.values("due_at")[:_MOST_DUE].aggregate(at=Min("due_at"))["at"]
    return max((database_now() - oldest) / timedelta(seconds=1), 0.0) if oldest else 0.0


def forget_lanes() -> None:
    """Read anew next time; whoever changes a pause or a drain calls it, and tests."""
    for memory in (_stops, _pauses, _late):
        memory.clear()
