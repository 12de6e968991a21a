"""What runs inside a decoding child: limits on itself first, then one picture after another.

Each message, both ways, is a JSON header of known length followed by the bytes it announces:
`{"limits": {…}, "sizes": [n]}` in, `{"refused" | "made": …, "peak_kb": n, "sizes": […]}` out.
"""

from __future__ import annotations

import json
import resource
import select
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from moderation.errors import MediaRefused
from moderation.media.limits import MediaLimits
from moderation.media.picture import UNREADABLE, Rendition, render

# An idle child gives its memory back; the next picture waits 0.1 s for a new one.
IDLE_SECONDS = 60.0
_LENGTH = struct.Struct("!I")

Header = dict[str, Any]


def write_message(out: BinaryIO, header: Header, blobs: Sequence[bytes] = ()) -> None:
    """Write one message; `sizes` is added to the header."""
    encoded = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    out.write(_LENGTH.pack(len(encoded)))
    out.write(encoded)
    out.writelines(blobs)
    out.flush()


def read_message(source: BinaryIO) -> tuple[Header, list[bytes]]:
    """Read one message. Raises `EOFError` where the other side has gone."""
    (length,) = _LENGTH.unpack(_read(source, _LENGTH.size))
    header = json.loads(_read(source, length))
    return header, [_read(source, size) for size in header["sizes"]]


def _read(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError("The other side has gone.")
    return data


def main() -> None:
    """Serve pictures from standard input until it ends, or nothing comes for a while."""
    source, out = sys.stdin.buffer, sys.stdout.buffer
    # No core file with somebody's picture, and no file at all.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    write_message(out, {"ready": True})
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        try:
            header, (data,) = read_message(source)
        except EOFError:
            return
        limits = MediaLimits(**header["limits"])
        _limit_this_process(limits)
        answer, blobs = _answer(data, limits)
        answer["peak_kb"] = _peak_kb()
        write_message(out, answer, blobs)


def _limit_this_process(limits: MediaLimits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, resource.RLIM_INFINITY))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime) + limits.cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _peak_kb() -> int:
    # Not `ru_maxrss`, which a new program inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def _answer(data: bytes, limits: MediaLimits) -> tuple[Header, list[bytes]]:
    try:
        made = render(data, limits)
    except MediaRefused as refusal:
        return {"refused": str(refusal)}, []
    except MemoryError:
        return {"refused": "The picture needs too much memory to decode."}, []
    except UNREADABLE:
        return {"refused": "The picture is damaged or incomplete."}, []
    return {"made": _described(made)}, [made.content, *made.frames]


def _described(made: Rendition) -> Header:
    described = asdict(made)
    del described["content"], described["frames"]
    return described
