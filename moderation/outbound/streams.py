"""A stream of bytes to a checked address or a unix socket, for protocols that are not HTTP."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from moderation.errors import FetchRefused
from moderation.outbound.targets import (
    Resolver,
    checked_addresses,
    connect_to_first,
    deadline_in,
    parse_target,
    refused,
    resolve_host,
    seconds_left,
)

logger = logging.getLogger(__name__)

_UNIX = "unix:"


class Stream:
    """One open connection. Every operation ends by the deadline it was opened with.

    All raise `FetchRefused`.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                self._socket.settimeout(seconds_left())
                rest = rest[self._socket.send(rest) :]
        except OSError as error:
            _refuse(error)

    def read_line(self, *, ends: bytes, max_bytes: int) -> bytes:
        """Return what comes before the first byte that is one of `ends`.

        A stream that ends without one was cut off: what came of it may mean something else.
        """
        line = bytearray()
        while chunk := self._receive(max_bytes + 1 - len(line)):
            line += chunk
            if found := [at for end in ends if (at := line.find(end)) >= 0]:
                return bytes(line[: min(found)])
            if len(line) > max_bytes:
                raise refused("size")
        raise refused("connection")

    def _receive(self, max_bytes: int) -> bytes:
        try:
            self._socket.settimeout(seconds_left())
            return self._socket.recv(max_bytes)
        except OSError as error:
            _refuse(error)


@contextmanager
def open_stream(
    target: str,
    *,
    allow_private_hosts: frozenset[str],
    timeout_seconds: float,
    resolver: Resolver = resolve_host,
) -> Iterator[Stream]:
    """Connect to "host:port" or "unix:/path" for as long as the block runs.

    `timeout_seconds` bounds the whole block. A unix socket is always private: it must be among
    `allow_private_hosts` as it stands. Raises `FetchRefused`.
    """
    with deadline_in(timeout_seconds):
        try:
            connected = _connect(target, allow_private_hosts, resolver)
        except FetchRefused as refusal:
            logger.info("Outbound stream refused: %s", refusal.reason)
            raise
        with connected:
            yield Stream(connected)


def _connect(target: str, allow_private_hosts: frozenset[str], resolver: Resolver) -> socket.socket:
    if target.startswith(_UNIX):
        if target not in allow_private_hosts:
            raise refused("address")
        return _connect_unix(target.removeprefix(_UNIX))
    host, port = parse_target(target)
    allowed = frozenset(entry.lower() for entry in allow_private_hosts)
    return connect_to_first(checked_addresses(host, port, allowed=allowed, resolver=resolver), port)


def _connect_unix(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(seconds_left())
        connected.connect(path)
    except (OSError, FetchRefused) as error:
        connected.close()
        _refuse(error)
    return connected


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, FetchRefused):
        raise error
    raise refused("timeout" if isinstance(error, TimeoutError) else "connection") from error
