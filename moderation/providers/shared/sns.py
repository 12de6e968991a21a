"""Messages of Amazon's notification service: believed only when Amazon signed them.

How: docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from moderation.errors import CallbackRefused

# A delivery may be repeated for an hour with the time of the first.
MAX_AGE = timedelta(minutes=75)
# Two clocks are never quite the same.
MAX_AHEAD = timedelta(minutes=5)
# Amazon changes its certificate about once a year.
_MOST_CERTIFICATES = 8

_HOST = r"https://sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?"
_REST = r"/[\w.~%/?&=:+-]*"
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
# What is signed, in this order.
_SIGNED: Mapping[str, tuple[str, ...]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_DIGESTS: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}


class Topic:
    """One topic whose messages are believed. Safe to share between threads.

    `fetch` returns the file at an address. `host` ("host" or "host:port") replaces Amazon's own,
    for a sandbox; then plain HTTP will do.
    """

    def __init__(self, arn: str, *, fetch: Callable[[str], bytes], host: str = "") -> None:
        self._arn = arn
        self._fetch = fetch
        self._address = re.compile(
            (f"https?://{re.escape(host)}" if host else _HOST) + _REST, re.ASCII
        )
        self._certificates: dict[str, x509.Certificate] = {}
        self._lock = threading.Lock()

    def read(self, body: bytes, *, now: datetime) -> dict[str, str]:
        """Return what was signed of an authentic message. Raises `CallbackRefused`."""
        envelope = _envelope(body)
        signed = _signed_values(envelope)
        if not self._arn or signed["TopicArn"] != self._arn:
            raise CallbackRefused("The message is of another topic.")
        if not _is_fresh(signed["Timestamp"], now):
            raise CallbackRefused("The message is too old.")
        address = signed.get("SubscribeURL")
        if address is not None and not self.has(address):
            raise CallbackRefused("The address to confirm is not Amazon's.")
        self._verify(envelope, signed, now)
        return signed

    def has(self, address: str) -> bool:
        """Whether an address is one of the service itself."""
        return self._address.fullmatch(address) is not None

    def _verify(
        self, envelope: Mapping[str, object], signed: Mapping[str, str], now: datetime
    ) -> None:
        certificate = self._certificate(envelope.get("SigningCertURL"))
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise CallbackRefused("The certificate is not valid now.")
        key = certificate.public_key()
        digest = _DIGESTS.get(str(envelope.get("SignatureVersion")))
        if digest is None or not isinstance(key, rsa.RSAPublicKey):
            raise CallbackRefused("The message is signed in a way that is not known.")
        text = "".join(f"{name}\n{value}\n" for name, value in signed.items())
        try:
            signature = base64.b64decode(str(envelope.get("Signature")), validate=True)
            key.verify(signature, text.encode(), padding.PKCS1v15(), digest())
        except (ValueError, InvalidSignature) as error:
            raise CallbackRefused("The signature is wrong.") from error

    def _certificate(self, address: object) -> x509.Certificate:
        if not isinstance(address, str) or not self.has(address) or not address.endswith(".pem"):
            raise CallbackRefused("The certificate is not Amazon's.")
        with self._lock:
            known = self._certificates.get(address)
        return known or self._fetch_certificate(address)

    def _fetch_certificate(self, address: str) -> x509.Certificate:
        try:
            certificate = x509.load_pem_x509_certificate(self._fetch(address))
        except ValueError as error:
            raise CallbackRefused("The certificate cannot be read.") from error
        with self._lock:
            if len(self._certificates) >= _MOST_CERTIFICATES:
                self._certificates.clear()
            self._certificates[address] = certificate
        return certificate


def _envelope(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CallbackRefused("The message is no JSON.") from error
    if not isinstance(found, dict):
        raise CallbackRefused("The message is no JSON object.")
    return found


def _signed_values(envelope: Mapping[str, object]) -> dict[str, str]:
    names = _SIGNED.get(str(envelope.get("Type")))
    if names is None:
        raise CallbackRefused("The message is of an unknown type.")
    signed = {}
    for name in names:
        value = envelope.get(name)
        if isinstance(value, str):
            signed[name] = value
        elif name != "Subject" or value is not None:
            raise CallbackRefused(f"The message has no {name}.")
    return signed


def _is_fresh(timestamp: str, now: datetime) -> bool:
    try:
        age = now - datetime.fromisoformat(timestamp)
    except (ValueError, TypeError):
        # A time without a zone cannot be compared.
        return False
    return -MAX_AHEAD <= age <= MAX_AGE
