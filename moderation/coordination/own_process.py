"""What this process calls itself. Its children have the name by inheritance."""

from __future__ import annotations

import os
import platform
from typing import Final

from moderation.vocabulary import ProcessRole

_MOST_CHARS: Final = 100
_named: list[str] = []


def host() -> str:
    return platform.node()[:_MOST_CHARS] or "unknown"


def take_name(role: ProcessRole) -> str:
    """Name this process by its role, host and id; the last name holds."""
    name = f"{role}@{host()}:{os.getpid()}"
    _named[:] = [name]
    return name


def own_name() -> str:
    """Return the name, "" for a process that took none."""
    return _named[0] if _named else ""


def drop_name() -> None:
    _named.clear()
