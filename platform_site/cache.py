"""Django's cache on Redis, which goes on without the server when it does not answer.

What is cached can be had otherwise. A lost or frozen server therefore looks like an empty cache:
the first caller waits for one short timeout, the others not at all until the pause is over.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import ConnectionError as RedisConnectionError
from redis import TimeoutError as RedisTimeoutError
from redis.backoff import NoBackoff
from redis.retry import Retry

PAUSE_SECONDS = 5.0


class ForgivingClient:
    """Answers as an empty cache does while the server is out of reach."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        self._client = RedisCacheClient(servers, **options, retry=Retry(NoBackoff(), 0))
        self._paused_until = 0.0

    def add(self, key: str, value: Any, timeout: int | None) -> Any:
        return self._try("add", key, value, timeout, otherwise=True)

    def get(self, key: str, default: Any) -> Any:
        return self._try("get", key, default, otherwise=default)

    def set(self, key: str, value: Any, timeout: int | None) -> None:
        self._try("set", key, value, timeout, otherwise=None)

    def touch(self, key: str, timeout: int | None) -> Any:
        return self._try("touch", key, timeout, otherwise=False)

    def delete(self, key: str) -> Any:
        return self._try("delete", key, otherwise=False)

    def get_many(self, keys: Any) -> Any:
        return self._try("get_many", keys, otherwise={})

    def has_key(self, key: str) -> Any:
        return self._try("has_key", key, otherwise=False)

    def incr(self, key: str, delta: int) -> Any:
        # A counter that cannot be kept has just begun.
        return self._try("incr", key, delta, otherwise=delta)

    def set_many(self, data: dict[str, Any], timeout: int | None) -> None:
        self._try("set_many", data, timeout, otherwise=None)

    def delete_many(self, keys: Any) -> None:
        self._try("delete_many", keys, otherwise=None)

    def clear(self) -> Any:
        return self._try("clear", otherwise=False)

    def _try(self, method: str, *arguments: Any, otherwise: Any) -> Any:
        if monotonic() < self._paused_until:
            return otherwise
        try:
            return getattr(self._client, method)(*arguments)
        except (RedisConnectionError, RedisTimeoutError):
            self._paused_until = monotonic() + PAUSE_SECONDS
            return otherwise


class ForgivingCache(RedisCache):
    """The backend to name in CACHES."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = ForgivingClient
