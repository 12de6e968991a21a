"""What the EU Transparency Database takes as a statement of reasons, checked before it is sent.

The rules are those of its schema of 1 July 2025, as its own code applies them (read in June 2026);
where its documentation asks for more than its code, so do we.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

MOST_IN_A_BATCH: Final = 100

Record = Mapping[str, Any]
Wrong = tuple[str, str]

_PUID = re.compile(r"[A-Za-z0-9_-]{1,500}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_EAN = re.compile(r"\d{13}")
_FIRST_CONTENT_DAY, _FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2020, 1, 1), date(2038, 1, 1)
_SHORT, _LONG, _FACTS = 500, 2_000, 5_000
_DECISIONS = ("decision_visibility", "decision_monetary", "decision_provision", "decision_account")


@cache
def words() -> Mapping[str, Any]:
    """Return the register's own words, by the field that takes them."""
    text = (Path(__file__).parent / "data" / "register_words.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def wrong_with(record: Record) -> list[Wrong]:
    """Return (field, what is wrong with it) for everything that the register would refuse."""
    return [
        wrong
        for check in (
            _identity,
            _decisions,
            _grounds,
            _classification,
            _content,
            _dates,
            _facts_and_source,
        )
        for wrong in check(record)
    ]


def wrong_with_batch(records: Sequence[Record]) -> list[Wrong]:
    """Return what is wrong with a batch; a field of the third record is `statement_2.puid`."""
    if not 1 <= len(records) <= MOST_IN_A_BATCH:
        return [("statements", f"has 1 to {MOST_IN_A_BATCH} records, this has {len(records)}")]
    wrong = [
        (f"statement_{number}.{field}", what)
        for number, record in enumerate(records)
        for field, what in wrong_with(record)
    ]
    seen: set[object] = set()
    for number, record in enumerate(records):
        if (puid := str(record.get("puid"))) in seen:
            wrong.append((f"statement_{number}.puid", "is in this batch already"))
        seen.add(puid)
    return wrong


# Each part of a record


def _identity(record: Record) -> Iterator[Wrong]:
    puid = record.get("puid")
    # `fullmatch`, since `$` would let a line break at the end pass.
    if not isinstance(puid, str) or not _PUID.fullmatch(puid):
        yield "puid", "is letters, digits, dashes and underscores, 1 to 500 of them"


def _decisions(record: Record) -> Iterator[Wrong]:
    if not any(record.get(name) for name in _DECISIONS):
        yield "decision_visibility", "or another of the four decisions is required"
    yield from _list_of(record, "decision_visibility")
    for name in (*_DECISIONS[1:], "account_type"):
        yield from _word(record, name)
    for name in ("decision_visibility", "decision_monetary"):
        yield from _said_if_other(record, name)


def _grounds(record: Record) -> Iterator[Wrong]:
    yield from _word(record, "decision_ground", required=True)
    illegal = record.get("decision_ground") == "DECISION_GROUND_ILLEGAL_CONTENT"
    incompatible = record.get("decision_ground") == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    yield from _text(record, "illegal_content_legal_ground", most=_SHORT, required=illegal)
    yield from _text(record, "illegal_content_explanation", most=_LONG, required=illegal)
    yield from _text(record, "incompatible_content_ground", most=_SHORT, required=incompatible)
    yield from _text(record, "incompatible_content_explanation", most=_LONG, required=incompatible)
    yield from _yes_or_no(record, "incompatible_content_illegal")
    url = record.get("decision_ground_reference_url")
    if url is not None and not _is_url(url):
        yield "decision_ground_reference_url", f"is an address of up to {_SHORT} characters"


def _classification(record: Record) -> Iterator[Wrong]:
    yield from _word(record, "category", required=True)
    yield from _list_of(record, "category_addition", known="category")
    yield from _list_of(record, "category_specification")
    yield from _text(record, "category_specification_other", most=_SHORT)


def _content(record: Record) -> Iterator[Wrong]:
    yield from _list_of(record, "content_type", required=True)
    yield from _said_if_other(record, "content_type")
    yield from _word(record, "content_language")
    ean = record.get("content_id")
    if ean is not None:
        is_known = isinstance(ean, Mapping) and set(ean) == {"EAN-13"}
        if not is_known or not _EAN.fullmatch(str(ean["EAN-13"])):
            yield "content_id", "holds `EAN-13` with 13 digits, and nothing else"
    yield from _list_of(record, "territorial_scope", required=True)


def _dates(record: Record) -> Iterator[Wrong]:
    yield from _day(record, "content_date", first=_FIRST_CONTENT_DAY, required=True)
    yield from _day(record, "application_date", first=_FIRST_DAY, required=True)
    begins = _parsed(record.get("application_date")) or _FIRST_DAY
    for name in ("visibility", "monetary", "service", "account"):
        yield from _day(record, f"end_date_{name}_restriction", first=begins)


def _facts_and_source(record: Record) -> Iterator[Wrong]:
    yield from _text(record, "decision_facts", most=_FACTS, required=True)
    yield from _word(record, "source_type", required=True)
    yield from _text(record, "source_identity", most=_SHORT)
    yield from _yes_or_no(record, "automated_detection", required=True)
    yield from _word(record, "automated_decision", required=True)


# Each kind of field


def _word(record: Record, name: str, *, required: bool = False) -> Iterator[Wrong]:
    value = record.get(name)
    if value is None:
        if required:
            yield name, "is required"
    elif not isinstance(value, str) or value not in words()[name]:
        yield name, "is none of the register's words"


def _list_of(
    record: Record, name: str, *, known: str = "", required: bool = False
) -> Iterator[Wrong]:
    value = record.get(name)
    if value is None or value == []:
        if required:
            yield name, "is required"
    elif not isinstance(value, list):
        yield name, "is a list"
    elif any(not isinstance(one, str) or one not in words()[known or name] for one in value):
        yield name, "holds what is none of the register's words"


def _said_if_other(record: Record, name: str) -> Iterator[Wrong]:
    value = record.get(name)
    chosen = value if isinstance(value, list) else [value]
    is_other = any(isinstance(one, str) and one.endswith("_OTHER") for one in chosen)
    yield from _text(record, f"{name}_other", most=_SHORT, required=is_other)


def _text(record: Record, name: str, *, most: int, required: bool = False) -> Iterator[Wrong]:
    value = record.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        if required:
            yield name, "is required"
    elif not isinstance(value, str) or len(value) > most:
        yield name, f"is a text of up to {most} characters"


def _yes_or_no(record: Record, name: str, *, required: bool = False) -> Iterator[Wrong]:
    value = record.get(name)
    if value is None and not required:
        return
    if value not in ("Yes", "No") or not isinstance(value, str):
        yield name, "is `Yes` or `No`"


def _day(record: Record, name: str, *, first: date, required: bool = False) -> Iterator[Wrong]:
    value = record.get(name)
    if value is None or value == "":
        if required:
            yield name, "is required"
        return
    day = _parsed(value)
    if day is None or not first <= day <= _LAST_DAY:
        yield name, f"is a day from {first} to {_LAST_DAY}, as 2026-03-01"


def _parsed(value: object) -> date | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _is_url(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _SHORT:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
