"""Stage what endpoints are told, in the transaction that records it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.delivery import cdn, doorbell, email, webhook
from moderation.delivery.event_types import EVENT_TYPES, NEVER_SENT, wants
from moderation.delivery.listeners import Listener, listeners_of
from moderation.models import AuditEvent, OutboxMessage, Post
from moderation.vocabulary import ActorKind, EndpointKind, Lane

# As many as go into one statement everywhere.
_BATCH = 500
# What a moderator does is told only when they can no longer undo it.
_WAITS = frozenset(
    {
        "decision.approved",
        "decision.rejected",
        "enforcement.reversed",
        "report.settled",
        "report.reopened",
    }
)
_TOLD_IN_FULL = frozenset({EndpointKind.WEBHOOK, EndpointKind.STREAM})


def stage(events: Sequence[AuditEvent]) -> None:
    """Stage a message for every endpoint that is told of an event. Costs nothing without any."""
    listening = {
        pk: found
        for pk in {event.community_id for event in events}
        if pk is not None and (found := listeners_of(pk))
    }
    if not listening:
        return
    references = references_of(
        event
        for event in events
        if any(one.kind in _TOLD_IN_FULL for one in listening.get(event.community_id or 0, ()))
    )
    rows = [
        row
        for event in events
        for listener in listening.get(event.community_id or 0, ())
        for row in messages_of(event, listener, reference=references.get(event.subject_id, ""))
    ]
    if rows:
        OutboxMessage.objects.bulk_create(rows, batch_size=_BATCH)
        transaction.on_commit(partial(doorbell.ring, (Lane.DELIVER,)))


def _wait_of(event: AuditEvent) -> dict[str, Any]:
    """Return when a message about an event is due, empty for at once."""
    seconds = get_conf().undo_seconds
    if not seconds or event.kind not in _WAITS or event.actor_kind != ActorKind.MODERATOR:
        return {}
    return {"due_at": Now() + timedelta(seconds=seconds)}


def references_of(events: Iterable[AuditEvent]) -> dict[str, str]:
    """Return what clients call the posts that events are about, by our own ids."""
    ids = {event.subject_id for event in events if event.subject_kind == "post"}
    if not ids:
        return {}
    named = Post.objects.filter(pk__in=ids).exclude(reference="")
    return {str(pk): reference for pk, reference in named.values_list("pk", "reference")}


def messages_of(
    event: AuditEvent, listener: Listener, *, reference: str = ""
) -> Iterator[OutboxMessage]:
    """Yield the messages about an event that an endpoint is to get; not saved.

    `reference` is what its client calls the post that the event is about.
    """
    if listener.kind is EndpointKind.CDN:
        if cdn.hides(event):
            yield _message(event, listener)
            # A cache may be reading a file while it is told to forget it: it is told once more.
            late = Now() + timedelta(seconds=cdn.REPEAT_SECONDS)
            yield _message(event, listener, suffix="_again", due_at=late)
    elif event.kind not in NEVER_SENT and wants(listener.event_types, event.kind):
        if listener.kind is EndpointKind.EMAIL and email.tells_of(event.kind, event.facts):
            yield _message(event, listener, **_wait_of(event))
        elif listener.kind in _TOLD_IN_FULL and event.kind in EVENT_TYPES:
            payload = webhook.payload_of(event, listener, reference=reference)
            yield _message(event, listener, payload=payload, **_wait_of(event))


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
