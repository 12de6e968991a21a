"""A CSV file, row by row: what is read, checked in batches and written beside it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from gatehouse_client.answers import Verdict
from gatehouse_client.calls import MOST_AT_ONCE
from gatehouse_client.errors import GatehouseError, InvalidRequest

# Python's own limit would refuse a post of full length in some alphabets.
_LONGEST_CELL = 10_000_000
ADDED = ("gatehouse_action", "gatehouse_category", "gatehouse_score", "gatehouse_rule")
_ERROR = "error"
_EMPTY = "empty"

Check = Callable[[Sequence[str]], Sequence[Verdict]]


class NoSuchColumn(GatehouseError):
    """The file has no such column, or more than one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. `verdict` and `wrong` are both absent for an empty text."""

    cells: Sequence[str]
    text: str
    verdict: Verdict | None = None
    wrong: str = ""


class Table:
    """A CSV file with a line of headings, and the column that holds the texts."""

    def __init__(self, path: str, column: str) -> None:
        csv.field_size_limit(_LONGEST_CELL)
        self._path = Path(path)
        self.headings = next(self._lines(), [])
        if self.headings.count(column) != 1:
            known = ", ".join(self.headings) or "none"
            raise NoSuchColumn(f"The file has no single column {column!r}; it has: {known}.")
        self._at = self.headings.index(column)

    def count(self) -> int:
        return sum(1 for _ in self.rows())

    def rows(self) -> Iterator[Row]:
        for cells in islice(self._lines(), 1, None):
            yield Row(cells, cells[self._at] if self._at < len(cells) else "")

    def _lines(self) -> Iterator[list[str]]:
        # A spreadsheet's file may begin with a byte order mark.
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            yield from (cells for cells in csv.reader(file) if cells)


def checked(rows: Iterator[Row], check: Check) -> Iterator[Sequence[Row]]:
    """Yield the rows with their verdicts, as many at once as were asked about together."""
    while batch := list(islice(rows, MOST_AT_ONCE)):
        judged = iter(_judge([row for row in batch if row.text.strip()], check))
        yield [next(judged) if row.text.strip() else row for row in batch]


def _judge(rows: Sequence[Row], check: Check) -> Sequence[Row]:
    if not rows:
        return []
    try:
        verdicts = check([row.text for row in rows])
    except InvalidRequest as error:
        if len(rows) == 1:
            return [Row(rows[0].cells, rows[0].text, wrong=str(error))]
        # One text that cannot be checked must not take its neighbours with it.
        half = len(rows) // 2
        return [*_judge(rows[:half], check), *_judge(rows[half:], check)]
    return [Row(row.cells, row.text, verdict) for row, verdict in zip(rows, verdicts, strict=True)]


class Writer:
    """Write rows with their verdicts, as CSV or one JSON object a line."""

    def __init__(self, stream: TextIO, headings: Sequence[str], *, as_json: bool) -> None:
        self._stream = stream
        self._headings = headings
        self._csv = None if as_json else csv.writer(stream, lineterminator="\n")
        if self._csv:
            self._csv.writerow([*headings, *ADDED])

    def write(self, row: Row) -> None:
        if self._csv is None:
            self._stream.write(json.dumps(self._object(row), ensure_ascii=False) + "\n")
            return
        # A short line is filled up, so that what is added stands below its heading.
        missing = [""] * (len(self._headings) - len(row.cells))
        self._csv.writerow([*row.cells, *missing, *_added(row)])

    def _object(self, row: Row) -> dict[str, Any]:
        said = {"row": dict(zip(self._headings, row.cells, strict=False))}
        if row.verdict is not None:
            return said | {"verdict": row.verdict.raw}
        return said | {"verdict": None, "error": row.wrong or _EMPTY}


def _added(row: Row) -> Sequence[str]:
    verdict = row.verdict
    if verdict is None:
        return (_ERROR if row.wrong else _EMPTY, "", "", row.wrong)
    score = "" if verdict.score is None else f"{verdict.score:.4f}"
    return (verdict.action, verdict.category or "", score, verdict.rule)


def open_output(path: str | None, *, source: str) -> TextIO:
    """Return where rows go: a file, or standard output, which is not ours to close."""
    if not path:
        return sys.stdout
    file = Path(path)
    if file.exists() and file.samefile(source):
        raise ValueError("The checked rows cannot go into the file that they are read from.")
    return file.open("w", encoding="utf-8", newline="")
