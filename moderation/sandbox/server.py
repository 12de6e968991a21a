"""The sandbox: one local server that speaks every provider's protocol, faults included.

Requests are routed by the first step of their path: /openai/v1/moderations goes to the service
`openai`. /_control scripts what goes wrong and tells what was seen.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moderation.sandbox import callbacks
from moderation.sandbox.callbacks import CallbackScript, Postman, Sent
from moderation.sandbox.control import PREFIX as CONTROL
from moderation.sandbox.control import control
from moderation.sandbox.faults import Fault, FaultScript
from moderation.sandbox.protocol import Outgoing, Reply, Request, Service
from moderation.sandbox.records import RateLimits, RequestLog, Seen
from moderation.sandbox.services import NotServed, make_service

logger = logging.getLogger(__name__)

DEFAULT_PORT = 9911
MAX_BODY_BYTES = 256 * 1024 * 1024
IDLE_SECONDS = 60.0


class Sandbox:
    """A running sandbox, for tests in the same process. Safe to share between threads.

    `make` makes the service of a name, or raises `NotServed`.
    """

    def __init__(self, port: int = 0, make: Callable[[str], Service] = make_service) -> None:
        self.faults = FaultScript()
        self.rates = RateLimits()
        self.log = RequestLog()
        self.errors: list[BaseException] = []
        self.postman = Postman(self.errors)
        self._make = make
        self._lock = threading.Lock()
        self._services: dict[str, Service] = {}
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))

    @property
    def address(self) -> str:
        """Host and port, as an account's `allow_private_hosts` names it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"http://{self.address}"

    def fail(self, prefix: str, kind: str | int, **how: Any) -> None:
        """Let requests of a service fail: see `Fault` for the kinds and how."""
        retry_after = how.pop("retry_after", None)
        given = None if retry_after is None else str(retry_after)
        self.faults.add(prefix, Fault(str(kind), retry_after=given, **how))

    def lift(self) -> None:
        """End every scripted fault."""
        self.faults.clear()

    def requests(self, prefix: str = "") -> list[Seen]:
        return self.log.seen(prefix)

    def limit_rate(self, prefix: str, *, per_second: float, burst: float | None = None) -> None:
        """Answer 429 to more, and count it."""
        self.rates.allow(prefix, per_second=per_second, burst=burst)

    def exceeded(self, prefix: str) -> int:
        """Return how often the declared rate was not kept."""
        return self.rates.exceeded(prefix)

    def most_at_once(self, prefix: str) -> int:
        return self.log.most_at_once(prefix)

    def script_callbacks(self, prefix: str, **how: float) -> None:
        """Change how a service calls back: see `CallbackScript`."""
        self.postman.script(prefix, CallbackScript(**how))

    def callbacks(self, prefix: str = "") -> list[Sent]:
        return self.postman.sent(prefix)

    def wait_for_callbacks(
        self, prefix: str, count: int = 1, timeout_seconds: float = 5.0
    ) -> list[Sent]:
        """Return what was sent, as soon as that is `count` callbacks. Raises `TimeoutError`."""
        return self.postman.wait_for(prefix, count, timeout_seconds)

    def service(self, prefix: str) -> Service:
        """Return a service with what it remembers. Raises `NotServed`."""
        with self._lock:
            if prefix not in self._services:
                self._services[prefix] = self._make(prefix)
            return self._services[prefix]

    def reset(self) -> None:
        """Forget all: scripts, records, and the jobs of services."""
        self.faults.clear()
        self.rates.clear()
        self.log.clear()
        self.postman.clear()
        self.errors.clear()
        with self._lock:
            self._services.clear()

    def run(self) -> None:
        """Serve until `close` is called by another thread."""
        # The interval is how long closing may take.
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.postman.close()


@contextmanager
def running_sandbox(
    port: int = 0, make: Callable[[str], Service] = make_service
) -> Iterator[Sandbox]:
    """Serve from a thread of this process, on a free port unless one is named."""
    sandbox = Sandbox(port, make)
    thread = threading.Thread(target=sandbox.run, name="sandbox", daemon=True)
    thread.start()
    try:
        yield sandbox
    finally:
        sandbox.close()
        thread.join()


# --- one request -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Desk:
    prefix: str
    sandbox: Sandbox

    @property
    def base_url(self) -> str:
        return self.sandbox.base_url

    def call_back(self, make: Callable[[], Outgoing]) -> None:
        self.sandbox.postman.plan(self.prefix, make)

    def forge(self, outgoing: Outgoing) -> Outgoing:
        return callbacks.forged(outgoing)

    def now(self) -> float:
        return callbacks.time_to_write()

    def job_to_name(self, job_id: str) -> str:
        return callbacks.job_to_name(job_id)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What to do with the connection: `how` is a kind of fault that breaks it, "" to answer."""

    reply: Reply
    fault: str = ""
    how: str = ""


def answer(sandbox: Sandbox, prefix: str, request: Request) -> _Outcome:
    """Return what a service says, after what was scripted for it."""
    try:
        service = sandbox.service(prefix)
    except NotServed as error:
        return _Outcome(Reply(404, {"error": str(error)}))
    wait = sandbox.rates.seconds_to_wait(prefix)
    if wait:
        return _Outcome(_failure(service, 429, str(wait)), "rate")
    try:
        fault = sandbox.faults.take(prefix, request)
    except ValueError as error:
        return _Outcome(Reply(400, {"error": str(error)}))
    if fault is None:
        return _Outcome(service.answer(request, _Desk(prefix, sandbox)))
    return _failed(sandbox, service, request, prefix, fault)


def _failed(
    sandbox: Sandbox, service: Service, request: Request, prefix: str, fault: Fault
) -> _Outcome:
    if fault.status is not None:
        return _Outcome(_failure(service, fault.status, fault.retry_after), fault.kind)
    if fault.kind == "reset":
        return _Outcome(Reply(), fault.kind, how="reset")
    if fault.kind == "slow":
        time.sleep(fault.delay_seconds)
    reply = fault.spoil(service.answer(request, _Desk(prefix, sandbox)))
    return _Outcome(reply, fault.kind, how="cut_off" if fault.kind == "cut_off" else "")


def _failure(service: Service, status: int, retry_after: str | None) -> Reply:
    reply = service.failure(status, retry_after)
    if retry_after is None or any(name.lower().startswith("retry-after") for name in reply.headers):
        return reply
    return replace(reply, headers={**reply.headers, "Retry-After": retry_after})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        # A kept connection waits for its client's next request, and its thread with it.
        with self._lock:
            kept = list(self._open)
        for connection in kept:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up; errors of services are kept in the sandbox."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def __init__(self, sandbox: Sandbox, *args: Any) -> None:
        self.sandbox = sandbox
        super().__init__(*args)

    def handle_any(self) -> None:
        if (request := self._read()) is None:
            return
        prefix, _, path = request.path.lstrip("/").partition("/")
        inner = replace(request, path=f"/{path}")
        if prefix in ("", CONTROL):
            self._write(control(self.sandbox, inner))
            return
        seen, started = self.sandbox.log.begin(prefix, inner), time.monotonic()
        outcome = self._outcome(prefix, inner)
        self.sandbox.log.end(
            seen,
            seconds=time.monotonic() - started,
            status=0 if outcome.how else outcome.reply.status,
            fault=outcome.fault,
        )
        self._carry_out(outcome)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def _outcome(self, prefix: str, request: Request) -> _Outcome:
        try:
            return answer(self.sandbox, prefix, request)
        except Exception as error:
            # A service's own mistake, told to whoever tests with it.
            logger.exception("The sandbox's %s failed.", prefix)
            self.sandbox.errors.append(error)
            return _Outcome(Reply(500, {"sandbox_error": f"{type(error).__name__}: {error}"}))

    def _read(self) -> Request | None:
        """Return the request, or None after refusing one that cannot be read."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._write(Reply(411, {"error": "Send a Content-Length."}))
            return None
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._write(Reply(413, {"error": "Too large for the sandbox."}))
            return None
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            url=f"{self.sandbox.base_url}{self.path}",
        )

    def _carry_out(self, outcome: _Outcome) -> None:
        if outcome.how == "reset":
            # Closing at once, with nothing left to linger for, sends RST.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        self._write(outcome.reply, is_cut_off=outcome.how == "cut_off")

    def _write(self, reply: Reply, *, is_cut_off: bool = False) -> None:
        content = reply.content()
        headers = {"Content-Type": "application/json", **reply.headers}
        if reply.status != 204:
            headers["Content-Length"] = str(len(content))
        if is_cut_off:
            self.close_connection = True
            content = content[: len(content) // 2]
        if self.close_connection:
            headers["Connection"] = "close"
        body = b"" if self.command == "HEAD" else content
        # The head and the body in one packet.
        self.wfile.write(self._head(reply.status, headers) + body)

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        reason = self.responses.get(status, ("",))[0]
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{key}: {headers[key]}" for key in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def log_message(self, *args: Any) -> None:
        """Say nothing: whoever wants to know reads /_control/requests."""
