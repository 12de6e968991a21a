"""gRPC to a checked address, where grpcio is installed: it opens its own connections.

The name is looked up and checked before every call, and the channel is one to the address.
"""

from __future__ import annotations

import importlib.util
import threading
from importlib import import_module
from typing import Any

from moderation.outbound.targets import (
    Resolver,
    check_target,
    host_and_port,
    parse_target,
    resolve_host,
)

MAX_REPLY_BYTES = 8 * 1024 * 1024


class CallFailed(Exception):
    """A call ended with another status than OK; `code` is its name, as "UNAVAILABLE"."""

    def __init__(self, code: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


def is_grpc_installed() -> bool:
    return importlib.util.find_spec("grpc") is not None


class GuardedChannel:
    """Calls one gRPC server, without repeating a call. Safe to share between threads.

    `roots` is the PEM of who may vouch for its certificate, None for the system's list; the
    certificate must be for the target's name.
    """

    def __init__(
        self,
        target: str,
        *,
        allow_private_hosts: frozenset[str],
        tls: bool,
        roots: bytes | None = None,
        resolver: Resolver = resolve_host,
    ) -> None:
        self._target = target
        self._allow_private_hosts = allow_private_hosts
        self._tls = tls
        self._roots = roots
        self._resolver = resolver
        self._lock = threading.Lock()
        self._address = ""
        self._channel: Any = None

    def call(
        self,
        method: str,
        request: bytes,
        *,
        metadata: tuple[tuple[str, str], ...],
        timeout_seconds: float,
    ) -> bytes:
        """Return the reply of `method`, as "/package.Service/Method".

        Raises `FetchRefused` for an address that is not to be touched, `CallFailed` for a call
        that failed.
        """
        grpc = import_module("grpc")
        ask = self._open(timeout_seconds).unary_unary(method)
        try:
            reply: bytes = ask(request, timeout=timeout_seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise CallFailed(error.code().name, _pushed_back(error.trailing_metadata())) from None
        return reply

    def close(self) -> None:
        with self._lock:
            self._use("", None)

    def _open(self, timeout_seconds: float) -> Any:
        host, port = parse_target(self._target)
        address = check_target(
            host,
            port,
            self._allow_private_hosts,
            timeout_seconds=timeout_seconds,
            resolver=self._resolver,
        )
        with self._lock:
            if address != self._address:
                self._use(address, self._make(host, address, port))
            return self._channel

    def _make(self, host: str, address: str, port: int) -> Any:
        grpc = import_module("grpc")
        options = [
            ("grpc.default_authority", host_and_port(host, port)),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
            # Channels of one process to one address would share a connection, and with it
            # whatever another account has set up.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        scheme = "ipv6" if ":" in address else "ipv4"
        place = f"{scheme}:{host_and_port(address, port)}"
        if not self._tls:
            return grpc.insecure_channel(place, options)
        credentials = grpc.ssl_channel_credentials(self._roots)
        named = ("grpc.ssl_target_name_override", host)
        return grpc.secure_channel(place, credentials, [*options, named])

    def _use(self, address: str, channel: Any) -> None:
        if self._channel is not None:
            self._channel.close()
        self._address, self._channel = address, channel


def _pushed_back(metadata: Any) -> float | None:
    """Return how long the server asks us to stay away, in seconds."""
    for name, value in metadata or ():
        if name == "grpc-retry-pushback-ms" and value.isdecimal():
            return int(value) / 1000
    return None
