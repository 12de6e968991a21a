"""A mail server for these tests: enough of RFC 5321 to take a mail in, or to refuse it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

_GREETING = "220 mail.test ready"
_START_OF_TEXT = "354 Go on"


@dataclass
class MailServer:
    """What came in, and how the server refuses whom: `"550 No such mailbox"` by address."""

    port: int
    received: list[tuple[list[str], bytes]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def mails(self) -> list[EmailMessage]:
        """Return each mail as its reader's program would read it."""
        return [message_from_bytes(raw, policy=policy.default) for _, raw in self.received]

    @property
    def recipients(self) -> list[list[str]]:
        """Return for each mail to whom it was handed over, whatever its headers say."""
        return [addresses for addresses, _ in self.received]


class _Session(socketserver.StreamRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self._say(_GREETING)
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb = line.partition(":")[0].upper()
            if verb == "RCPT TO":
                recipients += self._take_recipient(line)
            elif verb == "DATA":
                self._say(_START_OF_TEXT)
                self.server.state.received.append((recipients, self._read_text()))
                recipients = []
                self._say("250 Taken")
            elif verb == "QUIT":
                self._say("221 Bye")
                return
            else:
                self._say("250 OK")

    def _take_recipient(self, line: str) -> list[str]:
        address = line.partition("<")[2].partition(">")[0]
        refusal = self.server.state.refused.get(address)
        self._say(refusal or "250 OK")
        return [] if refusal else [address]

    def _read_text(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            # A line that began with a dot was sent with two.
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    state: MailServer


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    with _Listener(("127.0.0.1", 0), _Session) as listener:
        listener.state = MailServer(listener.server_address[1])
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield listener.state
        finally:
            listener.shutdown()
            thread.join()
