"""Answers that all processes share for a while, and who is asking for one that is not there yet.

Values are JSON texts. Without Redis nothing is found and everybody asks.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from moderation.coordination.connection import Bypassed, shared_redis
from moderation.coordination.script import Script, prefixed

# One answer of a large batch is a few hundred bytes; a monster is asked for again instead.
MOST_BYTES = 64 * 1024

# KEYS the answers, then as many claims in the same order; ARGV: token, lease in ms.
# Returns which (from 1) were neither answered nor claimed, and are claimed now.
_CLAIM = Script("""
local half, claimed = #KEYS / 2, {}
for i = 1, half do
  if redis.call('EXISTS', KEYS[i]) == 0
    and redis.call('SET', KEYS[half + i], ARGV[1], 'NX', 'PX', ARGV[2]) then
    claimed[#claimed + 1] = i
  end
end
return claimed
""")

# KEYS claims; ARGV: token. A claim that faded and is another's now stays.
_RELEASE = Script("""
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
return 0
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """The keys that its holder asks about, so that nobody else does meanwhile."""

    keys: frozenset[str]
    token: str = ""


def get_many(keys: Collection[str]) -> dict[str, str]:
    """Return the answers that are there."""
    if not keys:
        return {}
    names = [prefixed(_answer(key)) for key in keys]
    try:
        # Bytes: our client decodes nothing.
        values: list[Any] = shared_redis().use(lambda client: client.mget(names))
    except Bypassed:
        return {}
    return {
        key: value.decode() for key, value in zip(keys, values, strict=True) if value is not None
    }


def put_many(answers: Mapping[str, str], *, ttl_seconds: float) -> None:
    """Keep answers for so long. One that is longer than `MOST_BYTES` is not kept."""
    small = {key: value.encode() for key, value in answers.items()}
    small = {key: value for key, value in small.items() if len(value) <= MOST_BYTES}
    if not small:
        return

    def put(client: redis.Redis) -> None:
        with client.pipeline(transaction=False) as pipe:
            for key, value in small.items():
                pipe.set(prefixed(_answer(key)), value, px=_ms(ttl_seconds))
            pipe.execute()

    try:
        shared_redis().use(put)
    except Bypassed:
        return


def drop_many(keys: Collection[str]) -> None:
    """Forget answers."""
    if not keys:
        return
    names = [prefixed(_answer(key)) for key in keys]
    try:
        shared_redis().use(lambda client: client.delete(*names))
    except Bypassed:
        return


def claim_many(keys: Iterable[str], *, seconds: float) -> Claim:
    """Claim the keys that nobody has answered or asks about, for so long.

    What is not claimed is being asked about, or was answered since the caller looked.
    """
    wanted = list(dict.fromkeys(keys))
    token = secrets.token_hex(8)
    if not wanted:
        return Claim(frozenset(), token)
    names = [*map(_answer, wanted), *map(_claim, wanted)]
    try:
        claimed = _CLAIM.run(keys=names, args=[token, _ms(seconds)])
    except Bypassed:
        return Claim(frozenset(wanted))
    return Claim(frozenset(wanted[number - 1] for number in claimed), token)


def release_claims(claim: Claim) -> None:
    """Let others ask again; after `put_many`, or when no answer came."""
    if not (claim.keys and claim.token):
        return
    try:
        _RELEASE.run(keys=[_claim(key) for key in claim.keys], args=[claim.token])
    except Bypassed:
        return


def _answer(key: str) -> str:
    return f"answer:{key}"


def _claim(key: str) -> str:
    return f"asking:{key}"


def _ms(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
