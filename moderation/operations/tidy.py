"""Takes away what nobody asks for any more: old answers, calls, messages, deliveries, lost uploads,
exports.

Runs every hour; each run does a bounded part, so that a long pause never ends in a long lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.db.models.functions import Now
from django.utils import timezone

from moderation.conf import get_conf
from moderation.models import (
    CallbackMessage,
    IdempotencyRecord,
    MediaItem,
    OutboxMessage,
    ProviderCall,
)
from moderation.operations.heartbeat import forget_silent
from moderation.queries import database_now
from moderation.vocabulary import DeliveryState

MOST_ROWS = 5_000
MOST_FILES = 1_000
# An upload is stored just before its post is: a day later nobody is coming for it.
LOST_UPLOAD_AGE = timedelta(days=1)
EXPORT_AGE = timedelta(days=7)
# Days' totals are kept; single calls and messages are for looking into what went wrong lately.
CALL_AGE = timedelta(days=30)
MESSAGE_AGE = timedelta(days=30)
DELIVERY_AGE = timedelta(days=30)
# A service that is asked 50 times a second makes 180,000 rows between two runs.
MOST_CALL_BATCHES = 40


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much was taken away."""

    replies: int
    uploads: int
    exports: int
    calls: int
    messages: int
    deliveries: int
    processes: int


def tidy() -> Tidied:
    return Tidied(
        replies=_forget_old_replies(),
        uploads=_drop_files("incoming", _lost_uploads()),
        exports=_drop_files("exports", _older_than("exports", EXPORT_AGE)),
        calls=_forget_old_calls(),
        messages=_forget_old_messages(),
        deliveries=_forget_old_deliveries(),
        processes=forget_silent(),
    )


def _forget_old_replies() -> int:
    age = timedelta(days=get_conf().idempotency_days)
    old = IdempotencyRecord.objects.filter(created_at__lt=Now() - age).order_by("created_at")
    ids = list(old.values_list("pk", flat=True)[:MOST_ROWS])
    IdempotencyRecord.objects.filter(pk__in=ids).delete()
    return len(ids)


def _forget_old_calls() -> int:
    limit = database_now() - CALL_AGE
    forgotten = 0
    for _ in range(MOST_CALL_BATCHES):
        # By key, which is nearly by age: finding that none is old enough reads one batch.
        first = ProviderCall.objects.order_by("pk").values_list("pk", "started_at")[:MOST_ROWS]
        ids = [pk for pk, started_at in first if started_at < limit]
        if not ids:
            break
        ProviderCall.objects.filter(pk__in=ids).delete()
        forgotten += len(ids)
    return forgotten


def _forget_old_messages() -> int:
    old = CallbackMessage.objects.filter(
        received_at__lt=Now() - MESSAGE_AGE, handled_at__isnull=False
    ).order_by("received_at")
    ids = list(old.values_list("pk", flat=True)[:MOST_ROWS])
    CallbackMessage.objects.filter(pk__in=ids).delete()
    return len(ids)


def _forget_old_deliveries() -> int:
    """Forget what went out, with its log. What is due is kept: somebody has replayed it."""
    limit = database_now() - DELIVERY_AGE
    forgotten = 0
    for _ in range(MOST_CALL_BATCHES):
        # By key, as calls are.
        first = OutboxMessage.objects.order_by("pk").values_list("pk", "created_at", "state")
        batch = list(first[:MOST_ROWS])
        ids = [pk for pk, at, state in batch if at < limit and state != DeliveryState.DUE]
        if not ids:
            break
        OutboxMessage.objects.filter(pk__in=ids).delete()
        forgotten += len(ids)
    return forgotten


def _lost_uploads() -> list[str]:
    old = list(_older_than("incoming", LOST_UPLOAD_AGE))
    waiting = set(
        MediaItem.objects.filter(incoming__in=[f"incoming/{name}" for name in old]).values_list(
            "incoming", flat=True
        )
    )
    return [name for name in old if f"incoming/{name}" not in waiting]


def _older_than(folder: str, age: timedelta) -> Iterator[str]:
    if not default_storage.exists(folder):
        return
    limit: datetime = timezone.now() - age
    for name in default_storage.listdir(folder)[1][:MOST_FILES]:
        if default_storage.get_modified_time(f"{folder}/{name}") < limit:
            yield name


def _drop_files(folder: str, names: Iterator[str] | list[str]) -> int:
    dropped = 0
    for name in names:
        default_storage.delete(f"{folder}/{name}")
        dropped += 1
    return dropped
