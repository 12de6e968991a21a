"""Refuses to work from a Redis server that may forget what it was told.

Under an `allkeys-…` policy a full cache evicts the waiting messages of the broker while publishing
still succeeds. A server that is away now is not asked: the worker waits for it anyway.
"""

from __future__ import annotations

from django.conf import settings
from redis import Redis, RedisError

_SOCKET = "redis+socket://"


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


def servers() -> dict[str, str]:
    """Return the Redis servers that must not forget, as address by the setting that names them."""
    found = {"REDIS_URL": settings.REDIS_CACHE_URL}
    broker = settings.CELERY_BROKER_URL
    if broker != settings.REDIS_BROKER_URL and broker.startswith(
        ("redis://", "rediss://", _SOCKET)
    ):
        # kombu's way to write a socket; its own query means nothing to redis-py.
        path = broker.removeprefix(_SOCKET).partition("?")[0]
        found["CELERY_BROKER_URL"] = f"unix://{path}" if broker.startswith(_SOCKET) else broker
    return found


def refuse_forgetful_servers() -> None:
    """Stop a process that starts on such a server."""
    for name, url in servers().items():
        policy = forgetful_policy(url)
        if policy:
            raise SystemExit(
                f"The Redis server of {name} evicts under {policy}, which loses queued messages. "
                "Set its maxmemory-policy to noeviction or volatile-lru."
            )
