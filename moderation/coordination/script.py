"""Lua scripts: what several processes decide together, decided in one place at one moment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings

from moderation.coordination.connection import shared_redis

# The first lines of every script. The server's own clock counts, so that skewed hosts agree.
CLOCK = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local function stamp(at) return string.format('%.6f', at) end
"""


class Script:
    """A script that the server knows by its digest, and gets in full when it does not."""

    def __init__(self, source: str) -> None:
        self._source = CLOCK + source
        # How the server itself names scripts.
        self._digest = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    def run(self, *, keys: Sequence[str], args: Sequence[str | int | float] = ()) -> Any:
        """Return what the script returns. `keys` lack our prefix. Raises `Bypassed`."""
        words = [*map(prefixed, keys), *map(str, args)]

        def ask(client: redis.Redis) -> Any:
            try:
                return client.evalsha(self._digest, len(keys), *words)
            except redis.exceptions.NoScriptError:
                return client.eval(self._source, len(keys), *words)

        return shared_redis().use(ask)


def prefixed(key: str) -> str:
    """Return a key as the server knows it: instances that share a server differ by the prefix."""
    return f"{settings.REDIS_PREFIX}:{key}"
