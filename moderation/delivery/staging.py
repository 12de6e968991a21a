"""Stage what endpoints are told, in the transaction that records it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from moderation.delivery import cdn, doorbell, email, webhook
from moderation.delivery.event_types import EVENT_TYPES, wants
from moderation.delivery.listeners import Listener, listeners_of
from moderation.models import AuditEvent, OutboxMessage
from moderation.vocabulary import EndpointKind, Lane

# As many as go into one statement everywhere.
_BATCH = 500


def stage(events: Sequence[AuditEvent]) -> None:
    """Stage a message for every endpoint that is told of an event. Costs nothing without any."""
    listening = {
        pk: found
        for pk in {event.community_id for event in events}
        if pk is not None and (found := listeners_of(pk))
    }
    if not listening:
        return
    rows = [
        row
        for event in events
        for listener in listening.get(event.community_id or 0, ())
        for row in messages_of(event, listener)
    ]
    if rows:
        OutboxMessage.objects.bulk_create(rows, batch_size=_BATCH)
        transaction.on_commit(partial(doorbell.ring, (Lane.DELIVER,)))


def messages_of(event: AuditEvent, listener: Listener) -> Iterator[OutboxMessage]:
    """Yield the messages about an event that an endpoint is to get; not saved."""
    if listener.kind is EndpointKind.CDN:
        if cdn.hides(event):
            yield _message(event, listener)
            # A cache may be reading a file while it is told to forget it: it is told once more.
            late = Now() + timedelta(seconds=cdn.REPEAT_SECONDS)
            yield _message(event, listener, suffix="_again", due_at=late)
    elif wants(listener.event_types, event.kind):
        if listener.kind is EndpointKind.EMAIL and event.kind in email.NOTICES:
            yield _message(event, listener)
        elif listener.kind is EndpointKind.WEBHOOK and event.kind in EVENT_TYPES:
            yield _message(event, listener, payload=webhook.payload_of(event, listener))


def _message(
    event: AuditEvent, listener: Listener, *, suffix: str = "", **fields: object
) -> OutboxMessage:
    return OutboxMessage(
        endpoint_id=listener.endpoint_id,
        event=event,
        # The digest is of nothing else, and says nothing to a stranger.
        message_id=f"msg_{event.digest[:32]}{suffix}",
        event_type=event.kind,
        **fields,
    )
