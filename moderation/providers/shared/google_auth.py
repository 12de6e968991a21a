"""How Google's services are asked: with a key or as a service account, and what their errors mean.

A service account signs a claim (RFC 7523, RS256), has it changed into a token that is good for an
hour, and sends that along.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from moderation.errors import (
    ProviderAuthFailed,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.base import Account, Setting
from moderation.providers.shared.service import (
    ServiceAdapter,
    raise_for_status,
    read_json,
    retry_after_seconds,
)

GOOGLE_SETTINGS = (
    Setting("api_key", "API key", is_secret=True, env="GOOGLE_API_KEY"),
    Setting(
        "service_account",
        "Service account",
        help="The whole JSON key file; used in place of the API key when both are given.",
        is_secret=True,
        env="GOOGLE_SERVICE_ACCOUNT",
    ),
)

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Whatever address a key file names, says Google, and does its own library.
_AUDIENCE = "https://oauth2.googleapis.com/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# The longest that Google accepts, and what it makes of no wish at all.
_CLAIM_SECONDS = 3600
# Whoever asks with a token must be done before it ends: more than our longest timeout.
RENEW_BEFORE_SECONDS = 120.0

# google.rpc.Code: an error that stands inside an answer has a number instead of a status.
CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED = 1, 2, 3, 4
NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 5, 7, 8
ABORTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 10, 13, 14, 16

Send = Callable[..., Reply]


class GoogleAdapter(ServiceAdapter):
    """The common part of Google's services; settings of a subclass hold `GOOGLE_SETTINGS`."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._tokens: TokenSource | None = None
        self._lock = threading.Lock()

    def is_available(self) -> bool:
        has_key = bool(self.secret("api_key") or self.secret("service_account"))
        return has_key and super().is_available()

    def call(self, method: str, url: str, *, json: object = None) -> dict[str, Any]:
        """Return the JSON object that Google answers. Raises as `Provider.judge`."""
        reply = self.send(method, url, headers=self._authorization(), json=json)
        if reply.status == 401 and self._tokens is not None:
            self._tokens.forget()
        raise_for_google(reply)
        return read_json(reply)

    def _authorization(self) -> dict[str, str]:
        if not self.secret("service_account"):
            # A header: addresses end up in the logs of every proxy on the way.
            return {"x-goog-api-key": self.secret("api_key")}
        with self._lock:
            if self._tokens is None:
                account = ServiceAccount.read(self.secret("service_account"))
                self._tokens = TokenSource(account, self.send)
        return {"Authorization": f"Bearer {self._tokens.token()}"}


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What we need of a service account's key file."""

    email: str
    key: RSAPrivateKey
    key_id: str
    token_url: str

    @classmethod
    def read(cls, text: str) -> ServiceAccount:
        """Raises `ProviderAuthFailed` for anything but a service account's key file."""
        try:
            found = json.loads(text)
            key = load_pem_private_key(found["private_key"].encode(), password=None)
            kind, email, token_url = (found[name] for name in ("type", "client_email", "token_uri"))
        except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
            # Without its cause, which may quote the key.
            raise ProviderAuthFailed("The service account is no readable key file.") from None
        if kind != "service_account" or not isinstance(key, RSAPrivateKey):
            raise ProviderAuthFailed("The key file is no service account's.")
        return cls(str(email), key, str(found.get("private_key_id", "")), str(token_url))

    def signed_claim(self, now: float) -> str:
        """Return a JWT that asks for a token; `now` is in seconds since 1970."""
        header = {"alg": "RS256", "typ": "JWT", "kid": self.key_id}
        claim = {
            "iss": self.email,
            "scope": _SCOPE,
            "aud": _AUDIENCE,
            "iat": int(now),
            "exp": int(now) + _CLAIM_SECONDS,
        }
        signed = f"{_packed(header)}.{_packed(claim)}"
        signature = self.key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{_base64url(signature)}"


class TokenSource:
    """Keeps one token until shortly before it ends. Safe between threads."""

    def __init__(self, account: ServiceAccount, send: Send) -> None:
        self._account = account
        self._send = send
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def token(self) -> str:
        """Raises as `Provider.judge`."""
        with self._lock:
            if not self._token or time.monotonic() >= self._renew_at:
                self._token, lasts = self._fetch()
                self._renew_at = time.monotonic() + lasts - RENEW_BEFORE_SECONDS
            return self._token

    def forget(self) -> None:
        """Ask for a new token next time: this one is no longer good."""
        with self._lock:
            self._token = ""

    def _fetch(self) -> tuple[str, float]:
        form = {"grant_type": _GRANT, "assertion": self._account.signed_claim(time.time())}
        reply = self._send(
            "POST",
            self._account.token_url,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        if reply.status in (400, 401, 403):
            raise ProviderAuthFailed(f"The service account was refused with {reply.status}.")
        raise_for_status(reply)
        found = read_json(reply)
        token, lasts = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(lasts, int | float):
            raise ProviderMalformed("The answer holds no token.")
        return token, float(lasts)


def _packed(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- errors ------------------------------------------------------------------------------------


def raise_for_google(reply: Reply) -> None:
    """Raise what Google's error envelope says, as far as its status alone does not."""
    if reply.status < 400:
        raise_for_status(reply)
        return
    details = _error_details(reply)
    if reply.status == 400 and "API_KEY_INVALID" in _reasons(details):
        raise ProviderAuthFailed("The key is not valid.")
    if reply.status == 429:
        asked = retry_after_seconds(reply.headers)
        raise ProviderRateLimited(
            "Asked to wait.",
            retry_after_seconds=_retry_delay(details) if asked is None else asked,
        )
    raise_for_status(reply)


def raise_for_code(code: object) -> None:
    """Raise what a google.rpc.Code inside an answer means."""
    if code == RESOURCE_EXHAUSTED:
        raise ProviderRateLimited("Asked to wait.")
    if code in (PERMISSION_DENIED, UNAUTHENTICATED):
        raise ProviderAuthFailed(f"Refused with code {code}.")
    if code in (CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, ABORTED, INTERNAL, UNAVAILABLE):
        raise ProviderUnavailable(f"Failed with code {code}.")
    raise ProviderRejected(f"Refused with code {code}.")


def _error_details(reply: Reply) -> list[dict[str, Any]]:
    try:
        details = read_json(reply)["error"]["details"]
    except (ProviderMalformed, KeyError, TypeError):
        # Whatever a proxy in between says: its status is enough.
        return []
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def _reasons(details: list[dict[str, Any]]) -> set[str]:
    return {str(one.get("reason", "")) for one in details}


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    """Return the seconds of a google.rpc.RetryInfo, None where there is none."""
    for one in details:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(one.get("retryDelay", "")))
        if found:
            return float(found[1])
    return None
