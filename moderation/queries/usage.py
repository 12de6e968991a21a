"""How much a community's programs and people sent, from the record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Count, F, Max, QuerySet
from django.db.models.functions import TruncDate

from moderation.models import AuditEvent
from moderation.vocabulary import ActorKind

_POSTS, _CHECKS = "post.submitted", "check.kept"
# Events that happen together get their ids in any order, within this.
_DISORDER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DayOfUsage:
    """Of checks only those that were kept are on record."""

    day: date
    posts: int
    kept_checks: int


def usage_of(
    community_ids: Collection[int], *, first: date, last: date, key_id: str = ""
) -> list[DayOfUsage]:
    """Return every day (UTC) from the first to the last; with `key_id` what that key sent."""
    counts: dict[tuple[str, date], int] = {}
    rows = (
        _between(first, last)
        .filter(kind__in=(_POSTS, _CHECKS), community_id__in=community_ids)
        .order_by()
    )
    if key_id:
        rows = rows.filter(actor_kind=ActorKind.API_KEY, actor_id=key_id)
    by_day = rows.annotate(day=TruncDate("happened_at", tzinfo=UTC))
    for row in by_day.values("day").annotate(name=F("kind"), count=Count("pk")):
        counts[row["name"], row["day"]] = row["count"]
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        DayOfUsage(day, counts.get((_POSTS, day), 0), counts.get((_CHECKS, day), 0)) for day in days
    ]


def _between(first: date, last: date) -> QuerySet[AuditEvent]:
    """Return events by their ids, which are in an index and grow with time."""
    begins = datetime.combine(first, time(), UTC)
    ends = datetime.combine(last, time(), UTC) + timedelta(days=1)
    return AuditEvent.objects.filter(
        pk__gte=_first_id_at(begins - _DISORDER),
        pk__lt=_first_id_at(ends + _DISORDER),
        happened_at__gte=begins,
        happened_at__lt=ends,
    )


def _first_id_at(moment: datetime) -> int:
    """Return the id from which on events are of this moment or later, by halving."""
    low, high = 0, (AuditEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        events = AuditEvent.objects.filter(pk__gte=middle).order_by("pk")
        found = events.values_list("pk", "happened_at").first()
        if found is None or found[1] >= moment:
            high = middle
        else:
            low = found[0] + 1
    return low
