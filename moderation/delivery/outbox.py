"""The outbox: rows that are due, taken for a while, settled by what came of them.

The database's clock decides. A message counts as delivered only after it was handed over, so that
a crash in between repeats it under the same id.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Least, Now

from moderation.conf import get_conf
from moderation.delivery import doorbell
from moderation.delivery.event_types import PING
from moderation.delivery.handover import Handover
from moderation.models import DeliveryAttempt, Endpoint, OutboxMessage
from moderation.vocabulary import DeliveryState, EndpointKind, Lane

# The standard's example schedule: ten attempts within 75 h 35 min 5 s. Seconds after each attempt.
SCHEDULE: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# A cache that is not told keeps a file for about a minute: soon is all that helps.
PURGE_SCHEDULE: Final = (1, 2, 5, 10, 20, 40, 60, 120, 300)
# Receivers that failed together are not asked again together.
JITTER: Final = 0.1
# Nobody is spared for longer than the schedule itself would.
MOST_SPARED_SECONDS: Final = 86_400.0
# What a receiver is spared that asks for less and does not say how long.
SPARED_SECONDS: Final = 5.0
# As many attempts as the column counts: a stream that is away is tried for days.
MOST_COUNTED: Final = 30_000
# A batch is given back unless each of its messages has time enough for a whole time-out.
_LEASE_TIMEOUTS: Final = 3


def due() -> QuerySet[OutboxMessage]:
    """Return the messages that anyone may take now."""
    return OutboxMessage.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=Now()),
        state=DeliveryState.DUE,
        due_at__lte=Now(),
    )


def waiting_endpoints() -> QuerySet[Endpoint]:
    """Return the endpoints that something could be handed to now."""
    return _ready().filter(Exists(due().filter(endpoint=OuterRef("pk"))))


def find_ready(endpoint_id: int) -> Endpoint | None:
    """Return an endpoint as it is now, None when nothing may go to it."""
    return _ready().filter(pk=endpoint_id).first()


def _ready() -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(
        Q(spared_until__isnull=True) | Q(spared_until__lte=Now()), active=True
    ).select_related("community")


def claim(endpoint: Endpoint, most: int) -> list[OutboxMessage]:
    """Take up to `most` messages to an endpoint, the longest due first, under a fresh token."""
    token = uuid4()
    lease = timedelta(seconds=get_conf().delivery_timeout_seconds * _LEASE_TIMEOUTS)
    with transaction.atomic():
        if _is_stream(endpoint):
            _keep_in_order(endpoint)
        ids = list(
            due()
            .filter(endpoint=endpoint)
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")
            .values_list("pk", flat=True)[:most]
        )
        if not ids:
            return []
        OutboxMessage.objects.filter(pk__in=ids).update(
            lease_token=token, lease_until=Now() + lease
        )
    held = OutboxMessage.objects.filter(pk__in=ids, lease_token=token)
    return list(held.select_related("event").order_by("due_at", "pk"))


def _keep_in_order(endpoint: Endpoint) -> None:
    """Let nothing about a post overtake what waits as long as a moderator can undo it.

    Only that is due later on a stream: what fails there keeps its time.
    """
    waiting = OutboxMessage.objects.filter(endpoint=endpoint, state=DeliveryState.DUE)
    later = list(
        waiting.filter(due_at__gt=Now())
        .order_by("pk")
        .values_list("pk", "event__subject_id", "due_at")
    )
    if not later:
        return
    about = {subject for _, subject, _ in later if subject}
    free = waiting.filter(due_at__lte=Now(), event__subject_id__in=about)
    for pk, subject in list(free.values_list("pk", "event__subject_id")):
        before = [due_at for first, same, due_at in later if same == subject and first < pk]
        if before:
            waiting.filter(pk=pk).update(due_at=max(before))


def give_back(messages: Sequence[OutboxMessage]) -> None:
    """Let others take what was not tried."""
    for message in messages:
        _held(message).update(lease_token=None, lease_until=None)


def settle(endpoint: Endpoint, messages: Sequence[OutboxMessage], handover: Handover) -> None:
    """Keep what came of an attempt at messages, and when each is tried again, if it is.

    A message that somebody else has taken meanwhile stays as they left it. Runs in the caller's
    transaction.
    """
    if not handover.skipped:
        # What a stream did not take is tried again every few seconds: one line says so.
        told = messages[:1] if _is_stream(endpoint) and not handover.delivered else messages
        DeliveryAttempt.objects.bulk_create([_attempt(one, handover) for one in told])
    alike = [messages] if _is_stream(endpoint) else [[message] for message in messages]
    for group in alike:
        _held(*group).update(
            lease_token=None,
            lease_until=None,
            attempts=Least(F("attempts") + (0 if handover.skipped else 1), MOST_COUNTED),
            last_error=handover.error[:100],
            **_next(endpoint, group[0], handover),
        )
    if not handover.skipped:
        _note(endpoint, handover)


def withdraw(event_ids: Collection[int]) -> bool:
    """Cancel what nobody outside was told of these events; return False if somebody was.

    Media caches keep what they were told. Runs in the caller's transaction, which must end
    undone on False.
    """
    messages = OutboxMessage.objects.filter(event_id__in=event_ids).exclude(
        endpoint__kind=EndpointKind.CDN
    )
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    messages.filter(free, state=DeliveryState.DUE, attempts=0).update(
        state=DeliveryState.CANCELLED, settled_at=Now(), lease_token=None, lease_until=None
    )
    quiet = (DeliveryState.CANCELLED, DeliveryState.SKIPPED)
    return not messages.exclude(state__in=quiet).exists()


def cancel_for_disabled() -> int:
    """Cancel what waits for endpoints that nothing goes to; return how many messages."""
    waiting = OutboxMessage.objects.filter(endpoint=OuterRef("pk"), state=DeliveryState.DUE)
    disabled = list(
        Endpoint.objects.filter(Exists(waiting), active=False).values_list("pk", flat=True)
    )
    if not disabled:
        return 0
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    return OutboxMessage.objects.filter(
        free, endpoint_id__in=disabled, state=DeliveryState.DUE
    ).update(state=DeliveryState.CANCELLED, settled_at=Now(), lease_token=None, lease_until=None)


def sweep() -> bool:
    """Ring if anything could be handed over now; return whether."""
    cancel_for_disabled()
    if not waiting_endpoints().exists():
        return False
    doorbell.ring_now({Lane.DELIVER})
    return True


def _held(*messages: OutboxMessage) -> QuerySet[OutboxMessage]:
    """Return those that are still under the token that they were all taken with."""
    return OutboxMessage.objects.filter(
        pk__in=[message.pk for message in messages],
        lease_token=messages[0].lease_token,
        state=DeliveryState.DUE,
    )


def _attempt(message: OutboxMessage, handover: Handover) -> DeliveryAttempt:
    return DeliveryAttempt(
        message=message,
        number=message.attempts + 1,
        started_at=datetime.now(UTC) - timedelta(milliseconds=handover.latency_ms),
        latency_ms=handover.latency_ms,
        status=handover.status,
        error=handover.error,
        request=dict(handover.request),
        response_headers=dict(handover.response_headers),
        response=handover.response,
    )


def _next(endpoint: Endpoint, message: OutboxMessage, handover: Handover) -> dict[str, object]:
    """Return what an attempt makes of its message: settled, or due again."""
    if handover.delivered:
        return {"state": DeliveryState.DELIVERED, "settled_at": Now()}
    if handover.skipped:
        return {"state": DeliveryState.SKIPPED, "settled_at": Now()}
    if _is_stream(endpoint):
        # In order: the stream is spared as a whole, and nothing overtakes what waits for it.
        return {}
    schedule = PURGE_SCHEDULE if endpoint.kind == EndpointKind.CDN else SCHEDULE
    is_last = message.attempts >= len(schedule) or message.event_type == PING
    if handover.is_final or handover.is_gone or is_last:
        return {"state": DeliveryState.FAILED, "settled_at": Now()}
    wait = schedule[message.attempts] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return {"due_at": Now() + timedelta(seconds=max(wait, _asked_wait(handover)))}


def _note(endpoint: Endpoint, handover: Handover) -> None:
    """Note on the endpoint whether it works, and for how long it is spared."""
    row = Endpoint.objects.filter(pk=endpoint.pk)
    if handover.delivered or handover.is_well:
        if endpoint.failing_since or endpoint.spared_until:
            row.update(failing_since=None, spared_until=None)
        return
    row.update(failing_since=Coalesce("failing_since", Now()))
    slows_down = handover.slows_down or _is_stream(endpoint)
    spared = _asked_wait(handover) or (SPARED_SECONDS if slows_down else 0)
    if spared:
        row.update(spared_until=Now() + timedelta(seconds=spared))


def _is_stream(endpoint: Endpoint) -> bool:
    return endpoint.kind == EndpointKind.STREAM


def _asked_wait(handover: Handover) -> float:
    return min(handover.retry_after_seconds or 0.0, MOST_SPARED_SECONDS)
