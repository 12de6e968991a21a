"""How many sockets are open, over all processes. Who holds one says so every few seconds."""

from __future__ import annotations

from typing import Final

import redis
from django.conf import settings

from moderation.coordination.connection import Bypassed, shared_redis

# One that has said nothing for so long is none: three missed signs of life.
FADES_AFTER_SECONDS: Final = 15
# All sockets, each with when it was last alive by Redis' clock.
ALL_SOCKETS: Final = f"{settings.REDIS_PREFIX}:sockets:all"


def count_sockets() -> int | None:
    """Return how many are open, None while Redis is away."""

    def count(client: redis.Redis) -> int:
        seconds, _ = client.time()
        return int(client.zcount(ALL_SOCKETS, seconds - FADES_AFTER_SECONDS, "+inf"))

    try:
        return shared_redis().use(count)
    except Bypassed:
        return None
