"""What came of handing something over, and the one way to hand it over by HTTP."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from moderation.conf import get_conf
from moderation.errors import FetchRefused
from moderation.outbound import GuardedClient, Reply
from moderation.outbound.targets import host_and_port
from moderation.outbound.waits import retry_after_seconds

# Threads of one process never ask for more at once.
MOST_CONNECTIONS = 64
# What the log keeps of an answer.
KEPT_BYTES = 2048
_KEPT_HEADERS, _KEPT_HEADER_CHARS = 30, 300
_SLOW_DOWN = frozenset({429, 502, 504})
# Refusals that say something of our network are all told alike.
TIMEOUT = "timeout"
NO_ANSWER = "no_connection"
_TOLD = {"timeout": TIMEOUT}
NOT_HTTPS = "not_https"
_HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Handover:
    """How an attempt ended. `error` is a short code, "" when it was delivered.

    `skipped` says that there was nothing to hand over, `is_final` that trying again cannot help,
    `is_gone` that the endpoint wants nothing more, `slows_down` that it wants less, `is_well` that
    it answered as it should and what failed is about this one message alone.
    """

    delivered: bool = False
    skipped: bool = False
    is_final: bool = False
    is_gone: bool = False
    slows_down: bool = False
    is_well: bool = False
    retry_after_seconds: float | None = None
    error: str = ""
    status: int | None = None
    latency_ms: float = 0.0
    request: Mapping[str, object] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response: str = ""

    @classmethod
    def nothing(cls, why: str) -> Handover:
        return cls(skipped=True, error=why)


def hand_over(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
    hidden: Collection[str] = (),
) -> Handover:
    """Send one request; only 2xx counts as delivered, and no redirect is followed.

    `hidden` headers are kept out of the log, for what proves who we are.
    """
    kept = {name: _HIDDEN if name in hidden else value for name, value in headers.items()}
    request: dict[str, object] = {"method": method, "url": url, "headers": kept}
    if not may_be_told(url):
        return Handover(error=NOT_HTTPS, is_final=True, request=request)
    began = time.monotonic()
    try:
        reply = _client(get_conf().delivery_allowed_hosts).request(
            method,
            url,
            headers=headers,
            content=content or None,
            max_bytes=KEPT_BYTES,
            timeout_seconds=get_conf().delivery_timeout_seconds,
            cut=True,
        )
    except FetchRefused as refusal:
        error = _TOLD.get(refusal.reason, NO_ANSWER)
        return Handover(error=error, latency_ms=_ms_since(began), request=request)
    return _answered(reply, request, _ms_since(began))


def may_be_told(url: str) -> bool:
    """Whether an address is one of HTTPS, or an operator's exception."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    return is_allowed_host(parts.hostname or "", parts.port or 80)


def is_allowed_host(host: str, port: int) -> bool:
    """Whether an operator has made an exception for a host, whatever it speaks."""
    allowed = {entry.lower() for entry in get_conf().delivery_allowed_hosts}
    return host_and_port(host.lower(), port) in allowed


def _answered(reply: Reply, request: Mapping[str, object], latency_ms: float) -> Handover:
    delivered = 200 <= reply.status < 300
    return Handover(
        delivered=delivered,
        is_gone=reply.status == 410,
        slows_down=reply.status in _SLOW_DOWN,
        retry_after_seconds=None if delivered else retry_after_seconds(reply.headers),
        error="" if delivered else f"HTTP {reply.status}",
        status=reply.status,
        latency_ms=latency_ms,
        request=request,
        response_headers=_kept_headers(reply.headers),
        response=_storable(reply.content.decode("utf-8", "replace")),
    )


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    kept = [(name, value) for name, value in headers.items() if name.lower() != "set-cookie"]
    return {
        _storable(name)[:_KEPT_HEADER_CHARS]: _storable(value)[:_KEPT_HEADER_CHARS]
        for name, value in kept[:_KEPT_HEADERS]
    }


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL."""
    return text.replace("\x00", "\ufffd")


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000


@cache
def _client(allowed: frozenset[str]) -> GuardedClient:
    return GuardedClient(
        allow_private_hosts=allowed,
        ports=frozenset({443}),
        max_connections=MOST_CONNECTIONS,
    )
