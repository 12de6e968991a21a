"""Amazon's notification service: topics, who subscribed to them, and messages it signs.

The key is made when it is first needed; the certificate is served where messages say it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from moderation.sandbox.protocol import Desk, Outgoing, Reply, Request

ROOT = "/sns/"
# Whoever tests at a time of their own needs a certificate of that time.
VALID_FROM, VALID_TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


@dataclass(slots=True)
class Subscription:
    """`version` is how the topic's messages to it are signed: 1 with SHA-1, 2 with SHA-256."""

    topic: str
    endpoint: str
    version: str = "2"
    is_confirmed: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def arn(self) -> str:
        return f"{self.topic}:{hashlib.sha256(self.token.encode()).hexdigest()[:12]}"


class Signer:
    """A key and its certificate, as anyone can make them."""

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(VALID_FROM)
            .not_valid_after(VALID_TO)
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    @property
    def path(self) -> str:
        digest = hashlib.sha256(self.certificate).hexdigest()[:32]
        return f"{ROOT}SimpleNotificationService-{digest}.pem"

    def sign(self, message: Mapping[str, str], version: str) -> str:
        names = [name for name in _SIGNED[message["Type"]] if name in message]
        text = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303
        return base64.b64encode(self.key.sign(text, padding.PKCS1v15(), digest)).decode()


class Sns:
    """Safe to share between threads. `root` is the service's part of every address."""

    def __init__(self, root: str) -> None:
        self.signer = Signer()
        self._root = root
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []

    def answer(self, request: Request) -> Reply:
        """Return the certificate, or confirm the subscription whose token is given."""
        if request.path == self.signer.path:
            return Reply(200, self.signer.certificate, {"Content-Type": "application/x-pem-file"})
        wanted = (request.first("Action"), request.first("TopicArn"), request.first("Token"))
        with self._lock:
            for one in self._subscriptions:
                if wanted == ("ConfirmSubscription", one.topic, one.token):
                    one.is_confirmed = True
                    return _xml(200, f"<SubscriptionArn>{one.arn}</SubscriptionArn>")
        return _xml(404, "<Code>NotFound</Code>")

    def subscribe(self, wanted: Mapping[str, Any], desk: Desk) -> Reply:
        """Keep a subscription, and ask its endpoint whether it is meant."""
        one = Subscription(
            str(wanted["TopicArn"]),
            str(wanted["Endpoint"]),
            str(wanted.get("SignatureVersion", "2")),
            is_confirmed=bool(wanted.get("Confirmed")),
        )
        with self._lock:
            self._subscriptions.append(one)
        if not one.is_confirmed:
            desk.call_back(partial(self._asks, "SubscriptionConfirmation", one, desk))
        return Reply(200, {"SubscriptionArn": one.arn})

    def unsubscribe(self, wanted: Mapping[str, Any], desk: Desk) -> Reply:
        """End the subscriptions of an endpoint, and tell it so."""
        with self._lock:
            ended = [one for one in self._subscriptions if one.endpoint == wanted["Endpoint"]]
            self._subscriptions = [one for one in self._subscriptions if one not in ended]
        for one in ended:
            desk.call_back(partial(self._asks, "UnsubscribeConfirmation", one, desk))
        return Reply(200, {"ended": len(ended)})

    def confirmed(self, topic: str) -> list[Subscription]:
        with self._lock:
            return [one for one in self._subscriptions if one.topic == topic and one.is_confirmed]

    def notification(
        self, one: Subscription, message: Mapping[str, object], desk: Desk
    ) -> Outgoing:
        base = f"{desk.base_url}{self._root}{ROOT}"
        return self._outgoing(
            one,
            {
                "Type": "Notification",
                "MessageId": str(uuid4()),
                "TopicArn": one.topic,
                "Message": json.dumps(message),
                "Timestamp": _written(desk.now()),
            },
            desk,
            {"UnsubscribeURL": f"{base}?Action=Unsubscribe&SubscriptionArn={one.arn}"},
        )

    def _asks(self, kind: str, one: Subscription, desk: Desk) -> Outgoing:
        query = f"Action=ConfirmSubscription&TopicArn={one.topic}&Token={one.token}"
        return self._outgoing(
            one,
            {
                "Type": kind,
                "MessageId": str(uuid4()),
                "Token": one.token,
                "TopicArn": one.topic,
                "Message": "Visit the address in SubscribeURL to receive messages of this topic.",
                "SubscribeURL": f"{desk.base_url}{self._root}{ROOT}?{query}",
                "Timestamp": _written(desk.now()),
            },
            desk,
            {},
        )

    def _outgoing(
        self, one: Subscription, message: dict[str, str], desk: Desk, unsigned: Mapping[str, str]
    ) -> Outgoing:
        body = {
            **message,
            "SignatureVersion": one.version,
            "Signature": self.signer.sign(message, one.version),
            "SigningCertURL": f"{desk.base_url}{self._root}{self.signer.path}",
            **unsigned,
        }
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": message["Type"],
            "x-amz-sns-message-id": message["MessageId"],
            "x-amz-sns-topic-arn": one.topic,
        }
        if message["Type"] != "SubscriptionConfirmation":
            headers["x-amz-sns-subscription-arn"] = one.arn
        return Outgoing(one.endpoint, json.dumps(body).encode(), headers)


def _written(unix_time: float) -> str:
    at = datetime.fromtimestamp(unix_time, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _xml(status: int, inner: str) -> Reply:
    return Reply(status, f"<Answer>{inner}</Answer>".encode(), {"Content-Type": "text/xml"})
