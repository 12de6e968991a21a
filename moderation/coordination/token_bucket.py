"""Token buckets: exact across processes through one Lua script, per process without Redis."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from moderation.coordination.connection import Bypassed
from moderation.coordination.script import Script

# A service that asks for more is asked again after this: a slip of its own stops nobody for a day.
MOST_PAUSE_SECONDS = 3600.0

# KEYS[1] bucket; ARGV: burst, tokens a second, tokens wanted, 1 when fewer are welcome too.
# Returns {taken, left, wait in ms}.
_TAKE = Script("""
local burst, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local partial = ARGV[4] == '1'
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'paused_until')
local tokens = tonumber(kept[1]) or burst
local at = tonumber(kept[2]) or now
local paused_until = tonumber(kept[3])
if paused_until then
  tokens = math.min(1, tokens + math.max(0, paused_until - at) * rate)
  at = paused_until
end
local pause = paused_until and math.max(0, paused_until - now) or 0
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local enough = partial and math.min(1, wanted) or wanted
local taken = 0
if pause == 0 and tokens >= enough then
  taken = math.min(wanted, math.floor(tokens))
end
if taken > 0 then
  tokens = tokens - taken
  redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', stamp(now))
  if paused_until then redis.call('HDEL', KEYS[1], 'paused_until') end
  redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
end
local wait = 0
if partial or taken == 0 then wait = pause + math.max(0, enough - tokens) / rate end
return {taken, math.floor(tokens), math.ceil(wait * 1000)}
""")

# KEYS[1] bucket; ARGV: for how many seconds. A longer pause that holds already stays.
_PAUSE = Script("""
local ends = now + tonumber(ARGV[1])
local kept = tonumber(redis.call('HGET', KEYS[1], 'paused_until'))
if kept and kept >= ends then return 0 end
redis.call('HSET', KEYS[1], 'paused_until', stamp(ends))
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1])) + tonumber(ARGV[2]))
return 1
""")


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket's size and how fast it fills."""

    burst: int
    per_second: float

    @classmethod
    def at_most(cls, calls: int, *, in_seconds: float = 1.0) -> Limit:
        """Return the limit under which no `in_seconds` see more than `calls` tokens taken.

        A full bucket and what flows in meanwhile count together, so a tenth is the bucket.
        """
        burst = max(1, calls // 10)
        return cls(burst, (calls - burst + 1) / in_seconds)


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether the tokens were there, how many are left, and when enough will be."""

    allowed: bool
    remaining: int
    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class Granted:
    """How many tokens were there, and when the next one is: 0 when it is there already."""

    tokens: int
    next_in_seconds: float


def take(name: str, limit: Limit, *, tokens: int = 1) -> Taken:
    """Take tokens from the bucket `name`, or say how long to wait. Never blocks on Redis.

    Asking for more than a full bucket takes the whole of it, so that a large request can pass
    after a wait and is never refused for ever.
    """
    wanted = min(tokens, limit.burst)
    taken, left, wait_ms = _take(name, limit, wanted, partial=False)
    return Taken(taken >= wanted, left, wait_ms / 1000)


def take_many(name: str, limit: Limit, wanted: int) -> Granted:
    """Take as many whole tokens as are there, `wanted` at most. Never blocks on Redis."""
    taken, _, wait_ms = _take(name, limit, max(0, wanted), partial=True)
    return Granted(taken, wait_ms / 1000)


def pause(name: str, seconds: float) -> None:
    """Let nobody take anything for so long, an hour at most; then begin with one token."""
    # Not a number, as well as nothing.
    if not seconds > 0:
        return
    seconds = min(seconds, MOST_PAUSE_SECONDS)
    _in_process.pause(name, seconds)
    try:
        _PAUSE.run(keys=[_key(name)], args=[seconds, int(MOST_PAUSE_SECONDS)])
    except Bypassed:
        return


def _take(name: str, limit: Limit, wanted: int, *, partial: bool) -> tuple[int, int, int]:
    """Return how many were taken, how many are left, and the wait in ms."""
    args = [limit.burst, limit.per_second, wanted, int(partial)]
    try:
        taken, left, wait_ms = _TAKE.run(keys=[_key(name)], args=args)
    except Bypassed:
        return _in_process.take(name, limit, wanted, partial=partial)
    return int(taken), int(left), int(wait_ms)


def _key(name: str) -> str:
    return f"bucket:{name}"


class _ProcessBuckets:
    """The same rule within one process, for as long as Redis is away."""

    _MOST = 50_000

    def __init__(self) -> None:
        # Bucket to (tokens, when it held them).
        self._kept: dict[str, tuple[float, float]] = {}
        self._paused_until: dict[str, float] = {}
        self._guard = threading.Lock()

    def take(self, name: str, limit: Limit, wanted: int, *, partial: bool) -> tuple[int, int, int]:
        now = time.monotonic()
        enough = min(1, wanted) if partial else wanted
        with self._guard:
            tokens, pause_left = self._filled(name, limit, now)
            taken = min(wanted, int(tokens)) if pause_left == 0 and tokens >= enough else 0
            if taken:
                tokens -= taken
                self._paused_until.pop(name, None)
                self._kept[name] = (tokens, now)
        wait = 0.0
        if partial or not taken:
            wait = pause_left + max(0.0, enough - tokens) / limit.per_second
        return taken, int(tokens), math.ceil(wait * 1000)

    def pause(self, name: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._guard:
            self._paused_until[name] = max(until, self._paused_until.get(name, 0.0))

    def _filled(self, name: str, limit: Limit, now: float) -> tuple[float, float]:
        """Return what the bucket holds, and for how long it is paused."""
        if len(self._kept) > self._MOST:
            self._kept.clear()
        tokens, at = self._kept.get(name, (float(limit.burst), now))
        paused_until = self._paused_until.get(name)
        if paused_until is not None:
            tokens = min(1.0, tokens + max(0.0, paused_until - at) * limit.per_second)
            at = paused_until
        tokens = min(float(limit.burst), tokens + max(0.0, now - at) * limit.per_second)
        return tokens, max(0.0, (paused_until or now) - now)


_in_process = _ProcessBuckets()
