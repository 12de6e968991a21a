"""Signature Version 4 as a server checks it, recomputed from the request as it arrived."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from moderation.sandbox.protocol import Request

# Every access key id but `BAD_KEY` has this secret.
SECRET = "good-key"  # noqa: S105
BAD_KEY = "bad-key"
EXPIRED_TOKEN = "expired-token"  # noqa: S105
MAX_SKEW = timedelta(minutes=15)

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +"
    r"Credential=(?P<key>[^/,\s]+)/(?P<scope>\d{8}/[a-z0-9-]+/(?P<service>[a-z0-9-]+)/aws4_request)"
    r", *SignedHeaders=(?P<names>[a-z0-9;-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """The request is not authentic; the message is Amazon's code for why."""


def check_signature(request: Request, *, service: str) -> None:
    """Raises `Refused`."""
    claimed = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if claimed is None:
        given = "authorization" in request.headers
        raise Refused("IncompleteSignatureException" if given else "MissingAuthenticationToken")
    if claimed["key"] == BAD_KEY:
        raise Refused("UnrecognizedClientException")
    if request.headers.get("x-amz-security-token") == EXPIRED_TOKEN:
        raise Refused("ExpiredTokenException")
    if claimed["service"] != service or not _is_recent(request.headers, claimed["scope"]):
        raise Refused("InvalidSignatureException")
    names = claimed["names"].split(";")
    if names != sorted(names) or not _needed(request.headers) <= set(names):
        raise Refused("InvalidSignatureException")
    expected = _signature(request, claimed["scope"], names, service)
    if not hmac.compare_digest(expected, claimed["signature"]):
        raise Refused("InvalidSignatureException")


def _needed(headers: Mapping[str, str]) -> set[str]:
    """Return what must be signed: the host, the content's type and all that is Amazon's own."""
    own = {name for name in headers if name.startswith("x-amz-")}
    return {"host", *own, *({"content-type"} & headers.keys())}


def _is_recent(headers: Mapping[str, str], scope: str) -> bool:
    try:
        at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return False
    return f"{at:%Y%m%d}" == scope[:8] and abs(datetime.now(UTC) - at) <= MAX_SKEW


def _signature(request: Request, scope: str, names: list[str], service: str) -> str:
    parts = urlsplit(request.url)
    path = parts.path or "/"
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    lines = [
        request.method,
        path if service == "s3" else quote(path, safe="/~"),
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{_folded(request.headers.get(name, ''))}" for name in names),
        "",
        ";".join(names),
        _payload(request, service),
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for step in [*scope.split("/"), text]:
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex()


def _folded(value: str) -> str:
    return re.sub(r" +", " ", value.strip())


def _payload(request: Request, service: str) -> str:
    found = hashlib.sha256(request.body).hexdigest()
    claimed = request.headers.get("x-amz-content-sha256")
    if service != "s3":
        return found
    if claimed not in (found, "UNSIGNED-PAYLOAD"):
        raise Refused("XAmzContentSHA256Mismatch")
    return claimed
