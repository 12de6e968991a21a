"""What asking services came to: totals by day, the last day's calls, what still waits, who asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum

from moderation.models import (
    Community,
    Experiment,
    ProviderCall,
    ProviderDay,
    ProviderJob,
    Reevaluation,
)
from moderation.queries.clock import database_now
from moderation.queries.communities import policy_of
from moderation.vocabulary import JobState, Outcome

# Enough for a percentile that means something, few enough to read while somebody waits.
MOST_CALLS = 5_000
RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class DayTotals:
    """One day of one service, in UTC. `mean_ms` is None without a call."""

    day: date
    calls: int = 0
    failures: int = 0
    parts: int = 0
    cached: int = 0
    cost_micros: int = 0
    mean_ms: float | None = None
    budget_spent_at: datetime | None = None

    @property
    def cached_share(self) -> float | None:
        """Return the share (0.0-1.0) of parts that needed no call, None when there were none."""
        asked = self.parts + self.cached
        return self.cached / asked if asked else None


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """The calls of the last 24 hours, the newest `MOST_CALLS` at most.

    Latencies are of calls that succeeded, None without one. `errors` names what went wrong and
    how often, the most frequent first.
    """

    calls: int
    is_cut: bool
    p50_ms: float | None
    p95_ms: float | None
    errors: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a service: jobs for its answer, posts for it to recover."""

    jobs: int = 0
    reevaluations: int = 0


def provider_days(names: Collection[str], *, days: int = 14) -> dict[str, list[DayTotals]]:
    """Return the totals of each service's last days, today first; a day without a row is zero."""
    today = database_now().date()
    wanted = [today - timedelta(days=back) for back in range(days)]
    rows = {
        (row.provider, row.day): _totals(row)
        for row in ProviderDay.objects.filter(provider__in=names, day__gte=wanted[-1])
    }
    return {name: [rows.get((name, day), DayTotals(day)) for day in wanted] for name in names}


def _totals(row: ProviderDay) -> DayTotals:
    return DayTotals(
        day=row.day,
        calls=row.calls,
        failures=row.failures,
        parts=row.parts,
        cached=row.cached,
        cost_micros=row.cost_micros,
        mean_ms=row.latency_ms / row.calls if row.calls else None,
        budget_spent_at=row.budget_spent_at,
    )


@dataclass(frozen=True, slots=True)
class AllTime:
    """What asking one service has come to since it was set up."""

    calls: int
    failures: int
    parts: int
    cached: int
    cost_micros: int
    latency_ms: float


def provider_totals() -> dict[str, AllTime]:
    """Return the totals of every service that was ever asked, by name."""
    names = ("calls", "failures", "parts", "cached", "cost_micros", "latency_ms")
    summed = (
        ProviderDay.objects.order_by("provider")
        .values("provider")
        .annotate(**{f"all_{name}": Sum(name) for name in names})
    )
    rows = summed.values_list("provider", *(f"all_{name}" for name in names))
    return {provider: AllTime(*figures) for provider, *figures in rows}


def recent_calls(name: str) -> RecentCalls:
    rows = list(
        ProviderCall.objects.filter(provider=name, started_at__gte=database_now() - RECENT)
        .order_by("-started_at")
        .values_list("outcome", "error", "latency_ms")[: MOST_CALLS + 1]
    )
    is_cut, rows = len(rows) > MOST_CALLS, rows[:MOST_CALLS]
    took = sorted(latency for outcome, _, latency in rows if outcome != Outcome.FAILED)
    errors = Counter(error for outcome, error, _ in rows if outcome == Outcome.FAILED)
    return RecentCalls(
        calls=len(rows),
        is_cut=is_cut,
        p50_ms=_percentile(took, 50),
        p95_ms=_percentile(took, 95),
        errors=errors.most_common(),
    )


def _percentile(ascending: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that so many percent do not exceed."""
    if not ascending:
        return None
    return ascending[(len(ascending) * percent + 99) // 100 - 1]


def backlogs() -> dict[str, Backlog]:
    """Return what waits for each service; one that nothing waits for is absent."""
    jobs = _by_provider(ProviderJob.objects.filter(state=JobState.WAITING))
    posts = _by_provider(Reevaluation.objects.all())
    return {name: Backlog(jobs.get(name, 0), posts.get(name, 0)) for name in {*jobs, *posts}}


def _by_provider(rows: QuerySet[Any]) -> dict[str, int]:
    counted = rows.order_by().values("provider").annotate(number=Count("pk"))
    return dict(counted.values_list("provider", "number"))


def communities_by_provider() -> Mapping[str, list[Community]]:
    """Return which communities ask whom: by the policy in force, or by one on trial there."""
    found: dict[str, list[Community]] = defaultdict(list)
    trials: dict[int, set[int]] = defaultdict(set)
    running = Experiment.objects.filter(ended_at__isnull=True)
    for community_id, candidate_id in running.values_list("community_id", "candidate_id"):
        trials[community_id].add(candidate_id)
    for community in Community.objects.order_by("name"):
        policies = {community.policy_id, *trials[community.pk]}
        for name in sorted({name for pk in policies for name in policy_of(pk).providers()}):
            found[name].append(community)
    return found
