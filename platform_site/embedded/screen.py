"""What people see in the terminal: progress, errors of the children, and where to go."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

KEPT_BYTES = 10 * 1024 * 1024
BAD_LEVELS = frozenset({"error", "critical"})


def step(line: str) -> str:
    """Return the line that shows a step as it begins."""
    return f"  · {line} …"


def complain(line: str) -> None:
    print(f"  ! {line}", file=sys.stderr, flush=True)


def box(lines: list[str]) -> str:
    """Return the lines in a frame."""
    width = max(map(len, lines))
    edge = "─" * (width + 2)
    body = [f"│ {line.ljust(width)} │" for line in lines]
    return "\n".join([f"┌{edge}┐", *body, f"└{edge}┘"])


@dataclass
class LogFile:
    """Follows one child's log: shows its errors, and keeps the file from growing for ever."""

    name: str
    path: Path
    position: int = 0
    last: str = ""

    def skip_old(self) -> None:
        self.position = self._size()

    def errors(self) -> list[str]:
        """Return what was complained of since the last call, short, and the same thing once."""
        size = self._size()
        if size < self.position:
            self.position = 0
        if size == self.position:
            return []
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read(size - self.position)
        complete = data.rfind(b"\n") + 1
        self.position += complete
        lines = data[:complete].decode("utf-8", "replace").splitlines()
        return list(self._news(_complaint(line) for line in lines))

    def _news(self, complaints: Iterable[str]) -> Iterator[str]:
        for complaint in complaints:
            if complaint and complaint != self.last:
                self.last = complaint
                yield complaint

    def tail(self, count: int = 5) -> list[str]:
        """Return the last lines."""
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(max(0, self._size() - 4096))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]

    def trim(self) -> None:
        """Move a long log aside. The child appends, so it goes on in the emptied file."""
        if self._size() > KEPT_BYTES:
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
            with self.path.open("r+b") as file:
                file.truncate(0)
            self.position = 0

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0


def _complaint(line: str) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(record, dict) or record.get("level") not in BAD_LEVELS:
        return ""
    exception = str(record.get("exception", "")).strip().rsplit("\n", 1)[-1]
    return " · ".join(filter(None, [str(record.get("event", "")), exception]))[:200]
