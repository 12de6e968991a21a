"""Google's token endpoint, and what all of Google's services here share: who may ask, and errors.

`GET /service-account.json` gives the key file of a service account that this sandbox knows.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from moderation.sandbox.protocol import Desk, Reply, Request

EMAIL = "sandbox@gatehouse.example"
KEY_ID = "sandbox-key-1"
TOKEN_SECONDS = 3600
# Google's own address, also where a key file names another one.
_AUDIENCE = "https://oauth2.googleapis.com/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# As far as Google lets a clock be wrong, more or less.
_SKEW_SECONDS = 300
_TOKEN = "ya29.sandbox-"  # noqa: S105 - how a token begins

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GoogleTokenService:
    """Changes a claim that the sandbox's own service account signed into a token."""

    prefix: ClassVar[str] = "google_token"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if request.method == "GET" and request.path.strip("/") == "service-account.json":
            return Reply(body=self._key_file(f"{desk.base_url}/{self.prefix}/token"))
        if request.method != "POST" or request.path.strip("/") != "token":
            return google_error(404, "There is nothing here.")
        form = parse_qs(request.body.decode("latin-1"))
        if form.get("grant_type") != [_GRANT]:
            return _refused("unsupported_grant_type", "Send a JWT bearer grant.")
        wrong = self._wrong_with(form.get("assertion", [""])[0])
        if wrong:
            return _refused("invalid_grant", wrong)
        token = f"{_TOKEN}{int(time.time()) + TOKEN_SECONDS}"
        return Reply(
            body={"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}
        )

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return google_failure(status, retry_after)

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return generate_private_key(public_exponent=65537, key_size=2048)

    def _key_file(self, address: str) -> dict[str, str]:
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": KEY_ID,
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "token_uri": address,
        }

    def _wrong_with(self, assertion: str) -> str:
        """Return "" for a claim as Google wants it."""
        try:
            signed, _, signature = assertion.rpartition(".")
            header, claim = (_unpacked(step) for step in signed.split("."))
            self._key.public_key().verify(
                _decoded(signature), signed.encode(), PKCS1v15(), SHA256()
            )
        except (ValueError, InvalidSignature):
            return "Invalid JWT signature."
        if header.get("alg") != "RS256" or claim.get("iss") != EMAIL:
            return "Invalid JWT header or issuer."
        if claim.get("aud") != _AUDIENCE or not claim.get("scope"):
            return "Invalid audience or scope."
        begins, ends, now = claim.get("iat", 0), claim.get("exp", 0), time.time()
        if not now - _SKEW_SECONDS < begins < now + _SKEW_SECONDS or not 0 < ends - begins <= 3600:
            return "The token must be short-lived and begin now."
        return ""


def refusal(request: Request) -> Reply | None:
    """Return the answer for who may not ask, None for who may.

    Any API key is good but `bad-key`; a bearer token must be one that this sandbox gave out.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        ends = token.removeprefix(_TOKEN)
        if token.startswith(_TOKEN) and ends.isdecimal() and int(ends) > time.time():
            return None
        return google_error(401, "The access token is not valid.", _info("ACCESS_TOKEN_EXPIRED"))
    key = request.headers.get("x-goog-api-key") or request.first("key")
    if not key:
        return google_error(403, "Say who you are: there is neither a key nor a token.")
    if key == "bad-key":
        return google_error(
            400, "API key not valid. Please pass a valid API key.", _info("API_KEY_INVALID")
        )
    return None


def google_error(status: int, message: str, details: Sequence[dict[str, object]] = ()) -> Reply:
    """Return an error in the envelope of all of Google's services."""
    error: dict[str, object] = {
        "code": status,
        "message": message,
        "status": _STATUSES.get(status, "UNKNOWN"),
    }
    if details:
        error["details"] = list(details)
    return Reply(status, {"error": error})


def google_failure(status: int, retry_after: str | None) -> Reply:
    """Return a scripted failure."""
    limited = _info("RATE_LIMIT_EXCEEDED") if status == 429 else ()
    reply = google_error(status, "This failure was asked for.", limited)
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Reply(reply.status, reply.body, headers)


def _info(reason: str) -> list[dict[str, object]]:
    return [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
        }
    ]


def _refused(code: str, message: str) -> Reply:
    return Reply(400, {"error": code, "error_description": message})


def _unpacked(step: str) -> dict[str, Any]:
    found = json.loads(_decoded(step))
    if not isinstance(found, dict):
        raise ValueError("No object.")  # noqa: TRY004 - as for anything else that is no JWT
    return found


def _decoded(step: str) -> bytes:
    return base64.urlsafe_b64decode(step + "=" * (-len(step) % 4))
