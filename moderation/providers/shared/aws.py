"""What Amazon's services have in common: Signature Version 4, and errors known by their code.

The algorithm: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlsplit

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.shared.service import raise_for_status, retry_after_seconds

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}

# By code, never by status: most of these arrive with 400, some with 403 or 500.
_ERRORS: Mapping[str, type[ProviderError]] = {
    **dict.fromkeys(
        (
            "LimitExceededException",  # too many videos at once: it ends when one of them does
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        ProviderRateLimited,
    ),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationHeaderMalformed",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "SubscriptionRequiredException",
            "UnrecognizedClientException",
        ),
        ProviderAuthFailed,
    ),
    **dict.fromkeys(
        ("HumanLoopQuotaExceededException", "ServiceQuotaExceededException"),
        ProviderQuotaExhausted,
    ),
    **dict.fromkeys(
        (
            "EntityTooLarge",
            "IdempotentParameterMismatchException",
            "ImageTooLargeException",
            "InvalidImageFormatException",
            "InvalidParameterException",
            "ResourceNotFoundException",
            "ValidationException",
            "VideoTooLargeException",
        ),
        ProviderRejected,
    ),
    **dict.fromkeys(("NoSuchBucket", "PermanentRedirect"), ProviderGone),
    **dict.fromkeys(
        (
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InvalidPaginationTokenException",
            "InvalidS3ObjectException",
            "RequestTimeout",
            "ResourceNotReadyException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ),
        ProviderUnavailable,
    ),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """`session_token` comes with temporary keys only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed_headers(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes,
    service: str,
    region: str,
    credentials: Credentials,
    now: datetime,
) -> dict[str, str]:
    """Return `headers` and those that make the request authentic.

    `url` has no query and is escaped already; `now` is in UTC. A `Host` header is signed as it
    will be sent, but not returned.
    """
    payload = hashlib.sha256(content).hexdigest()
    sent = {name.lower(): value for name, value in headers.items()}
    sent["x-amz-date"] = now.strftime("%Y%m%dT%H%M%SZ")
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    if service == "s3":
        sent["x-amz-content-sha256"] = payload
    signed = {**sent, "host": _host(url)}
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            method,
            _canonical_path(url, service),
            "",
            *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
            "",
            names,
            payload,
        )
    )
    scope = f"{now:%Y%m%d}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join((_ALGORITHM, sent["x-amz-date"], scope, digest))
    signature = hmac.new(
        _signing_key(credentials.secret_access_key, scope), to_sign.encode(), hashlib.sha256
    ).hexdigest()
    sent["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return sent


def raise_for_answer(reply: Reply) -> None:
    """Raise what an answer means that is no success. Raises `ProviderError`."""
    if reply.status < 300:
        return
    code = error_code(reply)
    kind = _ERRORS.get(code)
    if kind is ProviderRateLimited:
        raise ProviderRateLimited(code, retry_after_seconds=retry_after_seconds(reply.headers))
    if kind is not None:
        raise kind(code)
    raise_for_status(reply)


def error_code(reply: Reply) -> str:
    """Return what an answer calls its error, "" where it does not say."""
    found = reply.headers.get("x-amzn-errortype") or _code_in(reply.content)
    # A namespace may stand before it, an address behind it.
    match = re.fullmatch(r"(?:[\w.]+#)?(\w{1,80})(?::.*)?", found)
    return match[1] if match else ""


def _code_in(content: bytes) -> str:
    if (in_xml := re.search(rb"<Code>(\w+)</Code>", content)) is not None:
        return in_xml[1].decode()
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    found = (body.get("__type") or body.get("Code")) if isinstance(body, dict) else ""
    return found if isinstance(found, str) else ""


def _host(url: str) -> str:
    """Return the host as HTTP sends it: the port only where it is not the usual one."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(f":{_DEFAULT_PORTS[parts.scheme]}")


def _canonical_path(url: str, service: str) -> str:
    path = urlsplit(url).path or "/"
    # Every service but S3 escapes a path once more.
    return path if service == "s3" else quote(path, safe="/~")


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for step in scope.split("/"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key
