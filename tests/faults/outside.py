"""The world outside: the sandbox in a process of its own, and a bad line from it to our door.

Beside them, somebody who asks the door for nothing, to know how busy the machine is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from moderation.sandbox.callbacks import forged
from moderation.sandbox.protocol import Outgoing

CONTROL_SECONDS = 20.0
DELIVERY_SECONDS = 10.0
AGAIN_SECONDS = 0.2
DELIVERIES_AT_ONCE = 16
KNOCK_EVERY_SECONDS = 0.1
KNOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the sandbox saw it; `status` is 0 where it broke the connection."""

    at: float
    status: int
    fault: str


class Outside:
    """The sandbox's own endpoint, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port

    def knocker(self) -> Knocker:
        return Knocker([self._port], "/_control/callbacks?prefix=nobody")

    def answers(self) -> bool:
        try:
            self._ask("GET", "")
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Forget scripts and records."""
        self._ask("DELETE", "")

    def fail(self, prefix: str, kind: str, **how: float) -> None:
        """Let requests of a service fail, after the faults that were added before."""
        self._ask("POST", "faults", {"prefix": prefix, "kind": kind, **how})

    def heal(self) -> None:
        self._ask("DELETE", "faults")

    def limit_rate(self, prefix: str, per_second: float) -> None:
        self._ask("POST", "rate", {"prefix": prefix, "per_second": per_second})

    def seen(self, prefix: str) -> list[Seen]:
        """Return the latest thousand requests of a service."""
        found = self._ask("GET", f"requests?prefix={prefix}")["requests"]
        return [Seen(one["at"], one["status"], one["fault"]) for one in found]

    def exceeded(self, prefix: str) -> int:
        """Return how often a service's limit was not kept."""
        return int(self._ask("GET", f"requests?prefix={prefix}")["exceeded"].get(prefix, 0))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=CONTROL_SECONDS)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/_control/{path}", content)
            response = connection.getresponse()
            answer = response.read()
            if response.status >= 400:
                raise AssertionError(f"The sandbox refused {method} {path}: {answer!r}")
            found: dict[str, Any] = json.loads(answer or b"{}")
            return found
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Weather:
    """What the line does to callbacks; chances from 0 to 1, pauses in seconds from, to."""

    twice: float = 0.3
    reordered: float = 0.3
    lost: float = 0.05
    forged: float = 0.01
    pause: tuple[float, float] = (0.0, 0.5)
    longer_pause: tuple[float, float] = (0.5, 3.0)


@dataclass
class Deliveries:
    """What became of callbacks that went through the line."""

    count: Counter[str] = field(default_factory=Counter)
    lost_tokens: list[str] = field(default_factory=list)
    forged_statuses: Counter[int] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    # Of those that were taken in: from the first byte sent to the answer.
    ack_seconds: list[float] = field(default_factory=list)
    tries_that_broke: Counter[str] = field(default_factory=Counter)


class BadLine:
    """Stands where the site's public address points: callbacks arrive here first.

    It doubles, delays, loses and forges them as its weather says. What is to arrive is sent again
    until somebody at one of `ports` answers, as services do.
    """

    def __init__(self, port: int, chance: random.Random, weather: Weather) -> None:
        self.ports: Sequence[int] = ()
        self.found = Deliveries()
        self._chance = chance
        self._weather = weather
        self._guard = threading.Lock()
        self._open = 0
        self._is_closing = threading.Event()
        self._pool = ThreadPoolExecutor(DELIVERIES_AT_ONCE, "line")
        self._timers: set[threading.Timer] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Receiver, self))
        self._server.daemon_threads = True

    @property
    def open(self) -> int:
        """How many callbacks are still to be delivered."""
        return self._open

    def take(self, outgoing: Outgoing) -> None:
        """Decide on one callback, as it came from the service."""
        weather = self._weather
        with self._guard:
            self.found.count["callbacks"] += 1
            fate = {name: self._chance.random() < getattr(weather, name) for name in _FATES}
            pauses = [self._chance.uniform(*weather.pause) for _ in range(2)]
            if fate["reordered"]:
                pauses[0] += self._chance.uniform(*weather.longer_pause)
            self.found.count.update(name for name, happens in fate.items() if happens)
        if fate["forged"]:
            self._send_after(0.0, forged(outgoing), is_forged=True)
        if fate["lost"]:
            self.found.lost_tokens.append(outgoing.url.rpartition("/")[2])
            return
        for pause in pauses[: 1 + fate["twice"]]:
            self._send_after(pause, outgoing)

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        self._is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        for timer in list(self._timers):
            timer.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _send_after(self, pause: float, outgoing: Outgoing, *, is_forged: bool = False) -> None:
        with self._guard:
            self._open += 1
        timer = threading.Timer(pause, lambda: self._queue(timer, outgoing, is_forged=is_forged))
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _queue(self, timer: threading.Timer, outgoing: Outgoing, *, is_forged: bool) -> None:
        self._timers.discard(timer)
        if not self._is_closing.is_set():
            self._pool.submit(self._deliver, outgoing, is_forged=is_forged)

    def _deliver(self, outgoing: Outgoing, *, is_forged: bool) -> None:
        answered = self._until_answered(outgoing)
        if answered is None:
            return
        status, seconds = answered
        with self._guard:
            self._open -= 1
            if is_forged:
                self.found.forged_statuses[status] += 1
                return
            self.found.statuses[status] += 1
            if status < 300:
                self.found.ack_seconds.append(seconds)

    def _until_answered(self, outgoing: Outgoing) -> tuple[int, float] | None:
        """Return the status of the first good answer and how long it took; None at the end."""
        while not self._is_closing.is_set():
            # Who finds one door shut knocks at the other at once.
            for port in self._shuffled_ports():
                began = time.monotonic()
                try:
                    status = _post(port, outgoing)
                except (OSError, http.client.HTTPException) as error:
                    self._note(type(error).__name__)
                    continue
                if status < 500:
                    return status, time.monotonic() - began
                self._note(str(status))
            self._is_closing.wait(AGAIN_SECONDS)
        return None

    def _shuffled_ports(self) -> list[int]:
        with self._guard:
            return self._chance.sample(self.ports, len(self.ports))

    def _note(self, broken: str) -> None:
        with self._guard:
            self.found.tries_that_broke[broken] += 1


def _post(port: int, outgoing: Outgoing) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DELIVERY_SECONDS)
    try:
        path = "/" + outgoing.url.split("/", 3)[3]
        connection.request(outgoing.method, path, outgoing.body, dict(outgoing.headers))
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


_FATES = ("twice", "reordered", "lost", "forged")


class _Receiver(BaseHTTPRequestHandler):
    def __init__(self, line: BadLine, *args: Any) -> None:
        self.line = line
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("host", "content-length", "connection", "accept-encoding")
        }
        self.line.take(Outgoing(f"http://127.0.0.1{self.path}", body, headers))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing: the line counts."""


@contextmanager
def running_line(port: int, chance: random.Random, weather: Weather) -> Iterator[BadLine]:
    line = BadLine(port, chance, weather)
    thread = threading.Thread(target=line.run, name="line", daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.close()
        thread.join()


class Knocker:
    """Asks servers for next to nothing while a block runs: what that takes, the machine takes."""

    def __init__(self, ports: Sequence[int], path: str) -> None:
        self.seconds: list[float] = []
        self._ports = ports
        self._path = path
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="knocker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ends.wait(KNOCK_EVERY_SECONDS):
            for port in self._ports:
                # One that was killed answers nothing.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.seconds.append(_knock(port, self._path))


def _knock(port: int, path: str) -> float:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=KNOCK_SECONDS)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
        return time.monotonic() - began
    finally:
        connection.close()
