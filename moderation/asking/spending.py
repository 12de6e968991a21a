"""What asking services costs: every call on record, totals by day, and budgets that end a day.

Calls run in threads without a database; they note what they did here, and whoever asked writes
the notes down afterwards in one go.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import ceil

from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.functions import Now

from moderation.coordination.short_memory import ShortMemory
from moderation.models import ProviderCall, ProviderDay
from moderation.vocabulary import Outcome

logger = logging.getLogger(__name__)

_noted: deque[Spent] = deque(maxlen=50_000)
_days: ShortMemory[int] = ShortMemory()


@dataclass(frozen=True, slots=True)
class Spent:
    """One call; or, with `parts` 0, answers that needed none."""

    provider: str
    parts: int
    cached: int = 0
    outcome: Outcome = Outcome.JUDGED
    error: str = ""
    latency_ms: float = 0.0
    cost_micros: int = 0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_call(self) -> bool:
        return self.parts > 0


def note(spent: Spent) -> None:
    """Keep for the next `flush`. Safe from any thread."""
    _noted.append(spent)


def flush() -> None:
    """Write down what was noted. A database that is away costs the notes, never the answers."""
    if not _noted:
        return
    taken = [_noted.popleft() for _ in range(len(_noted))]
    try:
        with transaction.atomic():
            ProviderCall.objects.bulk_create([_row(item) for item in taken if item.is_call])
            _add_to_days(taken)
    except DatabaseError as error:
        logger.warning(
            "spending_not_recorded", extra={"calls": len(taken), "error": type(error).__name__}
        )


def _row(spent: Spent) -> ProviderCall:
    return ProviderCall(
        provider=spent.provider,
        started_at=spent.at,
        parts=spent.parts,
        outcome=spent.outcome,
        error=spent.error[:200],
        latency_ms=spent.latency_ms,
        cost_micros=spent.cost_micros,
    )


def _add_to_days(taken: Iterable[Spent]) -> None:
    by_day: dict[tuple[str, date], list[Spent]] = defaultdict(list)
    for item in taken:
        by_day[item.provider, item.at.date()].append(item)
    # In one order everywhere, so that two workers never wait for each other's rows crosswise.
    for (provider, day), items in sorted(by_day.items()):
        made = [item for item in items if item.is_call]
        more = {
            "calls": F("calls") + len(made),
            "failures": F("failures") + sum(item.outcome is Outcome.FAILED for item in made),
            "parts": F("parts") + sum(item.parts for item in made),
            "cached": F("cached") + sum(item.cached for item in items),
            "cost_micros": F("cost_micros") + sum(item.cost_micros for item in made),
            "latency_ms": F("latency_ms") + sum(item.latency_ms for item in made),
        }
        row = ProviderDay.objects.filter(provider=provider, day=day)
        # Only the first call of a day finds no row.
        if not row.update(**more):
            ProviderDay.objects.get_or_create(provider=provider, day=day)
            row.update(**more)


def affordable_parts(provider: str, budget_micros: int | None, price_micros: int) -> int | None:
    """Return how many parts today's money still pays for, None when there is no end to it.

    The last one may cost more than what is left. May be up to a second late.
    """
    if budget_micros is None or price_micros <= 0:
        return None
    left = budget_micros - _spent(provider, datetime.now(UTC).date())
    return max(0, ceil(left / price_micros))


def is_day_spent(provider: str, budget_micros: int | None) -> bool:
    """Whether a service has used up its money for today. May be up to a second late.

    Says so in the log once a day, when it first finds it.
    """
    if budget_micros is None:
        return False
    today = datetime.now(UTC).date()
    if _spent(provider, today) < budget_micros:
        return False
    first = ProviderDay.objects.filter(
        provider=provider, day=today, budget_spent_at__isnull=True
    ).update(budget_spent_at=Now())
    if first:
        logger.error(
            "provider_budget_spent", extra={"provider": provider, "budget_micros": budget_micros}
        )
    return True


def _spent(provider: str, day: date) -> int:
    def read() -> int:
        row = ProviderDay.objects.filter(provider=provider, day=day)
        return row.values_list("cost_micros", flat=True).first() or 0

    return _days.get((provider, day), read)


def forget() -> None:
    """Read today's totals again; for tests."""
    _days.clear()
    _noted.clear()
