"""Texts with the scores that Perspective once gave them, as their owner kept them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from moderation.errors import InvalidSubmission
from moderation.labels.attributes import KNOWN

TEXT_COLUMNS = ("text", "comment", "comment_text", "comment.text")
# A comment had at most 20 kB; other columns may hold whole threads.
_MOST_CHARS_IN_A_CELL = 10_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """One text with its scores by attribute."""

    text: str
    scores: Mapping[str, float]


def read_stored(path: Path, *, text_column: str = "") -> Iterator[Stored]:
    """Yield what a CSV or JSONL file holds. Raises `InvalidSubmission` naming the line.

    Attributes are columns of a CSV file, or keys: by their name in any case, alone or as a step of
    a path (`attributeScores.TOXICITY.summaryScore.value`), with a version or without; of several
    versions the first counts. A line of JSON may be an answer of Perspective with the text beside
    it.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _read_lines(file) if path.suffix in (".jsonl", ".ndjson") else _read_table(file)
        try:
            for line, row in rows:
                yield _stored(row, line, (text_column,) if text_column else TEXT_COLUMNS)
        except UnicodeDecodeError as error:
            raise InvalidSubmission("The file is not in UTF-8.") from error


def _read_table(file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(_MOST_CHARS_IN_A_CELL)
    reader = csv.DictReader(file)
    try:
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if name}
    except csv.Error as error:
        raise InvalidSubmission(f"Line {reader.line_num}: {error}.") from error


def _read_lines(file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidSubmission(f"Line {number}: is not JSON.") from error
        if not isinstance(found, dict):
            raise InvalidSubmission(f"Line {number}: is no object.")
        yield number, dict(_steps(found))


def _steps(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what an object holds by path, all the way down."""
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        if isinstance(item, dict):
            yield from _steps(item, here)
        else:
            yield here, item


def _stored(row: Mapping[str, Any], line: int, text_columns: tuple[str, ...]) -> Stored:
    text = next((row[name] for name in text_columns if name in row), None)
    if not isinstance(text, str):
        raise InvalidSubmission(f"Line {line}: has no text, which is called {text_columns[0]!r}.")
    scores: dict[str, float] = {}
    for name, value in row.items():
        attribute = _attribute(name)
        if attribute and value not in (None, "") and attribute not in scores:
            scores[attribute] = _score(value, line, attribute)
    return Stored(text, scores)


def _attribute(path: str) -> str:
    """Return the attribute whose summary a path leads to, "" for everything else."""
    steps = path.split(".")
    if "spanScores" in steps or steps[-1] == "type":
        return ""
    names = (step.partition("@")[0].upper() for step in steps)
    return next((name for name in names if name in KNOWN), "")


def _score(value: object, line: int, attribute: str) -> float:
    try:
        score = float(str(value))
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise InvalidSubmission(f"Line {line}: {attribute} is no score from 0 to 1.")
    return score
