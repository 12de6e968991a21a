"""A post's text as its readers saw it, made safe to judge.

Pieces are plain text for a template to escape: what a provider matched is marked, and what
readers cannot see (direction changes, invisible signs) is named instead of obeyed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from moderation.vocabulary import Category

_JOINERS: Final = frozenset("\u200c\u200d")
# Tag letters spell the flags of England, Scotland and Wales after this sign.
_BLACK_FLAG: Final = "\U0001f3f4"
_SHORT_NAMES: Final = {
    "\u200b": "zero-width space",
    "\u200c": "zero-width non-joiner",
    "\u200d": "zero-width joiner",
    "\u2060": "word joiner",
    "\ufeff": "byte order mark",
    "\u00ad": "soft hyphen",
    "\u202e": "right-to-left override",
    "\u202d": "left-to-right override",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text. `matched` names the categories that its words drove; `hidden` names a sign
    that readers cannot see, whose text is then its code."""

    text: str
    matched: str = ""
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class SeenText:
    title: tuple[Piece, ...]
    body: tuple[Piece, ...]

    @property
    def has_hidden(self) -> bool:
        return any(piece.hidden for piece in (*self.title, *self.body))


Span = tuple[int, int, str]


def seen_text(title: str, body: str, spans: Iterable[Span] = ()) -> SeenText:
    """Return a post's title and body in pieces.

    `spans` are [start, end, category] in title and body joined by a newline, or in the one of
    them that is not empty, as providers are given them.
    """
    known = list(spans)
    offset = len(title) + 1 if title and body else 0
    return SeenText(
        title=pieces(title, known if title else ()),
        body=pieces(body, [(start - offset, end - offset, name) for start, end, name in known])
        if body
        else (),
    )


def pieces(text: str, spans: Iterable[Span] = ()) -> tuple[Piece, ...]:
    """Cut a text at its spans and around its invisible signs; together they are the text."""
    inside = [
        (max(start, 0), min(end, len(text)), name)
        for start, end, name in spans
        if start < len(text) and end > 0 and start < end
    ]
    edges = sorted({0, len(text), *(at for start, end, _ in inside for at in (start, end))})
    found: list[Piece] = []
    for start, end in pairwise(edges):
        names = sorted({name for low, high, name in inside if low <= start and end <= high})
        matched = ", ".join(_label(name) for name in names)
        found.extend(replace(piece, matched=matched) for piece in _reveal(text, start, end))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Change:
    """A run of two texts: "same" in both, "gone" from the old one, "new" in the new one."""

    kind: str
    pieces: tuple[Piece, ...]


def changes_between(old: str, new: str) -> tuple[Change, ...]:
    """Return what an edit changed, word by word; line by line where the texts are long."""
    cut = _WORDS if max(len(old), len(new)) <= _COMPARED_BY_WORD else _LINES
    before, after = cut.findall(old), cut.findall(new)
    found: list[Change] = []
    for kind, low, high, start, end in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            found.append(Change("same", pieces("".join(before[low:high]))))
            continue
        if low < high:
            found.append(Change("gone", pieces("".join(before[low:high]))))
        if start < end:
            found.append(Change("new", pieces("".join(after[start:end]))))
    return tuple(found)


# Comparing words takes time with the square of their number.
_COMPARED_BY_WORD: Final = 6_000
_WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")


def plainly(text: str) -> str:
    """Return a text with the codes of its invisible signs, for where no markup can stand."""
    return "".join(piece.text for piece in pieces(text))


def excerpt(title: str, body: str, *, limit: int = 160) -> tuple[Piece, ...]:
    """Return the beginning of a post on one line."""
    line = " ".join(" · ".join(part for part in (title, body) if part).split())
    return pieces(line if len(line) <= limit else f"{line[:limit]}…")


def _label(name: str) -> str:
    return str(Category(name).label) if name in Category.values else name


def _reveal(text: str, start: int, end: int) -> Iterator[Piece]:
    run = start
    for at in range(start, end):
        if not _is_hidden(text, at):
            continue
        if run < at:
            yield Piece(text[run:at])
        yield Piece(f"U+{ord(text[at]):04X}", hidden=_name_of(text[at]))
        run = at + 1
    if run < end:
        yield Piece(text[run:end])


def _is_hidden(text: str, at: int) -> bool:
    sign = text[at]
    if sign in "\n\r\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Co"):
        return False
    if sign in _JOINERS:
        return not _joins(text, at)
    if 0xE0020 <= ord(sign) <= 0xE007F:
        return _BLACK_FLAG not in text[max(0, at - 6) : at]
    return True


def _joins(text: str, at: int) -> bool:
    """Whether a joiner does its work: between emoji, or in a script that is written with it."""
    around = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    return all(sign and ord(sign) > 0x2FF for sign in around)


def _name_of(sign: str) -> str:
    return _SHORT_NAMES.get(sign) or unicodedata.name(sign, "control character").lower()


def spans_of(rows: Iterable[Sequence[object]]) -> list[Span]:
    """Return what is a span among stored rows: evidence may be older than its present form."""
    return [
        (row[0], row[1], str(row[2]))
        for row in rows
        if len(row) == 3 and isinstance(row[0], int) and isinstance(row[1], int)
    ]
