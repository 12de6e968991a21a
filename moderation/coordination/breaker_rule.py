"""When a breaker opens and closes: its words, and the rule within one process."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

# The window moves on by a tenth of itself, so that little is kept whatever its length.
SLICES = 10


class BreakerState(StrEnum):
    """Whether calls go through: all, none, or a few to try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens, and how it finds out that it may close.

    It opens when of `min_calls` or more within the window so large a share failed, or took
    `slow_seconds` or longer. It then waits `open_seconds`, twice as long after each probe that
    fails. A probe that never reports makes room for another after `probe_seconds`: that is to be
    longer than a call can take.
    """

    window_seconds: float = 10.0
    min_calls: int = 5
    error_share: float = 0.5
    slow_seconds: float | None = None
    slow_share: float = 0.8
    open_seconds: float = 5.0
    # Less than the minute within which a healed provider is asked as before: probes take time.
    max_open_seconds: float = 50.0
    probes: int = 1
    probe_seconds: float = 30.0
    successes_to_close: int = 2


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may be made. Its report names the `probe`, "" for an ordinary call.

    `changed` is true for the one call that found an open breaker's wait to be over.
    """

    allowed: bool
    state: BreakerState
    retry_after_seconds: float = 0.0
    probe: str = ""
    changed: bool = False


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """A breaker as it is. The counts are those of its window.

    `since` is None for one that never opened. `reason` says why it opened last: `errors`, `slow`,
    `held`, or what it was shut for. `held` is the state an operator (`held_by`) forced on it.
    """

    state: BreakerState = BreakerState.CLOSED
    since: datetime | None = None
    reason: str = ""
    calls: int = 0
    failures: int = 0
    slow: int = 0
    opened_times: int = 0
    retry_at: datetime | None = None
    held: BreakerState | None = None
    held_by: str = ""


def spread() -> float:
    """Return what part of a wait is waited, so that breakers that opened together part ways."""
    return random.uniform(0.75, 1.0)  # noqa: S311 - no secret


@dataclass(slots=True)
class _Window:
    """Calls, failures and slow calls of the last seconds, by slice."""

    slices: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    seconds: float = 0.0

    def note(self, now: float, *, seconds: float, failed: bool, slow: bool) -> None:
        if seconds != self.seconds:
            self.slices.clear()
            self.seconds = seconds
        newest = self._newest(now)
        for old in [number for number in self.slices if number <= newest - SLICES]:
            del self.slices[old]
        calls, failures, slowed = self.slices.get(newest, (0, 0, 0))
        self.slices[newest] = (calls + 1, failures + failed, slowed + slow)

    def count(self, now: float) -> tuple[int, int, int]:
        oldest = self._newest(now) - SLICES
        recent = [counts for number, counts in self.slices.items() if number > oldest]
        return sum(n[0] for n in recent), sum(n[1] for n in recent), sum(n[2] for n in recent)

    def _newest(self, now: float) -> int:
        return int(now / (self.seconds / SLICES)) if self.seconds else 0


class ProcessBreaker:
    """One breaker within this process: for as long as Redis, which knows all calls, is away.

    Until then `follow` tells it what Redis said last, so that what is open stays open.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._window = _Window()
        # Probes that have not reported, by when they make room.
        self._probes: dict[str, float] = {}
        self._state = BreakerState.CLOSED
        self._since: float | None = None
        self._reason = ""
        self._wait: float | None = None
        self._retry_at = 0.0
        self._good = 0
        self._opened_times = 0
        self._held: BreakerState | None = None
        self._held_by = ""

    def admit(self, rules: BreakerRules, probe: str) -> Admission:
        now = time.monotonic()
        with self._guard:
            if self._held is BreakerState.OPEN:
                return Admission(False, self._state, rules.max_open_seconds)
            if self._state is BreakerState.CLOSED:
                return Admission(True, self._state)
            changed = False
            if self._state is BreakerState.OPEN:
                if self._retry_at > now:
                    return Admission(False, self._state, self._retry_at - now)
                self._turn(BreakerState.HALF_OPEN, self._reason, now)
                changed = True
            self._probes = {one: ends for one, ends in self._probes.items() if ends > now}
            if len(self._probes) < rules.probes:
                self._probes[probe] = now + rules.probe_seconds
                return Admission(True, self._state, 0.0, probe, changed)
            wait = min(min(self._probes.values()) - now, rules.open_seconds)
            return Admission(False, self._state, wait, "", changed)

    def report(
        self, rules: BreakerRules, *, ok: bool, seconds: float, probe: str
    ) -> BreakerStatus | None:
        now = time.monotonic()
        slow = rules.slow_seconds is not None and seconds >= rules.slow_seconds
        with self._guard:
            if probe:
                changed = self._report_probe(rules, probe, now, failed=not ok, slow=slow)
            else:
                changed = self._report_call(rules, now - seconds, now, failed=not ok, slow=slow)
            return self._status(now) if changed else None

    def give_back(self, probe: str) -> None:
        with self._guard:
            self._probes.pop(probe, None)

    def shut(self, reason: str, seconds: float) -> BreakerStatus | None:
        now = time.monotonic()
        with self._guard:
            if self._held:
                return None
            if self._state is not BreakerState.OPEN:
                self._open(reason, seconds, now)
                return self._status(now)
            known = self._reason == reason
            self._reason = reason
            self._retry_at = max(self._retry_at, now + seconds * spread())
            return None if known else self._status(now)

    def hold(self, state: BreakerState, by: str) -> BreakerStatus:
        now = time.monotonic()
        with self._guard:
            self._turn(state, "held", now)
            self._held, self._held_by = state, by
            self._window = _Window()
            self._wait = None
            return self._status(now)

    def release(self) -> BreakerStatus:
        now = time.monotonic()
        with self._guard:
            if self._state is BreakerState.OPEN:
                self._turn(BreakerState.HALF_OPEN, self._reason, now)
            elif self._held:
                self._close(now)
            self._held, self._held_by = None, ""
            return self._status(now)

    def status(self) -> BreakerStatus:
        with self._guard:
            return self._status(time.monotonic())

    def follow(self, admission: Admission, held: BreakerState | None) -> None:
        """Take over what Redis said to a call."""
        if admission.state is self._state is BreakerState.CLOSED and held is self._held:
            return
        now = time.monotonic()
        with self._guard:
            self._held = held
            if admission.state is BreakerState.CLOSED:
                self._close(now)
                return
            if self._state is not BreakerState.OPEN:
                self._turn(BreakerState.OPEN, "shared", now)
            self._retry_at = now + admission.retry_after_seconds

    def _report_probe(
        self, rules: BreakerRules, probe: str, now: float, *, failed: bool, slow: bool
    ) -> bool:
        if self._probes.pop(probe, None) is None:
            return False
        if failed or slow:
            wait = rules.open_seconds if self._wait is None else self._wait * 2
            self._open("errors" if failed else "slow", min(rules.max_open_seconds, wait), now)
            return True
        self._good += 1
        if self._good < rules.successes_to_close:
            return False
        self._close(now)
        return True

    def _report_call(
        self, rules: BreakerRules, began: float, now: float, *, failed: bool, slow: bool
    ) -> bool:
        # A call from before the last change says nothing of how things are now.
        stale = self._since is not None and began < self._since
        if self._state is not BreakerState.CLOSED or stale:
            return False
        self._window.note(now, seconds=rules.window_seconds, failed=failed, slow=slow)
        calls, failures, slowed = self._window.count(now)
        if self._held or calls < rules.min_calls:
            return False
        if failures >= calls * rules.error_share:
            self._open("errors", rules.open_seconds, now)
            return True
        if rules.slow_seconds is not None and slowed >= calls * rules.slow_share:
            self._open("slow", rules.open_seconds, now)
            return True
        return False

    def _open(self, reason: str, wait: float, now: float) -> None:
        if self._state is BreakerState.CLOSED:
            self._opened_times += 1
        self._turn(BreakerState.OPEN, reason, now)
        self._wait = wait
        self._retry_at = now + wait * spread()

    def _close(self, now: float) -> None:
        self._turn(BreakerState.CLOSED, "", now)
        self._window = _Window()
        self._wait = None

    def _turn(self, state: BreakerState, reason: str, now: float) -> None:
        self._state, self._since, self._reason = state, now, reason
        self._probes.clear()
        self._good = 0

    def _status(self, now: float) -> BreakerStatus:
        calls, failures, slow = self._window.count(now)
        waiting = self._state is BreakerState.OPEN and not self._held
        over = waiting and self._retry_at <= now
        return BreakerStatus(
            state=BreakerState.HALF_OPEN if over else self._state,
            since=None if self._since is None else _as_time(self._since, now),
            reason=self._reason,
            calls=calls,
            failures=failures,
            slow=slow,
            opened_times=self._opened_times,
            retry_at=_as_time(self._retry_at, now) if waiting else None,
            held=self._held,
            held_by=self._held_by,
        )


def _as_time(at: float, now: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=at - now)
