"""Lists of hashes, as banks are filled from and as they are handed on: CSV, and JSON in the shape
of ThreatExchange's indicators.

A list is read to its end before anything is stored: what is wrong with it is told line by line,
and nothing of it is taken.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import User

from moderation.errors import InvalidSubmission
from moderation.models import BankedHash, HashBank
from moderation.operations.export import safe_cell
from moderation.pipeline.known.banks import Added, Entry, add_entries, text_entry
from moderation.vocabulary import BankKind, Category

MOST_BYTES: Final = 32 * 1024 * 1024
MOST_ENTRIES: Final = 200_000
# More of them tell nobody more.
MOST_FAULTS: Final = 50
COLUMNS: Final = ("type", "value", "near", "category", "tags", "description")

PDQ: Final = "HASH_PDQ"
TEXT: Final = "HASH_TEXT_SHA256"
RAW_TEXT: Final = "TEXT_STRING"
# What others call the same.
_TYPES: Final[Mapping[str, str]] = {
    "HASH_PDQ": PDQ,
    "PDQ": PDQ,
    "PDQ_HASH": PDQ,
    "HASH_TEXT_SHA256": TEXT,
    "TEXT_SHA256": TEXT,
    "TEXT_STRING": RAW_TEXT,
    "TEXT": RAW_TEXT,
}
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_NEAR = re.compile(r"([0-9a-f]{16})?\Z")
_LABEL_CHARS = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and in which line of a CSV or which indicator of a JSON list, from 1."""

    line: int
    said: str


@dataclass(slots=True)
class Reading:
    """What a list holds: entries of a bank's kind, how many of them twice, and what is wrong."""

    entries: list[Entry] = field(default_factory=list)
    repeated: int = 0
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0


# --- in ------------------------------------------------------------------------------------------


def read_list(data: bytes, *, kind: BankKind) -> Reading:
    """Read a list; JSON where it begins like JSON. Nothing is stored.

    Raises `InvalidSubmission` for one that cannot be read at all or is too long.
    """
    if len(data) > MOST_BYTES:
        raise InvalidSubmission(f"A list has at most {MOST_BYTES // 1024 // 1024} MB: cut it up.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSubmission("A list is a text in UTF-8.") from error
    rows = _json_rows(text) if text.lstrip()[:1] in ("{", "[") else _csv_rows(text)
    reading, seen = Reading(), set[str]()
    for line, row in rows:
        if len(reading.entries) >= MOST_ENTRIES:
            raise InvalidSubmission(f"A list has at most {MOST_ENTRIES:,} entries: cut it up.")
        try:
            entry = _entry(row, kind)
        except InvalidSubmission as error:
            _note(reading, Fault(line, str(error)))
            continue
        if entry.mark in seen:
            reading.repeated += 1
        else:
            seen.add(entry.mark)
            reading.entries.append(entry)
    if not (reading.entries or reading.faults):
        raise InvalidSubmission("There is nothing in this list.")
    return reading


def import_list(*, bank: HashBank, data: bytes, user: User | None) -> tuple[Reading, Added | None]:
    """Store what a list holds, all of it or, where anything is wrong with it, nothing."""
    reading = read_list(data, kind=BankKind(bank.kind))
    if reading.faults:
        return reading, None
    return reading, add_entries(bank=bank, entries=reading.entries, user=user)


def _note(reading: Reading, fault: Fault) -> None:
    if len(reading.faults) < MOST_FAULTS:
        reading.faults.append(fault)
    else:
        reading.more_faults += 1


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="_beyond", strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        if not {"value", "indicator"} & set(names):
            raise InvalidSubmission(
                f"The first line names the columns, {', '.join(COLUMNS)}; a value must be there."
            )
        reader.fieldnames = names
        for row in reader:
            if any(row.values()):
                yield reader.line_num, row
    except csv.Error as error:
        raise InvalidSubmission(f"Line {reader.line_num} is not CSV: {error}.") from error


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidSubmission(
            f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except RecursionError as error:
        raise InvalidSubmission("This is not JSON: brackets in brackets in brackets.") from error
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise InvalidSubmission('JSON is a list of indicators, or an object with them as "data".')
    for number, row in enumerate(rows, start=1):
        yield number, row if isinstance(row, dict) else {}


def _entry(row: Mapping[str, object], kind: BankKind) -> Entry:
    if "_beyond" in row:
        raise InvalidSubmission("There are more cells than columns.")
    value = _indicator(row)
    given = str(row.get("type") or (PDQ if kind is BankKind.IMAGE else TEXT)).strip().upper()
    sort = _TYPES.get(given)
    if sort is None:
        raise InvalidSubmission(f"The type {given[:40]!r} is not known: {', '.join(_TYPES)}.")
    if (sort == PDQ) is not (kind is BankKind.IMAGE):
        raise InvalidSubmission(
            f"The type {given} does not go into a bank of {kind.label.lower()}."
        )
    entry = _known_by(sort, value, row)
    return entry._replace(category=_category(row), label=_label(row))


def _indicator(row: Mapping[str, object]) -> str:
    """Return the value; ThreatExchange has it as `indicator`, plain or as an object of its own."""
    value = row.get("value") or row.get("indicator")
    if isinstance(value, dict):
        value = value.get("indicator")
    text = _unquoted(str(value or "")).strip()
    if not text:
        raise InvalidSubmission("There is no value.")
    return text


def _known_by(sort: str, value: str, row: Mapping[str, object]) -> Entry:
    if sort == RAW_TEXT:
        return text_entry(value)
    mark = value.lower()
    if not _HASH.match(mark):
        raise InvalidSubmission("The value must have 64 hexadecimal digits.")
    if sort == PDQ:
        return Entry(perceptual_hash=mark)
    near = str(row.get("near") or "").strip().lower()
    if not _NEAR.match(near):
        raise InvalidSubmission("A near hash has 16 hexadecimal digits.")
    return Entry(fingerprint=mark, simhash=near)


def _category(row: Mapping[str, object]) -> Category | None:
    """Return the category that is named, or that a tag names; None for the bank's own."""
    named = str(row.get("category") or "").strip().lower()
    if named and named not in Category.values:
        raise InvalidSubmission(f"The category {named[:40]!r} is not known.")
    tags = [named, *(tag.lower() for tag in _tags(row.get("tags")))]
    return next((Category(tag) for tag in tags if tag in Category.values), None)


def _tags(tags: object) -> list[str]:
    """Tags are words with commas, a list of words or of objects with a text, or that as `data`."""
    if isinstance(tags, dict):
        tags = tags.get("data")
    if isinstance(tags, list):
        named = [tag.get("text") if isinstance(tag, dict) else tag for tag in tags]
        return [str(tag).strip() for tag in named if tag]
    return [tag.strip() for tag in _unquoted(str(tags or "")).split(",") if tag.strip()]


def _label(row: Mapping[str, object]) -> str:
    said = " ".join(_unquoted(str(row.get("description") or "")).split())
    return said.replace("\x00", "")[:_LABEL_CHARS]


def _unquoted(cell: str) -> str:
    """Take off the sign that keeps a spreadsheet from reading a cell as a formula."""
    return cell[1:] if cell.startswith("'") and safe_cell(cell[1:]) == cell else cell


# --- out -----------------------------------------------------------------------------------------


def write_csv(bank: HashBank) -> Iterator[str]:
    """Yield a bank's entries in force as CSV, piece by piece, with cells no spreadsheet runs."""
    yield _csv_line(COLUMNS)
    for item in _items(bank):
        yield _csv_line(
            [
                item["type"],
                item["value"],
                item["near"],
                item["category"],
                ",".join(item["tags"]),
                item["description"],
            ]
        )


def write_json(bank: HashBank) -> Iterator[str]:
    """Yield a bank's entries in force as JSON, piece by piece."""
    yield '{"data": ['
    for number, item in enumerate(_items(bank)):
        said = {name: value for name, value in item.items() if value or name == "description"}
        yield ("," if number else "") + "\n" + json.dumps(said, ensure_ascii=False)
    yield "\n]}\n"


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


def _items(bank: HashBank) -> Iterator[dict[str, Any]]:
    rows = (
        BankedHash.objects.filter(bank=bank, active=True, enforcement__reversed_at__isnull=True)
        .order_by("pk")
        .values_list("perceptual_hash", "fingerprint", "simhash", "category", "label")
    )
    for picture, text, near, category, label in rows.iterator(chunk_size=5_000):
        yield {
            "type": PDQ if picture else TEXT,
            "value": picture or text,
            "near": near,
            "category": category,
            "tags": [category],
            "description": label,
        }
