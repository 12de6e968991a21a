"""A client's Idempotency-Key: the first answer is kept with what it did, and given again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from moderation.errors import IdempotencyMismatch, IdempotencyRunning, ModerationError
from moderation.models import IdempotencyRecord


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a client, as kept for a repeated request. `replayed` when it was one."""

    status_code: int
    body: dict[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key for one call, private to `client`; `request_digest` tells payloads apart."""

    client: str
    key: str
    request_digest: str


def find_replies(wanted: Sequence[Idempotency]) -> dict[Idempotency, Reply | ModerationError]:
    """Return what is answered to keys that were used before; a key that is new is absent."""
    if not wanted:
        return {}
    kept = {
        (record.client, record.key): record
        for record in IdempotencyRecord.objects.filter(
            client__in={item.client for item in wanted}, key__in={item.key for item in wanted}
        )
    }
    replies: dict[Idempotency, Reply | ModerationError] = {}
    for item in wanted:
        record = kept.get((item.client, item.key))
        if record is None:
            continue
        if record.request_digest != item.request_digest:
            replies[item] = IdempotencyMismatch()
        else:
            replies[item] = Reply(record.status_code, record.body, replayed=True)
    return replies


def keep_replies(replies: Sequence[tuple[Idempotency, Reply]]) -> None:
    """Store answers in the transaction that made them true.

    Sorted: two batches that meet on keys wait for each other in one order.
    """
    IdempotencyRecord.objects.bulk_create(
        [
            IdempotencyRecord(
                client=item.client,
                key=item.key,
                request_digest=item.request_digest,
                status_code=reply.status_code,
                body=reply.body,
            )
            for item, reply in sorted(replies, key=lambda pair: (pair[0].client, pair[0].key))
        ]
    )


_in_flight: set[tuple[str, str]] = set()
_in_flight_guard = Lock()


@contextmanager
def running(idempotency: Idempotency | None) -> Iterator[None]:
    """Refuse a second call with a key whose first call is running in this process.

    In another process the second call waits for the first one's commit and is then replayed.
    """
    if idempotency is None:
        yield
        return
    mine = (idempotency.client, idempotency.key)
    with _in_flight_guard:
        if mine in _in_flight:
            raise IdempotencyRunning()
        _in_flight.add(mine)
    try:
        yield
    finally:
        with _in_flight_guard:
            _in_flight.discard(mine)
