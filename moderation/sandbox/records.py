"""What the sandbox saw: every request, and whether a declared rate was kept."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace

from moderation.sandbox.protocol import Request

# What a fault test of minutes sends, in a few hundred megabytes at the very most.
MAX_RECORDS = 50_000
MAX_RECORDED_BYTES = 256 * 1024 * 1024
_OVERHEAD_BYTES = 2_000


@dataclass(slots=True)
class Seen:
    """One request of a service and what became of it.

    `at` is when it arrived (Unix time), `seconds` how long it took. `status` is 0 while it runs
    and where the connection was broken. `fault` is the kind of fault that befell it.
    """

    prefix: str
    request: Request
    at: float
    seconds: float = 0.0
    status: int = 0
    fault: str = ""


class RequestLog:
    """The latest requests, the oldest forgotten first; counts forget nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._seen: deque[Seen] = deque()
            self._bytes = 0
            self._counts: Counter[str] = Counter()
            self._running: Counter[str] = Counter()
            self._most: Counter[str] = Counter()

    def begin(self, prefix: str, request: Request) -> Seen:
        seen = Seen(prefix, request, time.time())
        with self._lock:
            self._seen.append(seen)
            self._bytes += _size(seen)
            self._counts[prefix] += 1
            self._running[prefix] += 1
            self._most[prefix] = max(self._most[prefix], self._running[prefix])
            while len(self._seen) > MAX_RECORDS or self._bytes > MAX_RECORDED_BYTES:
                self._bytes -= _size(self._seen.popleft())
        return seen

    def end(self, seen: Seen, *, seconds: float, status: int, fault: str) -> None:
        with self._lock:
            seen.seconds, seen.status, seen.fault = seconds, status, fault
            self._running[seen.prefix] = max(0, self._running[seen.prefix] - 1)

    def seen(self, prefix: str = "") -> list[Seen]:
        """Return the requests of a service, or of all, as they arrived."""
        with self._lock:
            return [replace(one) for one in self._seen if prefix in ("", one.prefix)]

    def count(self, prefix: str) -> int:
        """Return how many requests came, also those that are forgotten."""
        with self._lock:
            return self._counts[prefix]

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def most_at_once(self, prefix: str) -> int:
        """Return how many requests ran at the same time at most."""
        with self._lock:
            return self._most[prefix]


def _size(seen: Seen) -> int:
    return len(seen.request.body) + _OVERHEAD_BYTES


class RateLimits:
    """What each service allows, as a bucket of tokens; more is refused and counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._buckets: dict[str, _Bucket] = {}
            self._exceeded: Counter[str] = Counter()

    def allow(self, prefix: str, *, per_second: float, burst: float | None = None) -> None:
        """Allow `per_second` requests a second, and `burst` at once (as many by default)."""
        if per_second <= 0 or (burst is not None and burst < 1):
            raise ValueError("A rate is above 0, and a burst 1 at least.")
        size = max(1.0, per_second if burst is None else burst)
        with self._lock:
            self._buckets[prefix] = _Bucket(per_second, size, size, time.monotonic())

    def seconds_to_wait(self, prefix: str) -> int:
        """Return 0 when a request is allowed, else for how long it is not."""
        with self._lock:
            bucket = self._buckets.get(prefix)
            if bucket is None or bucket.take(time.monotonic()):
                return 0
            self._exceeded[prefix] += 1
            return max(1, math.ceil((1 - bucket.tokens) / bucket.per_second))

    def exceeded(self, prefix: str) -> int:
        with self._lock:
            return self._exceeded[prefix]

    def all_exceeded(self) -> dict[str, int]:
        with self._lock:
            return dict(self._exceeded)


@dataclass(slots=True)
class _Bucket:
    per_second: float
    size: float
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
