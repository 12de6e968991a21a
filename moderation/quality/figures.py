"""What the answers come to, for one community and a period: for leads to read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, F, Q, QuerySet

from moderation.conf import get_conf
from moderation.errors import InvalidFields
from moderation.models import BlindCheck, Decision, Enforcement
from moderation.policy.agreement import Kappa, Share, cohens_kappa
from moderation.vocabulary import Action

LONGEST: Final = timedelta(days=366)
# The newest of a period: percentiles need each value, and of more they do not change.
MOST_DECISIONS: Final = 50_000
# With fewer, one answer moves a share by more than three points: figures are shown with a warning.
ENOUGH: Final = 30
_RESTRICTS: Final = (Action.WARN, Action.BLOCK)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to, not including, `until`: at most a year. Raises `InvalidFields`."""

    community_id: int
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise InvalidFields.of("until", "The first day must come before the last.")
        if self.until - self.since > LONGEST:
            raise InvalidFields.of("since", "Choose a year at most.")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often the second answer was the first one. `category` "" is an item without any."""

    category: str
    same: Share
    kappa: Kappa


def agreements(period: Period) -> tuple[Agreement, list[Agreement]]:
    """Return the agreement over all, and in each category of the first decision, by its name."""
    rows = (
        _answered(period)
        .filter(decision__isnull=False)
        .values_list("category", "expected", "answer")
        .annotate(count=Count("pk"))
    )
    by_category: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for category, first, second, count in rows:
        by_category[category or ""][str(first), str(second)] += count
    together: Counter[tuple[str, str]] = Counter()
    for pairs in by_category.values():
        together.update(pairs)
    return _agreement("", together), [
        _agreement(category, pairs) for category, pairs in sorted(by_category.items())
    ]


def _agreement(category: str, pairs: Mapping[tuple[str, str], int]) -> Agreement:
    same = sum(count for (first, second), count in pairs.items() if first == second)
    return Agreement(category, Share(same, sum(pairs.values())), cohens_kappa(pairs))


@dataclass(frozen=True, slots=True)
class Named:
    """A share of something by its name: a category, a person, a rule, a provider."""

    name: str
    share: Share


@dataclass(frozen=True, slots=True)
class Golden:
    """How often golden items were answered as the leads had agreed."""

    by_category: list[Named]
    by_moderator: list[Named]


def golden_answers(period: Period) -> Golden:
    rows = list(
        _answered(period)
        .filter(golden__isnull=False)
        .values_list("category", "moderator__username")
        .annotate(right=Count("pk", filter=Q(agrees=True)), count=Count("pk"))
    )
    return Golden(
        by_category=_shares((category or "", right, count) for category, _, right, count in rows),
        by_moderator=_shares((str(name), right, count) for _, name, right, count in rows),
    )


def _shares(rows: Iterable[tuple[str, int, int]]) -> list[Named]:
    """Add up hits and totals by name."""
    hits: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for name, hit, count in rows:
        hits[name] += hit
        totals[name] += count
    return [Named(name, Share(hits[name], total)) for name, total in sorted(totals.items())]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that items lay open before their decision: half and nine of ten took no longer."""

    name: str
    count: int
    median: float
    ninetieth: float


@dataclass(frozen=True, slots=True)
class Times:
    """`is_cut` says that only the newest decisions of the period were read."""

    by_category: list[Spent]
    by_moderator: list[Spent]
    is_cut: bool


def times_spent(period: Period) -> Times:
    """Return the time per decision; those that were never opened one by one took none."""
    rows = list(
        Decision.objects.filter(
            post__community_id=period.community_id,
            decided_at__gte=period.since,
            decided_at__lt=period.until,
            seconds_spent__isnull=False,
        )
        .order_by("-decided_at")
        .values_list("category", "moderator_id", "seconds_spent")[: MOST_DECISIONS + 1]
    )
    is_cut = len(rows) > MOST_DECISIONS
    categories: dict[str, list[float]] = defaultdict(list)
    people: dict[int, list[float]] = defaultdict(list)
    for category, moderator, seconds in rows[:MOST_DECISIONS]:
        categories[category or ""].append(float(seconds or 0))
        people[moderator].append(float(seconds or 0))
    names = dict(User.objects.filter(pk__in=people).values_list("pk", "username"))
    return Times(
        by_category=sorted(_spent(categories.items()), key=lambda row: row.name),
        by_moderator=sorted(
            _spent((names[pk], seconds) for pk, seconds in people.items()),
            key=lambda row: row.name,
        ),
        is_cut=is_cut,
    )


def _spent(grouped: Iterable[tuple[str, list[float]]]) -> Iterator[Spent]:
    for name, seconds in grouped:
        seconds.sort()
        at = ceil(len(seconds) * 0.9) - 1
        yield Spent(name, len(seconds), median(seconds), seconds[at])


@dataclass(frozen=True, slots=True)
class Overturned:
    """Of what warned or blocked in the period, how much was reversed since, on appeal or without.

    What a moderator undid at once is left out: nobody was told of it.
    """

    by_rule: list[Named]
    by_provider: list[Named]
    people: Share
    by_moderator: list[Named]


def overturned(period: Period) -> Overturned:
    gone = Count("pk", filter=Q(reversed_at__isnull=False))
    machine = list(
        _restricting(period)
        .filter(verdict__isnull=False)
        .values_list("verdict__rule", "verdict__provider")
        .annotate(gone=gone, count=Count("pk"))
    )
    undone = Q(
        reversed_by=F("decision__moderator"),
        reversed_at__lte=F("created_at") + timedelta(seconds=get_conf().undo_seconds),
    )
    people = list(
        _restricting(period)
        .filter(decision__isnull=False)
        .exclude(undone)
        .values_list("decision__moderator__username")
        .annotate(gone=gone, count=Count("pk"))
    )
    return Overturned(
        by_rule=_shares((str(rule), gone, count) for rule, _, gone, count in machine),
        by_provider=_shares((name or "", gone, count) for _, name, gone, count in machine),
        people=Share(sum(gone for _, gone, _ in people), sum(count for _, _, count in people)),
        by_moderator=_shares((str(name), gone, count) for name, gone, count in people),
    )


def _restricting(period: Period) -> QuerySet[Enforcement]:
    return Enforcement.objects.filter(
        post__community_id=period.community_id,
        action__in=_RESTRICTS,
        created_at__gte=period.since,
        created_at__lt=period.until,
    )


def _answered(period: Period) -> QuerySet[BlindCheck]:
    return BlindCheck.objects.filter(
        community_id=period.community_id,
        answered_at__gte=period.since,
        answered_at__lt=period.until,
    )


def disagreements(period: Period) -> QuerySet[BlindCheck]:
    """Return the checks whose second answer was another one, the newest first."""
    return (
        _answered(period)
        .filter(agrees=False, decision__isnull=False)
        .select_related("decision__post", "decision__moderator", "decision__enforcement")
        .select_related("moderator")
        .order_by("-answered_at", "-pk")
    )
