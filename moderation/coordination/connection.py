"""The one short-timeout Redis client: when the server does not answer, it is left alone for 5 s.

Nobody waits for a frozen server twice: after one failure every use raises `Bypassed` at once
until the pause is over, and the caller goes on without.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import redis
from django.conf import settings

BYPASS_SECONDS = 5.0

# What a server says that is away, full, or a replica since a moment ago.
_UNUSABLE = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.OutOfMemoryError,
    redis.ReadOnlyError,
)

Value = TypeVar("Value")


class Bypassed(Exception):
    """Redis did not answer lately; go on without it."""


class SharedRedis:
    """A Redis client that fails fast. Shared between threads."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._bypassed_until = 0.0
        self._guard = threading.Lock()

    def use(self, work: Callable[[redis.Redis], Value]) -> Value:
        """Return what `work` makes of the client. Raises `Bypassed` when it cannot be used now."""
        if time.monotonic() < self._bypassed_until:
            raise Bypassed
        try:
            return work(self._client)
        except _UNUSABLE as error:
            with self._guard:
                self._bypassed_until = time.monotonic() + BYPASS_SECONDS
            raise Bypassed from error


@cache
def shared_redis() -> SharedRedis:
    """Return the client for limits, bells and pushes, with the short timeout of the settings."""
    return SharedRedis(_client(settings.REDIS_LIMITS_URL))


@cache
def layer_redis() -> SharedRedis:
    """Return a client on the channel layer's database, to publish many hints at once."""
    return SharedRedis(_client(settings.REDIS_LAYER_URL))


def _client(url: str) -> redis.Redis:
    options: dict[str, Any] = {
        "socket_timeout": settings.REDIS_LIMITS_TIMEOUT_SECONDS,
        "max_connections": settings.REDIS_MAX_CONNECTIONS,
        # One try: a retry would double what a request may wait.
        "retry": None,
    }
    if not url.startswith("unix:"):
        options["socket_connect_timeout"] = settings.REDIS_LIMITS_TIMEOUT_SECONDS
    client: redis.Redis = redis.Redis.from_url(url, **options)
    return client
