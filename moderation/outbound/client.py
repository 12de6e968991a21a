"""The guarded client: resolve once, check every address, connect to that very address.

The check stands where the socket is opened, so a name that changes its address between check
and use (DNS rebinding) gains nothing, and TLS still verifies the name. Every refusal has the
same text: whoever chose the address must not learn whether a port behind our firewall is open.
"""

from __future__ import annotations

import functools
import logging
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpcore2
import httpx2

from moderation import tracing
from moderation.errors import FetchRefused
from moderation.outbound.targets import (
    Resolver,
    checked_addresses,
    connect_to_first,
    deadline_in,
    host_and_port,
    refused,
    resolve_host,
    seconds_left,
)

logger = logging.getLogger(__name__)

USER_AGENT = "Gatehouse/0.1"
# As Mastodon: enough for a shortener in front of a canonical address, too few for a maze.
MAX_REDIRECTS = 2
MAX_URL_LENGTH = 2048
WEB_PORTS = frozenset({80, 443})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status, redirects included; `headers` ignores case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched. `content_type` is the server's claim, without parameters."""

    content: bytes
    content_type: str
    final_url: str


class GuardedClient:
    """Sends requests to public web addresses only. Safe to share between threads.

    `allow_private_hosts` names exceptions an operator has made, each "host:port" as it stands
    in the URL ("localhost:9000", "[::1]:9000"): for these neither port nor address is checked.
    """

    def __init__(
        self,
        *,
        allow_private_hosts: frozenset[str] = frozenset(),
        ports: frozenset[int] = WEB_PORTS,
        resolver: Resolver = resolve_host,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 20,
    ) -> None:
        self._allowed = frozenset(entry.lower() for entry in allow_private_hosts)
        self._ports = ports
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl_context or _default_ssl_context(),
            max_connections=max_connections,
            keepalive_expiry=15.0,
            network_backend=_GuardedBackend(self._allowed, resolver),
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: object = None,
        max_bytes: int,
        timeout_seconds: float,
        cut: bool = False,
    ) -> Reply:
        """Send one request and return its answer, whatever the status; follow no redirect.

        `timeout_seconds` bounds everything, from name lookup to the last byte. An answer that is
        longer than `max_bytes` is refused; with `cut` its beginning is returned, as it came. Raises
        `FetchRefused`, whose `reason` is for logs and retries, never for the one who gave the URL.
        """
        try:
            # Where it goes is told to nobody: an address may be a person's own.
            with (
                tracing.span("send a request", kind="client", method=method),
                deadline_in(timeout_seconds),
            ):
                reply = self._exchange(
                    self._build_request(method, url, headers, content, json), max_bytes, cut=cut
                )
                tracing.tell_all(status=reply.status)
                return reply
        except FetchRefused as refusal:
            logger.info("Outbound request refused: %s", refusal.reason)
            raise
        except httpcore2.TimeoutException as error:
            raise refused("timeout") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise refused("connection") from error

    def fetch(self, url: str, *, max_bytes: int, timeout_seconds: float) -> Fetched:
        """Return the file at `url`, after at most two redirects, each checked like the first.

        Raises `FetchRefused`, also for any answer but 200.
        """
        deadline = time.monotonic() + timeout_seconds
        for _ in range(MAX_REDIRECTS + 1):
            reply = self.request(
                "GET",
                url,
                max_bytes=max_bytes,
                timeout_seconds=deadline - time.monotonic(),
            )
            if reply.status not in _REDIRECTS:
                return _as_file(reply)
            url = _redirect_target(reply)
        raise refused("redirects")

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _build_request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        json: object,
    ) -> httpx2.Request:
        # Identity: a compressed answer would be one more thing that can explode.
        ours = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        return httpx2.Request(
            method,
            self._checked_url(url),
            headers={**ours, **(headers or {})},
            content=content,
            json=json,
        )

    def _checked_url(self, url: str) -> httpx2.URL:
        parsed = _parsed_url(url)
        port = _port_of(parsed)
        host = parsed.raw_host.decode("ascii")
        if port not in self._ports and host_and_port(host, port) not in self._allowed:
            raise refused("port")
        return parsed

    def _exchange(self, request: httpx2.Request, max_bytes: int, *, cut: bool) -> Reply:
        left = seconds_left()
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions={"timeout": {"pool": left, "connect": left}},
            )
        )
        try:
            headers = httpx2.Headers(answer.headers)
            chunks = answer.iter_stream()
            if cut:
                content = _read_beginning(chunks, max_bytes)
            else:
                content = _read_body(chunks, headers, max_bytes)
        finally:
            answer.close()
        return Reply(answer.status, headers, content, str(request.url))


def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_seconds: float,
    allow_private_hosts: frozenset[str] = frozenset(),
) -> Fetched:
    """Return the file at `url`: `GuardedClient.fetch` with a client of its own."""
    with GuardedClient(allow_private_hosts=allow_private_hosts, max_connections=1) as client:
        return client.fetch(url, max_bytes=max_bytes, timeout_seconds=timeout_seconds)


@functools.cache
def _default_ssl_context() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


# --- the address as it was given ---------------------------------------------------------------


def _parsed_url(url: str) -> httpx2.URL:
    # Parsers disagree about blanks, control characters and backslashes: refuse, never repair.
    if len(url) > MAX_URL_LENGTH or any(char <= " " or char in "\\\x7f" for char in url):
        raise refused("url")
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise refused("url") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise refused("url")
    return parsed


def _port_of(url: httpx2.URL) -> int:
    if url.port is not None:
        return url.port
    return 443 if url.scheme == "https" else 80


def _redirect_target(reply: Reply) -> str:
    try:
        return str(httpx2.URL(reply.url).join(reply.headers["location"]))
    except (KeyError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise refused("redirects") from error


def _as_file(reply: Reply) -> Fetched:
    if reply.status != 200:
        raise refused("status")
    claimed = reply.headers.get("content-type", "").partition(";")[0]
    return Fetched(reply.content, claimed.strip().lower(), reply.url)


# --- the connection ----------------------------------------------------------------------------


class _GuardedBackend(httpcore2.NetworkBackend):
    """Opens sockets to checked addresses only; httpcore2 puts HTTP and TLS on top."""

    def __init__(self, allowed: frozenset[str], resolver: Resolver) -> None:
        self._allowed = allowed
        self._resolver = resolver

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = checked_addresses(host, port, allowed=self._allowed, resolver=self._resolver)
        return _Stream(connect_to_first(addresses, port))


class _Stream(httpcore2.NetworkStream):
    """A socket whose every operation ends by the running request's deadline."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _as_network_errors():
            self._socket.settimeout(seconds_left())
            return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        with _as_network_errors():
            while rest:
                self._socket.settimeout(seconds_left())
                rest = rest[self._socket.send(rest) :]

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            with _as_network_errors():
                self._socket.settimeout(seconds_left())
                return _Stream(
                    ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
                )
        except Exception:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return _has_input(self._socket)
        return None


def _has_input(connected: socket.socket) -> bool:
    """Whether an idle kept connection was closed or written to by the other side."""
    if connected.fileno() < 0:
        return True
    connected.settimeout(0)
    try:
        # A TLS socket refuses MSG_PEEK; the plain one underneath does not.
        return socket.socket.recv(connected, 1, socket.MSG_PEEK) is not None
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True


@contextmanager
def _as_network_errors() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore2.ReadTimeout(str(error)) from error
    except OSError as error:
        raise httpcore2.ReadError(str(error)) from error


# --- the answer --------------------------------------------------------------------------------


def _read_body(chunks: Iterable[bytes], headers: Mapping[str, str], max_bytes: int) -> bytes:
    claimed = headers.get("content-length", "0")
    if claimed.isdecimal() and int(claimed) > max_bytes:
        raise refused("size")
    body = bytearray()
    for chunk in _decoded(chunks, headers.get("content-encoding", "identity"), max_bytes):
        body += chunk
        if len(body) > max_bytes:
            raise refused("size")
    return bytes(body)


def _read_beginning(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= max_bytes:
            break
    return bytes(body[:max_bytes])


def _decoded(chunks: Iterable[bytes], encoding: str, max_bytes: int) -> Iterator[bytes]:
    """Undo gzip, which some servers send unasked, never growing beyond the limit."""
    if encoding.strip().lower() in ("", "identity"):
        yield from chunks
        return
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise refused("encoding")
    # 31: a gzip header is required.
    gunzip = zlib.decompressobj(wbits=31)
    received = 0
    for chunk in chunks:
        received += len(chunk)
        if received > max_bytes:
            raise refused("size")
        try:
            # One byte beyond the limit is enough to see that it was passed.
            yield gunzip.decompress(chunk, max_bytes + 1)
        except zlib.error as error:
            raise refused("encoding") from error
        if gunzip.unconsumed_tail:
            raise refused("size")
    if not gunzip.eof:
        raise refused("encoding")
