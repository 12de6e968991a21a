"""How often each entry of a bank matched lately, counted over all processes."""

from __future__ import annotations

import time
from collections.abc import Mapping

import redis

from moderation.coordination.connection import Bypassed, shared_redis
from moderation.coordination.script import prefixed


def window_of(seconds: int) -> int:
    """Number the stretch of `seconds` that is counted now; the next one begins at nothing."""
    return int(time.time() // seconds)


def count_matches(matches: Mapping[int, int], *, seconds: int) -> dict[int, int]:
    """Add to the counts of this window; return them. Without Redis nothing is returned."""
    names = {entry: _name(entry, seconds) for entry in matches}

    def add(client: redis.Redis) -> list[int]:
        with client.pipeline(transaction=False) as pipe:
            for entry, number in matches.items():
                pipe.incrby(names[entry], number)
                pipe.expire(names[entry], 2 * seconds)
            return [int(answer) for answer in pipe.execute()[::2]]

    try:
        return dict(zip(matches, shared_redis().use(add), strict=True))
    except Bypassed:
        return {}


def forget_matches(entry: int, *, seconds: int) -> None:
    """Let an entry's count begin at nothing."""
    try:
        shared_redis().use(lambda client: client.delete(_name(entry, seconds)))
    except Bypassed:
        return


def _name(entry: int, seconds: int) -> str:
    return prefixed(f"bank:{entry}:{window_of(seconds)}")
