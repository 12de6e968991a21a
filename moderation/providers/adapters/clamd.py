"""Viruses, found by ClamAV's daemon in whatever is attached.

The daemon has neither passwords nor encryption: it belongs into a private network, so its address
must be among the operator's exceptions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from moderation.errors import (
    FetchRefused,
    ProviderMalformed,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Stream, open_stream
from moderation.providers.base import Account, Answer, AnyPart, Facts, MediaPart, Setting
from moderation.providers.shared.service import ServiceAdapter
from moderation.vocabulary import Category, Outcome, Part

# StreamMaxLength and MaxFileSize as ClamAV has them. What is larger may be called OK unread.
MAX_BYTES = 100 * 1000 * 1000
_CHUNK_BYTES = 128 * 1024
_MAX_REPLY_BYTES = 4096
# New signatures come once a day or so.
_VERSION_SECONDS = 600.0
_FOUND = re.compile(r"stream: (.+) FOUND")
# Unwanted rather than harmful, or a guess.
_UNSURE = ("PUA.", "Heuristics.")


class ClamdAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="ClamAV",
        parts=frozenset({Part.IMAGE, Part.GIF, Part.VIDEO, Part.AUDIO}),
        doc="clamd",
        settings=(
            Setting(
                "address",
                "Address",
                help="host:port or unix:/path; it must be among the addresses that you except.",
                default="127.0.0.1:3310",
                required=True,
            ),
        ),
        price="Free, on a machine of your own.",
        max_bytes=MAX_BYTES,
        # Below MaxThreads, which is 10, so that nothing waits in its queue.
        concurrency=8,
        timeout_seconds=30.0,
    )

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._version = ""
        self._version_until = 0.0

    @property
    def model_version(self) -> str:
        """The daemon's and its signatures' version, as far as it was asked yet."""
        return self._version or f"{self.name}-{self.revision}"

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, MediaPart):
            raise ProviderRejected(f"{self.name} judges files only.")
        self._learn_version()
        reply = self._scan(part.path)
        return Answer(
            Outcome.JUDGED,
            scores={Category.MALWARE: _read_score(reply)},
            raw={"reply": reply},
            model_version=self.model_version,
        )

    def _learn_version(self) -> None:
        if time.monotonic() < self._version_until:
            return
        with self._stream() as stream:
            stream.write(b"zVERSION\0")
            self._version = _read_reply(stream)
        self._version_until = time.monotonic() + _VERSION_SECONDS

    def _scan(self, path: Path) -> str:
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ProviderRejected(f"The file is larger than {MAX_BYTES} bytes.")
            with path.open("rb") as file, self._stream() as stream:
                # Whoever has read enough answers and hangs up: the answer says why.
                with _despite_hanging_up():
                    stream.write(b"zINSTREAM\0")
                    while chunk := file.read(_CHUNK_BYTES):
                        stream.write(len(chunk).to_bytes(4) + chunk)
                    stream.write(bytes(4))
                return _read_reply(stream)
        except OSError as error:
            raise ProviderRejected("The file cannot be read.") from error

    @contextmanager
    def _stream(self) -> Iterator[Stream]:
        try:
            with open_stream(
                self.option("address"),
                allow_private_hosts=self.account.allow_private_hosts,
                timeout_seconds=self.account.timeout_seconds,
            ) as stream:
                yield stream
        except FetchRefused as refusal:
            raise ProviderUnavailable(f"{self.name} did not answer: {refusal.reason}.") from refusal


@contextmanager
def _despite_hanging_up() -> Iterator[None]:
    try:
        yield
    except FetchRefused as refusal:
        if refusal.reason != "connection":
            raise


def _read_reply(stream: Stream) -> str:
    # Complaints about slowness end with a newline, whatever the command ended with.
    return stream.read_line(ends=b"\0\n", max_bytes=_MAX_REPLY_BYTES).decode(errors="replace")


def _read_score(reply: str) -> float:
    if reply == "stream: OK":
        return 0.0
    if found := _FOUND.fullmatch(reply):
        return 0.7 if found[1].startswith(_UNSURE) else 1.0
    if reply == "INSTREAM size limit exceeded. ERROR":
        raise ProviderRejected("The file is larger than the daemon takes.")
    if reply.endswith(" ERROR") or reply == "COMMAND READ TIMED OUT":
        raise ProviderUnavailable("The daemon could not scan.")
    raise ProviderMalformed("The daemon said something else.")
