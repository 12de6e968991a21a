"""How readers of streams are: told by each every few seconds, forgotten when it has gone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from django.conf import settings

from moderation.coordination.connection import Bypassed, shared_redis

# A reader that has said nothing for so long is none.
KEPT_SECONDS = 60
_KEYS = f"{settings.REDIS_PREFIX}:bridge:"


@dataclass(slots=True)
class ReaderStatus:
    """One reader's own account. `lag` is how many messages of the topic wait, None if unknown;
    `last_error` is a short code, "" when all went well last time.
    """

    service: str
    topic: str
    reader: str
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    failures: int = 0
    lag: int | None = None
    last_error: str = ""


def tell(status: ReaderStatus) -> None:
    """Let others know, as far as Redis can be reached at this moment."""
    key = f"{_KEYS}{status.service}:{status.topic}:{status.reader}"
    try:
        shared_redis().use(
            lambda redis: redis.set(key, json.dumps(asdict(status)), ex=KEPT_SECONDS)
        )
    except Bypassed:
        return


def readers() -> list[ReaderStatus]:
    """Return all that run now, by service and topic; none while Redis is away."""
    try:
        found = shared_redis().use(_read_all)
    except Bypassed:
        return []
    return [ReaderStatus(**json.loads(text)) for _, text in sorted(found)]


def _read_all(redis: object) -> list[tuple[bytes, bytes]]:
    keys = sorted(redis.scan_iter(match=f"{_KEYS}*", count=1000))  # type: ignore[attr-defined]
    texts = redis.mget(keys) if keys else []  # type: ignore[attr-defined]
    return [(key, text) for key, text in zip(keys, texts, strict=True) if text is not None]
