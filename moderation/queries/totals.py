"""What has happened so far: figures that only grow, kept by whoever counts new rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.models import Max

from moderation.models import CountingMark, RetentionMark, RunningTotal
from moderation.queries.clock import database_now

ACCEPTED: Final = "accepted"
JUDGED: Final = "judged"
DECIDED: Final = "decided"
HAPPENED: Final = "happened"
TIME_TO_VERDICT: Final = "time_to_verdict"
SUM: Final = "sum"

# Upper bounds in seconds: texts take tenths, attachments seconds, slow services minutes. What
# still waits after 15 minutes goes on without them.
BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


@dataclass(slots=True)
class Spread:
    """How durations are spread: how many fell into each bucket (not cumulated), and their sum."""

    buckets: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers by kind of thing and label; how long verdicts took, by lane."""

    numbers: Mapping[str, Mapping[str, int]]
    time_to_verdict: Mapping[str, Spread]


def running_totals() -> Totals:
    numbers: dict[str, dict[str, int]] = defaultdict(dict)
    spreads: dict[str, Spread] = defaultdict(Spread)
    rows = RunningTotal.objects.order_by("name", "label", "bucket")
    for name, label, bucket, value in rows.values_list("name", "label", "bucket", "value"):
        if name != TIME_TO_VERDICT:
            numbers[name][label] = int(value)
        elif bucket == SUM:
            spreads[label].seconds = value
        else:
            spreads[label].buckets[bucket] = int(value)
    return Totals(numbers, spreads)


def sweeper_silent_seconds() -> float | None:
    """Return for how long no sweeper has counted anything, None when none ever did."""
    last: datetime | None = CountingMark.objects.aggregate(at=Max("looked_at"))["at"]
    return (database_now() - last).total_seconds() if last is not None else None


def removed_by_retention() -> dict[str, int]:
    """Return how many rows each rule has taken away because they had been kept for their time."""
    return dict(RetentionMark.objects.order_by("rule").values_list("rule", "removed"))
