"""A client's Idempotency-Key: the first answer is kept with what it did, and given again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.db import IntegrityError, transaction

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


def do_once(idempotency: Idempotency | None, act: Callable[[], Reply]) -> Reply:
    """Do something, or return what was answered when it was done with this key before.

    Whatever `act` stores stands or falls with its answer; it tells others after the commit.
    """
    if idempotency is None:
        return act()
    with running(idempotency):
        try:
            return _do_once(idempotency, act)
        except IntegrityError:
            # Another process committed the same key first: this time it is found.
            return _do_once(idempotency, act)


def _do_once(idempotency: Idempotency, act: Callable[[], Reply]) -> Reply:
    with transaction.atomic():
        known = find_replies([idempotency]).get(idempotency)
        if isinstance(known, ModerationError):
            raise known
        if known is not None:
            return known
        reply = act()
        keep_replies([(idempotency, reply)])
    return reply


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
