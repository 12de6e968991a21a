"""A bar on standard error: how far a long file is."""

from __future__ import annotations

import time
from typing import TextIO

_WIDTH = 30
# Often enough to look alive, seldom enough to cost nothing.
_REDRAW_SECONDS = 0.1


class Progress:
    """Draw over one line again and again. `total` is None where it is not known beforehand."""

    def __init__(self, stream: TextIO, total: int | None, *, shown: bool) -> None:
        self._stream = stream
        self._total = total
        self._shown = shown
        self._done = 0
        self._began_at = time.monotonic()
        self._drawn_at = float("-inf")

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._drawn_at >= _REDRAW_SECONDS:
            self._draw()

    def finish(self) -> None:
        """Draw how it ended, and leave the line."""
        if self._shown:
            self._draw()
            self._stream.write("\n")

    def _draw(self) -> None:
        if not self._shown:
            return
        self._drawn_at = time.monotonic()
        self._stream.write(f"\r{self.line()}")
        self._stream.flush()

    def line(self) -> str:
        """Return the bar, the count and the rate."""
        seconds = max(time.monotonic() - self._began_at, 0.001)
        rate = f"{self._done / seconds:.0f}/s"
        if not self._total:
            return f"{self._done} rows, {rate}"
        share = min(self._done / self._total, 1.0)
        full = int(share * _WIDTH)
        bar = "#" * full + "." * (_WIDTH - full)
        return f"[{bar}] {share:4.0%} {self._done}/{self._total} {rate}"
