"""A server that stands for the EU's register: it speaks its protocol and keeps what it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

TOKEN = "7|secret"  # of this server alone


@dataclass
class Register:
    """What is stored, and what goes wrong next: `faults` are taken one a request, the first first.

    `lose` stores the batch and breaks the connection; a number answers with that status; `locked`
    says of every puid that it is known, without storing it; a mapping says what is wrong.
    """

    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    address: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class _Handler(BaseHTTPRequestHandler):
    register: Register

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.register.requests.append(f"GET {self.path}")
        if self._is_stranger():
            return
        if self.path == "/api/ping":
            self._answer(200, {"you_say": "ping", "i_say": "pong"})
            return
        puid = self.path.rpartition("/")[2]
        if puid in self.register.stored:
            self._answer(302, {"message": "statement of reason found", "puid": puid})
        else:
            self._answer(404, {"message": "statement of reason not found"})

    def do_POST(self) -> None:
        self.register.requests.append(f"POST {self.path}")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._is_stranger():
            return
        fault = self.register.faults.pop(0) if self.register.faults else None
        records = body["statements"]
        known = [one["puid"] for one in records if one["puid"] in self.register.stored]
        if isinstance(fault, int):
            self._answer(fault, {"message": "No."}, retry_after="40")
        elif isinstance(fault, dict):
            self._answer(422, {"errors": fault})
        elif known or fault == "locked":
            puids = known or [one["puid"] for one in records]
            errors = {"puid": ["The puid is not unique."], "existing_puids": puids}
            self._answer(422, {"message": "No.", "errors": errors})
        else:
            self._store(records, is_heard=fault != "lose")

    def _store(self, records: list[dict[str, Any]], *, is_heard: bool) -> None:
        self.register.batches.append(len(records))
        stored = [{**one, "uuid": str(uuid4())} for one in records]
        self.register.stored |= {one["puid"]: one for one in stored}
        if is_heard:
            self._answer(201, {"statements": stored})
        else:
            self.connection.close()

    def _is_stranger(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            return False
        self._answer(401, {"message": "Unauthenticated."})
        return True

    def _answer(self, status: int, body: dict[str, Any], *, retry_after: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if retry_after and status == 429:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def running_register() -> Iterator[Register]:
    register = Register()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"register": register})
    )
    server.daemon_threads = True
    register.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield register
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
