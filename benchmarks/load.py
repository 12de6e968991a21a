"""The load driver: `python benchmarks/load.py < plan.json > result.json`.

A process of its own with nothing but the standard library, because it shares the machine with
what it measures: one thread, keep-alive sockets, requests written as bytes.

Closed loop: every connection sends its next request when the last one was answered. Open loop:
requests are due at random times (Poisson, seeded), whatever the server does, and a latency
counts from when its request was due.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

# No answer for this long ends the run with an error.
STALL_SECONDS = 60.0
_HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Plan:
    """What to send. `item` and `headers` may hold `%(n)d`, the post's or request's number, and
    `%(author)d`, one of `authors` numbers. With `rate` (requests/s) the loop is open.
    """

    port: int
    path: str
    item: str
    headers: dict[str, str]
    connections: int
    seconds: float
    per_request: int = 1
    authors: int = 500
    first: int = 0
    rate: float | None = None
    seed: int = 1


@dataclass(slots=True)
class Result:
    """What came back. Latencies in seconds, of accepted requests only."""

    posts: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    first_refusal: str = ""


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    since: float = 0.0
    received: bytearray = field(default_factory=bytearray)


class Driver:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._head = self._head_of(plan)
        self._number = plan.first
        self._result = Result()
        self._poll = select.epoll()
        self._busy: dict[int, _Connection] = {}
        self._idle: list[_Connection] = [self._connect() for _ in range(plan.connections)]

    def run(self) -> Result:
        began = time.perf_counter()
        if self._plan.rate is None:
            self._run_closed(began + self._plan.seconds)
        else:
            self._run_open(began, self._plan.rate)
        while self._busy:
            self._collect(STALL_SECONDS, stall_is_error=True)
        self._result.seconds = time.perf_counter() - began
        return self._result

    def _run_closed(self, ends_at: float) -> None:
        while time.perf_counter() < ends_at:
            while self._idle:
                self._send(self._idle.pop(), time.perf_counter())
            self._collect(STALL_SECONDS, stall_is_error=True)

    def _run_open(self, began: float, rate: float) -> None:
        # Poisson arrivals: bursts are what real people make.
        pauses = random.Random(self._plan.seed)
        due = began
        ends_at = began + self._plan.seconds
        while due < ends_at:
            now = time.perf_counter()
            while due <= now and due < ends_at and self._idle:
                self._send(self._idle.pop(), due)
                due += pauses.expovariate(rate)
            self._collect(max(0.0, due - time.perf_counter()) if self._idle else STALL_SECONDS)

    def _collect(self, seconds: float, *, stall_is_error: bool = False) -> None:
        events = self._poll.poll(seconds)
        if not events and stall_is_error:
            raise SystemExit("The server did not answer for a minute.")
        for descriptor, _ in events:
            self._receive(self._busy[descriptor])

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(262_144)
        if not data:
            raise SystemExit("The server closed a connection before it had answered.")
        connection.received += data
        status = _status_when_whole(connection.received)
        if status is None:
            return
        self._note(connection, status)
        connection.received.clear()
        del self._busy[connection.socket.fileno()]
        self._idle.append(connection)

    def _note(self, connection: _Connection, status: int) -> None:
        result = self._result
        result.statuses[str(status)] = result.statuses.get(str(status), 0) + 1
        if 200 <= status < 300:
            result.posts += self._plan.per_request
            result.latencies.append(time.perf_counter() - connection.since)
        elif not result.first_refusal:
            result.first_refusal = connection.received.decode(errors="replace")[:2_000]

    def _send(self, connection: _Connection, due: float) -> None:
        connection.since = due
        self._busy[connection.socket.fileno()] = connection
        connection.socket.sendall(self._request())

    def _request(self) -> bytes:
        plan, number = self._plan, self._number
        self._number += plan.per_request
        if plan.per_request == 1:
            body = plan.item % {"n": number, "author": number % plan.authors}
        else:
            items = [
                plan.item % {"n": n, "author": n % plan.authors}
                for n in range(number, number + plan.per_request)
            ]
            body = '{"posts":[' + ",".join(items) + "]}"
        raw = body.encode()
        return (self._head % {"n": number, "length": len(raw)}).encode() + raw

    def _connect(self) -> _Connection:
        made = socket.create_connection(("127.0.0.1", self._plan.port), timeout=STALL_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(made.fileno(), select.EPOLLIN)
        return _Connection(made)

    @staticmethod
    def _head_of(plan: Plan) -> str:
        lines = [f"POST {plan.path} HTTP/1.1", "Host: localhost", "Content-Length: %(length)d"]
        lines += [f"{name}: {value}" for name, value in plan.headers.items()]
        return "\r\n".join(lines) + "\r\n\r\n"


def _status_when_whole(received: bytearray) -> int | None:
    """Return an answer's status once all of it is there: by its length, or its last chunk."""
    end = received.find(_HEAD_END)
    if end < 0:
        return None
    head = bytes(received[:end]).lower()
    start = head.find(b"\r\ncontent-length:")
    if start >= 0:
        length = int(head[start + 17 :].split(b"\r\n", 1)[0])
        whole = len(received) >= end + 4 + length
    else:
        whole = received.endswith(b"\r\n0\r\n\r\n")
    return int(head[9:12]) if whole else None


def main() -> None:
    plan: dict[str, Any] = json.load(sys.stdin)
    result = Driver(Plan(**plan)).run()
    json.dump({name: getattr(result, name) for name in Result.__slots__}, sys.stdout)


if __name__ == "__main__":
    main()
