"""Whether a webhook is what it says it is, by Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gatehouse_client.errors import MalformedAnswer, NotConfigured, WebhookRefused
from gatehouse_client.facts import Facts

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"
_VERSION = "v1,"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What happened. `id` is the same each time that a message is sent: do its work once."""

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any] = field(repr=False)


def verify_webhook(
    payload: bytes | str,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookEvent:
    """Return the event that a webhook tells of. Raises `WebhookRefused`.

    `payload` is the body as it came: read and written again it has another signature. With
    several secrets one that fits is enough. `now` is in seconds since 1970. A
    secret that is none raises `NotConfigured`.
    """
    body = _bytes_of(payload) if isinstance(payload, str) else payload
    sent = {name.lower(): value for name, value in headers.items()}
    message_id = _needed(sent, "webhook-id")
    timestamp = _needed(sent, "webhook-timestamp")
    _check_age(timestamp, time.time() if now is None else now, tolerance_seconds)
    signed = _bytes_of(f"{message_id}.{timestamp}.") + body
    secrets = [secret] if isinstance(secret, str) else secret
    if not _is_signed(
        signed, _needed(sent, "webhook-signature"), [_key_of(one) for one in secrets]
    ):
        raise WebhookRefused("No signature fits.")
    return _read(body, message_id)


def _bytes_of(text: str) -> bytes:
    # What is no Unicode was never signed: whatever stands in its place does not fit.
    return text.encode("utf-8", "replace")


def _needed(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise WebhookRefused(f"The header {name} is missing.")
    return value


def _check_age(timestamp: str, now: float, tolerance_seconds: float) -> None:
    # Longer ones are no time, and would take long to read.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise WebhookRefused("The header webhook-timestamp is no time.")
    if abs(now - int(timestamp)) > tolerance_seconds:
        raise WebhookRefused("It was signed too long ago, or in the future.")


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise NotConfigured(f"A webhook's secret is {_PREFIX} and Base64 after it.")
    return key


def _is_signed(signed: bytes, signatures: str, keys: Sequence[bytes]) -> bool:
    given = list(_digests_in(signatures))
    found = False
    for key in keys:
        expected = hmac.new(key, signed, hashlib.sha256).digest()
        # All are compared, in constant time each: how long it takes tells nothing.
        for digest in given:
            found |= hmac.compare_digest(expected, digest)
    return found


def _digests_in(signatures: str) -> Iterator[bytes]:
    """Yield the symmetric signatures; others, such as `v1a`, are for other keys."""
    for signature in signatures.split(" "):
        if not signature.startswith(_VERSION):
            continue
        try:
            yield base64.b64decode(signature.removeprefix(_VERSION), validate=True)
        except ValueError:
            continue


def _read(body: bytes, message_id: str) -> WebhookEvent:
    try:
        facts = Facts(json.loads(body), "payload")
        return WebhookEvent(
            id=message_id,
            type=facts.text("type"),
            timestamp=facts.time("timestamp"),
            data=facts.nested("data").raw,
        )
    except (ValueError, RecursionError, MalformedAnswer) as error:
        raise WebhookRefused(f"Signed, but no event: {type(error).__name__}.") from error
