"""What a process may go on believing for a second, so that hot rows are not read each request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

# How long a process may go on with a community, a key or a load figure it has read.
FRESH_SECONDS = 1.0

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Remembers what a reader returned for a second, so that hot rows are read once a second.

    Errors are not remembered. Bounded: forgets everything when it holds too much.
    """

    def __init__(self, *, seconds: float = FRESH_SECONDS, most: int = 10_000) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: dict[object, tuple[float, Value]] = {}
        self._guard = threading.Lock()

    def get(self, key: object, read: Callable[[], Value]) -> Value:
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        value = read()
        with self._guard:
            if len(self._kept) >= self._most:
                self._kept.clear()
            self._kept[key] = (now + self._seconds, value)
        return value

    def clear(self) -> None:
        with self._guard:
            self._kept.clear()


class Reloaded(Generic[Value]):
    """One value that is read anew, from what it was before, when it is older than `seconds`.

    Readers wait for each other, so that it is read once. Errors are not remembered.
    """

    def __init__(self, read: Callable[[Value | None], Value], *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._guard = threading.Lock()
        self._kept: tuple[float, Value] | None = None

    def get(self) -> Value:
        with self._guard:
            if self._kept is None or time.monotonic() - self._kept[0] >= self._seconds:
                before = self._kept[1] if self._kept is not None else None
                self._kept = (time.monotonic(), self._read(before))
            return self._kept[1]
