"""Webhooks by Standard Webhooks 1.0: what is sent, and how it is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.urls import reverse

from moderation import tracing
from moderation.conf import get_conf
from moderation.delivery.event_types import EVENT_TYPES, PING
from moderation.delivery.handover import Handover, hand_over
from moderation.delivery.listeners import Listener
from moderation.models import AuditEvent, Endpoint, OutboxMessage

PREFIX = "whsec_"
# Between the 24 and 64 bytes that the standard asks for.
_SECRET_BYTES = 32
# What the standard advises to stay below.
MAX_PAYLOAD_BYTES = 20_000
SECRET_LOST = "secret_lost"  # noqa: S105  # an error's code


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, as it stands in `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def payload_of(event: AuditEvent, listener: Listener, *, reference: str = "") -> str:
    """Return the body that tells of an event: ids, words, numbers and links, never a text.

    `reference` is what its client calls the post that the event is about.
    """
    names = EVENT_TYPES[event.kind].facts
    facts = {name: event.facts[name] for name in names if name in event.facts}
    payload = _written(event, listener, facts, reference)
    if len(payload) < MAX_PAYLOAD_BYTES:
        return payload
    return _written(event, listener, {}, reference)


def _written(
    event: AuditEvent, listener: Listener, facts: dict[str, object], reference: str
) -> str:
    data = {
        "community": listener.community,
        "subject": event.subject_kind,
        "id": event.subject_id,
        "reference": reference or None,
        "sequence": event.sequence,
        "revision": event.revision,
        "status": event.facts.get("status"),
        "visibility": event.facts.get("visibility"),
        "actor": str(event.actor_kind),
        "facts": facts,
        "links": _links(event, listener),
    }
    return _json(event.kind, event.happened_at, data)


def ping_payload(community: str) -> str:
    return _json(PING, datetime.now(UTC), {"community": community})


def _json(event_type: str, at: datetime, data: dict[str, object]) -> str:
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"type": event_type, "timestamp": stamp, "data": data}, separators=(",", ":"))


def _links(event: AuditEvent, listener: Listener) -> dict[str, str]:
    if event.subject_kind != "post":
        return {}
    conf = get_conf()
    links = {}
    if conf.public_url:
        links["post"] = conf.public_url + reverse("api:post", args=[event.subject_id])
    if listener.is_read_here and conf.post_page:
        links["page"] = conf.post_page.format(post=event.subject_id)
    return links


def prepare(endpoint: Endpoint, messages: Sequence[OutboxMessage]) -> Callable[[], Handover]:
    """Return what hands one message over, signed at that moment with each secret that holds."""
    (message,) = messages
    keys = valid_secrets(endpoint)

    def send() -> Handover:
        if not keys:
            return Handover(error=SECRET_LOST)
        body = message.payload.encode()
        timestamp = int(time.time())
        signatures = [
            sign(key, message_id=message.message_id, timestamp=timestamp, body=body) for key in keys
        ]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
            **tracing.headers(),
        }
        return hand_over("POST", endpoint.url, headers=headers, content=body)

    return send


def valid_secrets(endpoint: Endpoint) -> list[str]:
    """Return the secrets to sign with, the current one first."""
    names = ["current"]
    until = endpoint.previous_secret_until
    if until is not None and until > datetime.now(UTC):
        names.append("previous")
    return [endpoint.secrets[name] for name in names if endpoint.secrets.get(name)]
