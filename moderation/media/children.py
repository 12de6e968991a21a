"""Decoding children: few, reused, replaced after a failure, killed at their deadline.

A child costs 0.1 s to start and a message costs less than a millisecond, so each is kept for
many attachments. It holds no secret and no connection: an empty environment, two pipes.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, cast

from moderation.errors import MediaRefused
from moderation.media.limits import MediaLimits
from moderation.media.worker import Header, read_message, write_message

# A slow leak in a decoder must not add up.
FILES_PER_CHILD = 200
# After a large picture or a video the heap stays grown: better to begin anew.
_RETIRE_ABOVE_KB = 200 * 1024
_START_SECONDS = 20.0
_ROOT = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]);from moderation.media.worker import main; main()"
)


class ChildGone(Exception):
    """The child ended or was killed before it answered."""


class Child:
    """One decoding process. Used by one thread at a time."""

    def __init__(self) -> None:
        self.files = 0
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            # Isolated: no user site, no environment, no current directory on the path.
            [sys.executable, "-I", "-c", _BOOT, str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_bare_environment(),
            start_new_session=True,  # Ctrl-C is the parent's business
        )
        self._in = cast(BinaryIO, self._process.stdin)
        self._out = cast(BinaryIO, self._process.stdout)
        # It says that it is ready; a child that cannot start is our fault, not a file's.
        self._exchange(None, _START_SECONDS)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it can be given anything."""
        return self._process.poll() is None

    def ask(self, data: bytes, limits: MediaLimits) -> tuple[Header, list[bytes]]:
        """Give it one attachment. Raises `ChildGone` if it ends, or takes longer than allowed."""
        self.files += 1
        return self._exchange(({"limits": asdict(limits)}, data), limits.timeout_seconds)

    def _exchange(
        self, message: tuple[Header, bytes] | None, seconds: float
    ) -> tuple[Header, list[bytes]]:
        # Killing it is what ends a blocked read or write on our side.
        killer = threading.Timer(seconds, self._process.kill)
        killer.start()
        try:
            if message is not None:
                write_message(self._in, message[0], [message[1]])
            return read_message(self._out)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise ChildGone from error
        finally:
            killer.cancel()

    def close(self) -> None:
        """End it at once, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._in, self._out):
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _bare_environment() -> dict[str, str]:
    # One thread each: more of them reserve address space, which is limited.
    bare = {"PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if "LD_LIBRARY_PATH" in os.environ:  # a Python that was built shared needs it to start
        bare["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return bare


class Children:
    """At most `most` children at once; callers beyond that wait. Safe between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin()
        # A forked worker must not talk to its parent's children.
        self._foreign: list[Child] = []
        os.register_at_fork(after_in_child=self._after_fork)
        atexit.register(self.close)

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._places = threading.BoundedSemaphore(self._most)
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    def _after_fork(self) -> None:
        # Kept, so that they are never closed from here.
        self._foreign.extend(self._idle)
        self._begin()

    def decode(self, data: bytes, limits: MediaLimits) -> tuple[Header, list[bytes]]:
        """Have one attachment decoded.

        Raises `MediaRefused` for one that its child refuses or does not survive.
        """
        with self._places:
            header, blobs = self._decode(data, limits)
        if "refused" in header:
            raise MediaRefused(str(header["refused"]))
        return header, blobs

    def close(self) -> None:
        """End all idle children."""
        if self._owner != os.getpid():
            return
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _decode(self, data: bytes, limits: MediaLimits) -> tuple[Header, list[bytes]]:
        child = self._take()
        began = time.monotonic()
        fresh = child.files == 0
        try:
            header, blobs = child.ask(data, limits)
        except ChildGone:
            # A kept child may have gone by itself (idle, out of memory elsewhere) just now.
            if fresh or time.monotonic() - began >= limits.timeout_seconds:
                raise MediaRefused("The file cannot be decoded within our limits.") from None
            return self._decode(data, limits)
        self._give_back(child, retire=header["peak_kb"] > _RETIRE_ABOVE_KB)
        return header, blobs

    def _take(self) -> Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return Child()
            if child.is_alive():
                return child
            child.close()

    def _give_back(self, child: Child, *, retire: bool) -> None:
        if retire or child.files >= FILES_PER_CHILD:
            child.close()
            return
        with self._lock:
            self._idle.append(child)
