"""When a request is sent again, and how long it waits before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom

from gatehouse_client.errors import IdempotencyRunning, ProblemError

# Answers that a later attempt may better. 500 is among them: what is sent again does no harm.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_random = SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a request is sent in all, and how long it waits in between.

    A server that asks for a wait longer than `longest_retry_after_seconds` is not waited for: its
    answer is raised, and tells how long.
    """

    attempts: int = 4
    first_wait_seconds: float = 0.25
    longest_wait_seconds: float = 8.0
    longest_retry_after_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("There is at least one attempt.")

    def wait_before_next(self, tried: int, told_seconds: float | None = None) -> float | None:
        """Return how long to wait after `tried` attempts, None when there is no other."""
        if tried >= self.attempts:
            return None
        backoff = min(self.first_wait_seconds * 2.0 ** (tried - 1), self.longest_wait_seconds)
        # Clients that failed together must not come back together.
        jitter = _random.uniform(0.5, 1.0) * backoff
        if told_seconds is None:
            return jitter
        if told_seconds > self.longest_retry_after_seconds:
            return None
        # Not before the time that was told.
        return told_seconds + _random.uniform(0.0, 0.25) * backoff


def may_pass(error: ProblemError) -> bool:
    """Whether the same request may be answered better later."""
    return error.status in _PASSING or isinstance(error, IdempotencyRunning)


def read_retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return `Retry-After` in seconds, None where there is none that can be read."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
