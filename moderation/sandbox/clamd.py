"""ClamAV's daemon, on a port of its own: its protocol is not HTTP.

It finds the EICAR test file, and what a file's marks name: `[[malware=1]]`, `[[pua=1]]`,
`[[heuristics=1]]`. `[[clamd=error]]` and the other `COMPLAINTS` and `FAULTS` make it fail.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingMixIn, UnixStreamServer
from typing import Any

from moderation.sandbox.marks import marked_scores

VERSION = "ClamAV 1.4.3/27827/Thu Nov 20 09:15:00 2025"
# In one piece it would make real scanners stop at this very file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + rb"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAMES = {
    "malware": "Sandbox.Test.Malware",
    "pua": "PUA.Sandbox.Test",
    "heuristics": "Heuristics.Sandbox.Test",
}
# What the daemon itself says of its troubles.
COMPLAINTS = {
    "error": "stream: Can't allocate memory ERROR",
    "disk": "Error writing to temporary file ERROR",
}
# What is sent instead of an answer; "silent" says nothing until the other side gives up.
FAULTS = {
    "timed_out": b"COMMAND READ TIMED OUT\n",
    "garbage": b"220 mail ready\0",
    "truncated": b"stream: O",
    "unended": b"stream: OK",
    "endless": b"x" * 100_000,
    "empty": b"",
    "reset": b"",
    "silent": b"",
}
_FAULT = re.compile(rb"\[\[clamd=([a-z_]+)\]\]")
_MAX_COMMAND_BYTES = 64


@dataclass(slots=True)
class Clamd:
    """A running daemon. `max_bytes` is its StreamMaxLength; `faults` befall the next scans."""

    max_bytes: int = 100_000_000
    faults: deque[str] = field(default_factory=deque)
    scans: int = 0
    address: str = ""
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_clamd(
    port: int = 0, *, path: Path | None = None, max_bytes: int = 100_000_000
) -> Iterator[Clamd]:
    """Serve from threads of this process on loopback, or on a unix socket at `path`."""
    daemon = Clamd(max_bytes)
    handler = partial(_Handler, daemon)
    server: TCPServer = (
        _UnixServer(str(path), handler) if path else _Server(("127.0.0.1", port), handler)
    )
    daemon.address = f"unix:{path}" if path else f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 100


class _UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class _TooLarge(Exception):
    """The stream passed the limit."""


class _Handler(StreamRequestHandler):
    # CommandReadTimeout, shortened: tests do not wait half a minute.
    timeout = 5.0

    def __init__(self, daemon: Clamd, *args: Any) -> None:
        self.daemon = daemon
        super().__init__(*args)

    def handle(self) -> None:
        """Answer one command: outside a session a connection carries no more."""
        try:
            command, end = self._read_command()
            if command == "INSTREAM":
                self._scan(end)
            else:
                self._say(_ANSWERS.get(command, "UNKNOWN COMMAND"), end)
        except TimeoutError:
            self._send(b"COMMAND READ TIMED OUT\n")
        except OSError:
            # The client hung up.
            return

    def _read_command(self) -> tuple[str, bytes]:
        """Return a command and what ends its answer: zPING ends with NUL, nPING with a newline."""
        command = bytearray(self.rfile.read(1))
        end = b"\0" if command == b"z" else b"\n"
        while len(command) < _MAX_COMMAND_BYTES and (char := self.rfile.read(1)) not in (end, b""):
            command += char
        return command.decode(errors="replace").removeprefix("z").removeprefix("n"), end

    def _scan(self, end: bytes) -> None:
        self.daemon.scans += 1
        try:
            content = self._read_stream()
        except _TooLarge:
            self._say("INSTREAM size limit exceeded. ERROR", end)
            return
        marked = _FAULT.search(content)
        if marked:
            self._fail(marked[1].decode(), end)
        elif self.daemon.faults:
            self._fail(self.daemon.faults.popleft(), end)
        else:
            self._say(f"stream: {_finding(content)}", end)

    def _read_stream(self) -> bytes:
        content = bytearray()
        while length := int.from_bytes(self._read_exactly(4)):
            if len(content) + length > self.daemon.max_bytes:
                raise _TooLarge
            content += self._read_exactly(length)
        return bytes(content)

    def _read_exactly(self, count: int) -> bytes:
        data = self.rfile.read(count)
        if len(data) < count:
            raise ConnectionResetError
        return data

    def _fail(self, fault: str, end: bytes) -> None:
        if fault in COMPLAINTS:
            self._say(COMPLAINTS[fault], end)
        elif fault == "silent":
            self.daemon.closing.wait(self.timeout)
        elif fault == "reset":
            # Closing at once, with nothing left to linger for, sends RST.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        else:
            self._send(FAULTS[fault])

    def _say(self, text: str, end: bytes) -> None:
        self._send(text.encode() + end)

    def _send(self, data: bytes) -> None:
        with suppress(OSError):
            self.connection.sendall(data)


_ANSWERS = {
    "PING": "PONG",
    "VERSION": VERSION,
    "RELOAD": "RELOADING",
    "SHUTDOWN": "COMMAND UNAVAILABLE",
    "STATS": "POOLS: 1\n\nSTATE: VALID PRIMARY\nEND",
}


def _finding(content: bytes) -> str:
    if EICAR in content:
        return "Eicar-Test-Signature FOUND"
    marked = marked_scores(content)
    found = next((NAMES[name] for name in NAMES if marked.get(name, 0.0) >= 0.5), "")
    return f"{found} FOUND" if found else "OK"
