"""A receiver on loopback that answers as it is told, and remembers what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers. `hangs` is how many seconds it says nothing first."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Each path has its own answers: one after the other, and the last of them for good."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.reset()

    def reset(self) -> None:
        self.sent: list[Sent] = []
        self._answers: defaultdict[str, list[Answer]] = defaultdict(lambda: [Answer()])
        self.released = threading.Event()
        # How many requests were answered at the same time, now and at most.
        self.busy = self.peak = 0
        self._guard = threading.Lock()

    def url(self, path: str = "/hook") -> str:
        return f"http://{self.address}{path}"

    def answer(self, *answers: Answer, path: str = "/hook") -> None:
        self._answers[path] = list(answers)

    def to(self, path: str) -> list[Sent]:
        return [one for one in self.sent if one.path == path]

    @contextmanager
    def taking(self, sent: Sent) -> Iterator[Answer]:
        with self._guard:
            self.sent.append(sent)
            answers = self._answers[sent.path]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.busy += 1
            self.peak = max(self.peak, self.busy)
        try:
            yield answer
        finally:
            with self._guard:
                self.busy -= 1


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receivers: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def serve(self) -> None:
            [receiver] = receivers
            length = int(self.headers.get("Content-Length") or 0)
            sent = Sent(
                self.command,
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
                time.monotonic(),
            )
            with receiver.taking(sent) as answer:
                if answer.hangs:
                    receiver.released.wait(answer.hangs)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PURGE = serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_address[1])
    receivers.append(receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
