"""How large the nightly faults are: `make chaos` runs the full sizes, `CHAOS=short` small ones."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("CHAOS", "short") == "full"


def size(name: str, *, short: int, full: int) -> int:
    """Return a number of the run; the environment's variable `name` goes before both."""
    return int(os.environ.get(name) or (full if IS_FULL else short))
