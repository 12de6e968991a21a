"""How many sockets a user holds, counted across processes; a crashed one fades from the count."""

from __future__ import annotations

import time

import redis
from django.conf import settings

from moderation.coordination.connection import Bypassed, shared_redis
from moderation.coordination.open_sockets import ALL_SOCKETS, FADES_AFTER_SECONDS

MOST_SOCKETS_PER_USER = 20

# KEYS: the user's sockets, all sockets. ARGV: this socket, the most, seconds after which one has
# faded.
_KEEP = """
local time = redis.call('TIME')
local now = tonumber(time[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]))
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[3]) * 2)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[3]))
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('EXPIRE', KEYS[2], tonumber(ARGV[3]) * 2)
return 1
"""


def keep_socket(user_id: int, socket_id: str) -> bool:
    """Count a socket, new or still alive; False when its user holds too many already."""
    try:
        return bool(
            shared_redis().use(
                lambda client: client.register_script(_KEEP)(
                    keys=[_key(user_id), ALL_SOCKETS],
                    args=[socket_id, MOST_SOCKETS_PER_USER, FADES_AFTER_SECONDS],
                )
            )
        )
    except Bypassed:
        return _in_process.keep(user_id, socket_id)


def drop_socket(user_id: int, socket_id: str) -> None:
    """Forget a socket that has closed."""
    _in_process.drop(user_id, socket_id)
    try:
        shared_redis().use(lambda client: _remove(client, user_id, socket_id))
    except Bypassed:
        return


def _remove(client: redis.Redis, user_id: int, socket_id: str) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.zrem(_key(user_id), socket_id)
        pipe.zrem(ALL_SOCKETS, socket_id)
        pipe.execute()


def _key(user_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:sockets:{user_id}"


class _ProcessSockets:
    """The same count within one process, for as long as Redis is away."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[str, float]] = {}

    def keep(self, user_id: int, socket_id: str) -> bool:
        now = time.monotonic()
        alive = {
            name: at
            for name, at in self._seen.get(user_id, {}).items()
            if now - at < FADES_AFTER_SECONDS
        }
        if socket_id not in alive and len(alive) >= MOST_SOCKETS_PER_USER:
            return False
        self._seen[user_id] = {**alive, socket_id: now}
        return True

    def drop(self, user_id: int, socket_id: str) -> None:
        self._seen.get(user_id, {}).pop(socket_id, None)
        if not self._seen.get(user_id, True):
            del self._seen[user_id]


_in_process = _ProcessSockets()
