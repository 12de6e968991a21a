"""Texts that somebody wants scored, read one by one from JSON lines or from a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from moderation.errors import InvalidSubmission

# Far more than a post may have; a file without line ends must not fill the memory.
LONGEST_LINE: Final = 10_000_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Id = str | int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One text with its owner's id. With an `error` there is nothing to score.

    `number` is where it stands (for a table: where its row ends), from 1.
    """

    number: int
    id: Id
    text: str = ""
    error: str = ""


def read_json_lines(file: BinaryIO) -> Iterator[Line]:
    """Yield what objects `{"id", "text"}`, one a line, hold; blank lines are passed over."""
    number = 0
    while raw := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(raw) > LONGEST_LINE:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(LONGEST_LINE)
            yield Line(number, None, error=f"is longer than {LONGEST_LINE:,} bytes")
            continue
        if number == 1:
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
        if raw.strip():
            yield _from_json(raw, number)


def _from_json(raw: bytes, number: int) -> Line:
    try:
        found = json.loads(raw.decode())
    except UnicodeDecodeError:
        return Line(number, None, error="is not in UTF-8")
    except (ValueError, RecursionError):
        return Line(number, None, error="is not JSON")
    if not isinstance(found, dict):
        return Line(number, None, error="is no object")
    given = found.get("id")
    if not isinstance(given, str | int) or isinstance(given, bool):
        return Line(number, None, error="has no `id` that is a text or a whole number")
    if not isinstance(found.get("text"), str):
        return Line(number, given, error="has no `text` that is a text")
    return Line(number, given, found["text"])


def read_table(file: BinaryIO) -> Iterator[Line]:
    """Yield the rows of a CSV file whose first row names an `id` and a `text` column.

    Raises `InvalidSubmission` for a file that cannot be read as such: what follows a broken row
    cannot be told from the row.
    """
    # Bytes that are no UTF-8 are told row by row, not for the whole file.
    said = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.DictReader(said, strict=True)
    try:
        missing = {"id", "text"}.difference(reader.fieldnames or ())
        if missing:
            raise InvalidSubmission(f"Line 1: has no column `{min(missing)}`.")
        for row in reader:
            yield _from_row(row["id"], row["text"], reader.line_num)
    except csv.Error as error:
        # It counts the lines that it has done with.
        raise InvalidSubmission(f"Line {reader.line_num + 1}: {error}.") from error
    finally:
        # Whoever opened the file closes it.
        said.detach()


def _from_row(given: str | None, text: str | None, number: int) -> Line:
    if not given or not _is_unicode(given):
        return Line(number, None, error="has no `id` in UTF-8")
    if text is None:
        return Line(number, given, error="has no `text`")
    if not _is_unicode(text):
        return Line(number, given, error="is not in UTF-8")
    return Line(number, given, text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
