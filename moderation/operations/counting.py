"""Keeps the figures that only grow: what was accepted, concluded and decided, and how soon.

Beside a post's way, never on it: a sweeper reads each table's new rows by key, adds them to the
totals and moves the table's mark, in one transaction. So nothing is counted twice, whichever
sweeper comes first, and nobody ever counts a large table.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, Model, QuerySet
from django.db.models.functions import Now

from moderation import queries
from moderation.models import (
    AuditEvent,
    CountingMark,
    Decision,
    RunningTotal,
    Submission,
    VerdictRecord,
)
from moderation.queries.totals import (
    ACCEPTED,
    BOUNDS,
    DECIDED,
    HAPPENED,
    JUDGED,
    SUM,
    TIME_TO_VERDICT,
)
from moderation.vocabulary import Reason

# Figures are read every 15 s.
EVERY_SECONDS: Final = 5.0
# Longer than nearly every transaction: keys below a row of that age have been committed.
_SETTLED: Final = timedelta(seconds=5)
# Of one transaction, and of one look: the next look goes on.
MOST_ROWS: Final = 10_000
_MOST_TURNS: Final = 10

_Key = tuple[str, str, str]
_Tallies = Mapping[_Key, float]
_last_look: float | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """A table that only grows, the time by which its rows settle, and what they add up to."""

    model: type[Model]
    at: str
    tally: Callable[[QuerySet[Any]], _Tallies]

    @property
    def table(self) -> str:
        return self.model._meta.db_table  # Django's documented interface


def keep_counting() -> None:
    """Count what is new, now and then; a sweeper calls each round."""
    global _last_look  # noqa: PLW0603  # a process's own rhythm
    if _last_look is not None and time.monotonic() - _last_look < EVERY_SECONDS:
        return
    _last_look = time.monotonic()
    count_new()


def count_new() -> None:
    """Add what has settled since the last look to the totals."""
    settled_before = queries.database_now() - _SETTLED
    for source in _SOURCES:
        for _ in range(_MOST_TURNS):
            if not _count_some(source, settled_before):
                break


def _count_some(source: _Source, settled_before: datetime) -> bool:
    """Count up to `MOST_ROWS` rows of a table; return whether more may be ready."""
    with transaction.atomic():
        mark = _hold_mark(source)
        if mark is None:
            return False
        settled = _settled(source, mark.last_row, settled_before)
        # From the next row there is: keys that were never used may lie in between.
        rows = source.model._default_manager.filter(pk__gt=mark.last_row).order_by("pk")
        begin: int = rows.values_list("pk", flat=True).first() or settled
        end = min(settled, begin - 1 + MOST_ROWS)
        if end > mark.last_row:
            fresh = source.model._default_manager.filter(pk__gt=mark.last_row, pk__lte=end)
            _add(source.tally(fresh))
        CountingMark.objects.filter(pk=mark.pk).update(last_row=end, looked_at=Now())
    return end < settled


def _hold_mark(source: _Source) -> CountingMark | None:
    """Return the table's mark, held; None when another sweeper has it."""
    marks = CountingMark.objects.filter(pk=source.table)
    mark = marks.select_for_update(skip_locked=True).first()
    if mark is None and not marks.exists():
        # What happened before anybody counted is not counted later: it may be millions of rows.
        try:
            with transaction.atomic():
                marks.create(table=source.table, last_row=_newest(source))
        except IntegrityError:
            return None
        mark = marks.select_for_update(skip_locked=True).first()
    return mark


def _newest(source: _Source) -> int:
    return source.model._default_manager.aggregate(last=Max("pk"))["last"] or 0


def _settled(source: _Source, after: int, before: datetime) -> int:
    """Return the last key below which every row is older than `before`: no later one joins them."""
    newest = max(_newest(source), after)
    rows = source.model._default_manager.filter(pk__gt=after, pk__lte=newest)
    young = rows.filter(**{f"{source.at}__gte": before}).order_by("pk")
    first: int | None = young.values_list("pk", flat=True).first()
    return newest if first is None else first - 1


def _add(tallies: _Tallies) -> None:
    for (name, label, bucket), value in sorted(tallies.items()):
        where = {"name": name, "label": label, "bucket": bucket}
        if not RunningTotal.objects.filter(**where).update(value=F("value") + value):
            RunningTotal.objects.create(**where, value=value)


# --- what each table adds up to ------------------------------------------------------------------


def _by(name: str, field: str) -> Callable[[QuerySet[Any]], _Tallies]:
    def tally(rows: QuerySet[Any]) -> _Tallies:
        counted = rows.order_by().values(field).annotate(rows=Count("pk"))
        return {(name, label, ""): number for label, number in counted.values_list(field, "rows")}

    return tally


def _of_verdicts(rows: QuerySet[Any]) -> _Tallies:
    """Count verdicts by action; of what people wrote, also how long they took, by lane.

    A second opinion decides nothing: it is none of these.
    """
    told = rows.exclude(submission__reason=Reason.APPEAL).values_list(
        "action", "judged_at", "submission__created_at", "submission__lane", "submission__reason"
    )
    found: Counter[_Key] = Counter()
    sums: dict[_Key, float] = {}
    for action, judged_at, created_at, lane, reason in told:
        found[JUDGED, action, ""] += 1
        if reason not in (Reason.NEW, Reason.EDIT):
            continue
        # Two clocks that differ a little make no time negative.
        seconds = max((judged_at - created_at).total_seconds(), 0.0)
        found[TIME_TO_VERDICT, lane, _bucket(seconds)] += 1
        key = (TIME_TO_VERDICT, lane, SUM)
        sums[key] = sums.get(key, 0.0) + seconds
    return {**found, **sums}


def _bucket(seconds: float) -> str:
    place = bisect_left(BOUNDS, seconds)
    return str(BOUNDS[place]) if place < len(BOUNDS) else "+Inf"


_SOURCES: Final = (
    _Source(Submission, "created_at", _by(ACCEPTED, "reason")),
    _Source(VerdictRecord, "judged_at", _of_verdicts),
    _Source(Decision, "decided_at", _by(DECIDED, "action")),
    _Source(AuditEvent, "happened_at", _by(HAPPENED, "kind")),
)
