"""Who is looking at what at this moment. Nothing rests on it: leases decide, this only tells."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from django.conf import settings

from moderation.coordination.connection import Bypassed, shared_redis

# Three missed signs of life.
FADES_AFTER_SECONDS = 15
_MOST_SHOWN = 20


def look_at(review_id: int, user_id: int, name: str) -> None:
    """Say that somebody is looking at an item; to be repeated while they do."""
    now = time.time()

    def say(client: redis.Redis) -> None:
        with client.pipeline(transaction=False) as pipe:
            pipe.zremrangebyscore(_key(review_id), "-inf", now - FADES_AFTER_SECONDS)
            pipe.zadd(_key(review_id), {_member(user_id, name): now})
            pipe.expire(_key(review_id), FADES_AFTER_SECONDS * 2)
            pipe.execute()

    _try(say)


def look_away(review_id: int, user_id: int, name: str) -> None:
    _try(lambda client: client.zrem(_key(review_id), _member(user_id, name)))


def who_looks_at(review_id: int, *, besides: int) -> list[str]:
    """Return the names of those who look at an item, in order; [] where Redis is away."""
    since = time.time() - FADES_AFTER_SECONDS
    found: list[str] = []

    def read(client: redis.Redis) -> None:
        rows = client.zrangebyscore(_key(review_id), since, "+inf", start=0, num=_MOST_SHOWN)
        for row in rows:
            member = row.decode() if isinstance(row, bytes) else str(row)
            user_id, _, name = member.partition(":")
            if user_id != str(besides):
                found.append(name)

    _try(read)
    return sorted(found)


def _try(work: Callable[[redis.Redis], object]) -> None:
    try:
        shared_redis().use(work)
    except Bypassed:
        return


def _key(review_id: int) -> str:
    return f"{settings.REDIS_PREFIX}:looking:{review_id}"


def _member(user_id: int, name: str) -> str:
    return f"{user_id}:{name}"
