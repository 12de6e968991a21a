"""Refuses to work from a Redis server that may forget what it was told.

Under an `allkeys-…` policy a full cache evicts the waiting messages of the broker while publishing
still succeeds. A server that is away now is not asked: the worker waits for it anyway.
"""

from __future__ import annotations

from django.conf import settings
from redis import Redis, RedisError


def forgetful_policy(url: str) -> str:
    """Return the eviction policy of a server that may evict anything, or an empty text."""
    client: Redis = Redis.from_url(url, socket_timeout=settings.REDIS_TIMEOUT_SECONDS, retry=None)
    try:
        policy = str(client.info("memory").get("maxmemory_policy", ""))
    except RedisError:
        return ""
    finally:
        client.close()
    return policy if policy.startswith("allkeys-") else ""


def refuse_forgetful_server() -> None:
    """Stop a worker that starts on such a server."""
    policy = forgetful_policy(settings.REDIS_CACHE_URL)
    if policy:
        raise SystemExit(
            f"The Redis server evicts under {policy}, which loses queued messages. "
            "Set its maxmemory-policy to noeviction or volatile-lru."
        )
