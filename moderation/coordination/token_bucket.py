"""Token buckets: exact across processes through one Lua script, per process without Redis."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from django.conf import settings

from moderation.coordination.connection import Bypassed, shared_redis

# KEYS[1] bucket; ARGV: burst, tokens a second, tokens wanted. Returns {taken, left, wait in ms}.
# The server's own clock counts, so that skewed hosts share one bucket fairly.
_TAKE = """
local burst, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(kept[1]) or burst
local at = tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local taken = 0
local wait = 0
if tokens >= wanted then
  tokens = tokens - wanted
  taken = 1
else
  wait = math.ceil((wanted - tokens) / rate * 1000)
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return {taken, math.floor(tokens), wait}
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket's size and how fast it fills."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether the tokens were there, how many are left, and when enough will be."""

    allowed: bool
    remaining: int
    retry_after_seconds: float


def take(name: str, limit: Limit, *, tokens: int = 1) -> Taken:
    """Take tokens from the bucket `name`, or say how long to wait. Never blocks on Redis.

    Asking for more than a full bucket takes the whole of it, so that a large request can pass
    after a wait and is never refused for ever.
    """
    wanted = min(tokens, limit.burst)
    try:
        taken, left, wait_ms = shared_redis().use(
            lambda client: client.register_script(_TAKE)(
                keys=[f"{settings.REDIS_PREFIX}:bucket:{name}"],
                args=[limit.burst, limit.per_second, wanted],
            )
        )
    except Bypassed:
        return _in_process.take(name, limit, wanted)
    return Taken(bool(taken), int(left), int(wait_ms) / 1000)


class _ProcessBuckets:
    """The same rule within one process, for as long as Redis is away."""

    _MOST = 50_000

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, float]] = {}
        self._guard = threading.Lock()

    def take(self, name: str, limit: Limit, wanted: int) -> Taken:
        now = time.monotonic()
        with self._guard:
            if len(self._kept) > self._MOST:
                self._kept.clear()
            tokens, at = self._kept.get(name, (float(limit.burst), now))
            tokens = min(float(limit.burst), tokens + (now - at) * limit.per_second)
            allowed = tokens >= wanted
            if allowed:
                tokens -= wanted
            self._kept[name] = (tokens, now)
        wait = 0.0 if allowed else (wanted - tokens) / limit.per_second
        return Taken(allowed, int(tokens), wait)


_in_process = _ProcessBuckets()
