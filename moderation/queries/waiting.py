"""What waits, how much of it and since when: by indexes of what is open, never by whole tables.

A number is counted up to `MOST_COUNTED`: beyond it, how long the oldest one waits says more. May
be a few seconds old.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Min, Q, QuerySet, Sum

from moderation.coordination.short_memory import ShortMemory
from moderation.models import (
    Appeal,
    AuditEvent,
    AuditSeal,
    Brake,
    Endpoint,
    OutboxMessage,
    RegisterEntry,
    Review,
    Submission,
)
from moderation.models.screening import PARKED
from moderation.queries.clock import database_now
from moderation.vocabulary import (
    AppealState,
    BrakeKind,
    DeliveryState,
    DisabledBecause,
    EndpointKind,
    Lane,
    RegisterState,
    ReviewLane,
    ReviewState,
    SubmissionState,
)

MOST_COUNTED: Final = 5_000
# Prometheus asks every 15 s, an operator's page more often.
_KEPT_SECONDS: Final = 5.0
_seen: ShortMemory[Standstill] = ShortMemory(seconds=_KEPT_SECONDS)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and for how long the oldest does; 0.0 when none does."""

    number: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Standstill:
    """All that waits. `parked` are posts that wait for a slow service, by lane; every other
    post that is due is in `lanes`.
    """

    lanes: Mapping[Lane, Waiting]
    parked: Mapping[Lane, int]
    deliveries: Mapping[EndpointKind, Waiting]
    failing_endpoints: Mapping[EndpointKind, int]
    disabled_endpoints: Mapping[DisabledBecause, int]
    reviews: Mapping[ReviewLane, Waiting]
    reviews_overdue: int
    appeals: Waiting
    appeals_overdue: int
    reports: int
    register: Waiting
    unsealed: Waiting
    brakes: Mapping[BrakeKind, int]


def what_waits() -> Standstill:
    return _seen.get("all", _read)


def forget_what_waits() -> None:
    """Read anew next time; for tests and for commands that change rows wholesale."""
    _seen.clear()


def _read() -> Standstill:
    now = database_now()
    lanes = {lane: _lane(lane, now) for lane in Lane if lane is not Lane.DELIVER}
    reviews = {lane: _reviews(lane, now) for lane in ReviewLane}
    appeals = Appeal.objects.filter(state=AppealState.OPEN)
    unfiled = RegisterEntry.objects.filter(state=RegisterState.DUE).order_by("due_at")
    return Standstill(
        lanes={lane: waiting for lane, (waiting, _) in lanes.items()},
        parked={lane: parked for lane, (_, parked) in lanes.items()},
        deliveries={kind: _waiting(_undelivered(kind), now) for kind in EndpointKind},
        failing_endpoints=_by(
            EndpointKind, Endpoint.objects.filter(active=True, failing_since__isnull=False), "kind"
        ),
        disabled_endpoints=_by(
            DisabledBecause, Endpoint.objects.filter(active=False), "disabled_because"
        ),
        reviews={lane: waiting for lane, (waiting, _) in reviews.items()},
        reviews_overdue=_number(Review.objects.filter(state=ReviewState.OPEN, due_at__lt=now)),
        appeals=_waiting(appeals, now),
        appeals_overdue=_number(appeals.filter(due_at__lt=now)),
        reports=sum(reports for _, reports in reviews.values()),
        register=_waiting(unfiled, now),
        unsealed=_unsealed(now),
        brakes=_by(BrakeKind, _pulled(now), "kind"),
    )


def _waiting(rows: QuerySet[Any], now: datetime, *, since: str = "created_at") -> Waiting:
    some = rows.values(since)[:MOST_COUNTED].aggregate(number=Count(since), oldest=Min(since))
    return _as_waiting(some, now)


def _as_waiting(some: Mapping[str, Any], now: datetime) -> Waiting:
    if some["oldest"] is None:
        return Waiting()
    return Waiting(some["number"], max((now - some["oldest"]).total_seconds(), 0.0))


def _lane(lane: Lane, now: datetime) -> tuple[Waiting, int]:
    """Return what waits in a lane, and how many are parked there."""
    due = Submission.objects.filter(state=SubmissionState.DUE, lane=lane).order_by("rank_at")
    is_parked = Q(last_error=PARKED)
    some = due.values("created_at", "last_error")[:MOST_COUNTED].aggregate(
        number=Count("created_at", filter=~is_parked),
        oldest=Min("created_at", filter=~is_parked),
        parked=Count("created_at", filter=is_parked),
    )
    if some["parked"] and some["parked"] + some["number"] == MOST_COUNTED:
        # Those that are parked may stand before all others.
        return _waiting(due.exclude(is_parked), now), some["parked"]
    return _as_waiting(some, now), some["parked"]


def _number(rows: QuerySet[Any]) -> int:
    return rows.values("pk")[:MOST_COUNTED].count()


def _undelivered(kind: EndpointKind) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(state=DeliveryState.DUE, endpoint__kind=kind)


def _reviews(lane: ReviewLane, now: datetime) -> tuple[Waiting, int]:
    """Return what waits in a lane, and how many open reports these items have.

    Every open report waits in an open item, which knows how many it has.
    """
    rows = Review.objects.filter(state=ReviewState.OPEN, lane=lane).order_by("rank_at")
    some = rows.values("created_at", "report_count")[:MOST_COUNTED].aggregate(
        number=Count("created_at"), oldest=Min("created_at"), reports=Sum("report_count")
    )
    return _as_waiting(some, now), some["reports"] or 0


def _unsealed(now: datetime) -> Waiting:
    last = AuditSeal.objects.order_by("-position").values_list("last_id", flat=True).first()
    fresh = AuditEvent.objects.filter(pk__gt=last or 0).order_by("pk")
    return _waiting(fresh, now, since="happened_at")


def _pulled(now: datetime) -> QuerySet[Brake]:
    pulled = Brake.objects.filter(released_at__isnull=True)
    return pulled.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


def _by(kinds: Any, rows: QuerySet[Any], field: str) -> dict[Any, int]:
    """Count few rows by kind; a kind without any is 0."""
    counted = rows.order_by().values(field).annotate(number=Count("pk"))
    found = dict(counted.values_list(field, "number"))
    return {kind: found.get(kind.value, 0) for kind in kinds}
