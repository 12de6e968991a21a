"""What runs inside a decoding child: limits on itself first, then one attachment after another.

Each message, both ways, is a JSON header of known length followed by the bytes it announces:
`{"limits": {…}, "sizes": [n]}` in, `{"refused" | "made": …, "peak_kb": n, "sizes": […]}` out.
"""

from __future__ import annotations

import json
import resource
import select
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from moderation.errors import MediaRefused
from moderation.media.limits import MediaLimits
from moderation.media.picture import UNREADABLE, render
from moderation.media.signature import sort_of

# An idle child gives its memory back; the next attachment waits 0.1 s for a new one.
IDLE_SECONDS = 60.0
_LENGTH = struct.Struct("!I")

Header = dict[str, Any]
Message = tuple[Header, list[bytes]]


def write_message(out: BinaryIO, header: Header, blobs: Sequence[bytes] = ()) -> None:
    """Write one message; `sizes` is added to the header."""
    encoded = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    out.write(_LENGTH.pack(len(encoded)))
    out.write(encoded)
    out.writelines(blobs)
    out.flush()


def read_message(source: BinaryIO) -> Message:
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
    """Serve attachments from standard input until it ends, or nothing comes for a while."""
    source, out = sys.stdin.buffer, sys.stdout.buffer
    # No core file with what somebody sent, and no file at all.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    write_message(out, {"ready": True})
    libraries_kb = 0
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        try:
            header, (data,) = read_message(source)
        except EOFError:
            return
        limits = MediaLimits(**header["limits"])
        is_picture = sort_of(data) == "picture"
        if not (is_picture or libraries_kb):
            libraries_kb = _load_libraries()
        _limit_this_process(limits, libraries_kb)
        answer, blobs = _answer(_picture if is_picture else _streams, data, limits)
        answer["peak_kb"] = _status_kb("VmHWM")
        write_message(out, answer, blobs)


def _load_libraries() -> int:
    """Load FFmpeg; return how much address space its libraries take, in kB."""
    before = _status_kb("VmSize")
    import_module("moderation.media.stream")
    return _status_kb("VmSize") - before


def _limit_this_process(limits: MediaLimits, libraries_kb: int) -> None:
    space = limits.memory_bytes + libraries_kb * 1024
    resource.setrlimit(resource.RLIMIT_AS, (space, resource.RLIM_INFINITY))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime) + limits.cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _status_kb(name: str) -> int:
    # Not `ru_maxrss`, which a new program inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0])


def _answer(
    make: Callable[[bytes, MediaLimits], Message], data: bytes, limits: MediaLimits
) -> Message:
    try:
        return make(data, limits)
    except MediaRefused as refusal:
        return {"refused": str(refusal)}, []
    except MemoryError:
        return {"refused": "The file needs too much memory to decode."}, []
    except UNREADABLE:
        return {"refused": "The file is damaged or incomplete."}, []


def _picture(data: bytes, limits: MediaLimits) -> Message:
    made = render(data, limits)
    described = asdict(made)
    del described["content"], described["frames"]
    return {"made": described}, [made.content, *made.frames]


def _streams(data: bytes, limits: MediaLimits) -> Message:
    from moderation.media.stream import copy_streams

    made = copy_streams(data, limits)
    described = asdict(made)
    del described["content"], described["frames"], described["audio"]
    return {"made": described}, [made.content, made.audio, *made.frames]
