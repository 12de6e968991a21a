"""Parts of a file, for players that seek (RFC 9110, section 14). One part at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

# "From here to the end" is how players begin: they ask on when they have played this much.
MOST_BYTES = 4 * 1024 * 1024
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Unsatisfiable(Exception):
    """The file has no such bytes."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `first` to `last`, inclusive."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def read_range(header: str, size: int) -> Range | None:
    """Return the part of a file of `size` bytes that is asked for, None for the whole of it.

    What makes no sense asks for nothing, as the standard has it. Raises `Unsatisfiable`.
    """
    asked = _ONE_RANGE.fullmatch(header.strip())
    if asked is None or asked[0] == "bytes=-":
        return None
    if not asked[1]:
        return _last_bytes(int(asked[2]), size)
    first, end = int(asked[1]), asked[2]
    if end and int(end) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    last = int(end) if end else first + MOST_BYTES - 1
    return Range(first, min(last, size - 1))


def _last_bytes(count: int, size: int) -> Range:
    if count == 0 or size == 0:
        raise Unsatisfiable
    return Range(max(0, size - count), size - 1)
