"""From a name to a socket: resolve once, check every address, connect to a checked one.

Everything here ends by the deadline of `deadline_in`. Every refusal has the same text: whoever
chose the address must not learn whether a port behind our firewall is open.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address

from moderation.errors import FetchRefused
from moderation.outbound.addresses import is_public_address

logger = logging.getLogger(__name__)

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port in, textual IP addresses out; raises `OSError` when there are none."""

_TARGET = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+)):(?P<port>[0-9]{1,5})")
# A name with more addresses than this gains nothing from trying them all.
MAX_ADDRESSES_TRIED = 3

# When what runs in this thread must have ended (monotonic clock). A pooled connection outlives
# one request, so its stream cannot keep the deadline itself.
_deadline: ContextVar[float] = ContextVar("outbound_deadline", default=0.0)


def resolve_host(host: str, port: int) -> list[str]:
    """Return all addresses of `host`, as the system's resolver gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def parse_target(text: str) -> tuple[str, int]:
    """Return the host and port of "host:port". Raises `FetchRefused` for anything else."""
    found = _TARGET.fullmatch(text.lower())
    if not found or not 0 < int(found["port"]) < 2**16:
        raise refused("url")
    return found["ipv6"] or found["host"], int(found["port"])


def check_target(
    host: str,
    port: int,
    allow_private_hosts: frozenset[str],
    *,
    timeout_seconds: float = 5.0,
    resolver: Resolver = resolve_host,
) -> str:
    """Return an address of `host` that may be connected to, for what opens its own connections.

    Connect to the address, never to the name: it may mean another by then. `allow_private_hosts`
    holds the operator's exceptions as "host:port". Raises `FetchRefused`.
    """
    allowed = frozenset(entry.lower() for entry in allow_private_hosts)
    with deadline_in(timeout_seconds):
        return checked_addresses(host, port, allowed=allowed, resolver=resolver)[0]


def checked_addresses(
    host: str, port: int, *, allowed: frozenset[str], resolver: Resolver
) -> list[str]:
    """Return the addresses of `host`, at least one. Raises `FetchRefused` if any is private.

    `allowed` holds exceptions, in lower case.
    """
    addresses = _resolve_in_time(resolver, host, port)
    exempt = host_and_port(host.lower(), port) in allowed
    # One bad address among good ones is how rebinding starts: every one must pass.
    if not addresses or not (exempt or all(map(is_public_address, addresses))):
        raise refused("address")
    return addresses


def connect_to_first(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a connection to the first of a few addresses that answers."""
    tried = addresses[:MAX_ADDRESSES_TRIED]
    for number, address in enumerate(tried, start=1):
        share = seconds_left() / (len(tried) - number + 1)
        try:
            connected = socket.create_connection((address, port), timeout=share)
        except OSError:
            continue
        # Belt and braces: what we are connected to is what was checked.
        if ip_address(connected.getpeername()[0]) != ip_address(address):
            connected.close()
            raise refused("address")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    raise refused("connection")


def host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def deadline_in(seconds: float) -> Iterator[None]:
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float:
    """Raises `FetchRefused` when there are none."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise refused("timeout")
    return left


def refused(reason: str) -> FetchRefused:
    return FetchRefused(reason=reason)


def _resolve_in_time(resolver: Resolver, host: str, port: int) -> list[str]:
    """Resolve in a thread of its own, since `getaddrinfo` cannot be given a deadline."""
    found: list[str] = []

    def look_up() -> None:
        # Whatever goes wrong here leaves the list empty, and an empty answer is refused.
        try:
            found.extend(resolver(host, port))
        except (OSError, UnicodeError) as error:
            logger.debug("Name lookup failed: %s", type(error).__name__)

    thread = threading.Thread(target=look_up, name="outbound-resolve", daemon=True)
    thread.start()
    thread.join(seconds_left())
    if thread.is_alive():
        raise refused("timeout")
    return found
