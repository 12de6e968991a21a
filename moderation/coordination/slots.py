"""How many may do something at once, whichever process they are in: so many slots, each leased."""

from __future__ import annotations

import secrets
import threading
import time

from moderation.coordination.connection import Bypassed
from moderation.coordination.script import Script

# KEYS[1] the slots held, by when each is free again; ARGV: token, the most, lease in seconds.
_TAKE = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', stamp(now))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], stamp(now + tonumber(ARGV[3])), ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], math.ceil((tonumber(last[2]) - now) * 1000))
return 1
""")

_GIVE_BACK = Script("return redis.call('ZREM', KEYS[1], ARGV[1])")


class Slots:
    """`most` slots that all processes share. Without Redis each process has as many of its own."""

    def __init__(self, name: str, most: int) -> None:
        self._key = f"slots:{name}"
        self._most = most

    def take(self, lease_seconds: float) -> str | None:
        """Return a token for a slot, None when all are held.

        A slot that is not given back, its holder having crashed, is free after the lease.
        """
        token = secrets.token_hex(8)
        try:
            taken = _TAKE.run(keys=[self._key], args=[token, self._most, lease_seconds])
        except Bypassed:
            taken = _in_process.take(self._key, token, self._most, lease_seconds)
        return token if taken else None

    def give_back(self, token: str) -> None:
        """Free a slot. One whose lease is over already is left to whoever holds it now."""
        if _in_process.give_back(self._key, token):
            return
        try:
            _GIVE_BACK.run(keys=[self._key], args=[token])
        except Bypassed:
            return


class _ProcessSlots:
    """The same rule within one process, for as long as Redis is away."""

    def __init__(self) -> None:
        # Slots to token to when it is free again.
        self._held: dict[str, dict[str, float]] = {}
        self._guard = threading.Lock()

    def take(self, key: str, token: str, most: int, lease_seconds: float) -> bool:
        now = time.monotonic()
        with self._guard:
            held = {
                other: free_at
                for other, free_at in self._held.get(key, {}).items()
                if free_at > now
            }
            if free := len(held) < most:
                held[token] = now + lease_seconds
            self._held[key] = held
        return free

    def give_back(self, key: str, token: str) -> bool:
        with self._guard:
            return self._held.get(key, {}).pop(token, None) is not None


_in_process = _ProcessSlots()
