"""Our own documentation as blocks for a template: the little Markdown that it is written in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_INLINE = re.compile(r"(?P<code>`[^`]+`)|\*\*(?P<strong>.+?)\*\*|\[(?P<link>[^\]]+)\]\([^)\s]+\)")
_ITEM = re.compile(r"(?:- |\d+\. )(.*)")
# A bar within backticks is no border of a cell.
_BORDER = re.compile(r"\|(?=(?:[^`]*`[^`]*`)*[^`]*$)")
_RULER = re.compile(r"[|:\s-]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text; `kind` is "code", "strong" or "" for plain text."""

    text: str
    kind: str = ""


Line = Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Block:
    """`kind` is "heading", "table", "list", "numbers", "code" or "text".

    `lines` holds a list's items, a heading's or a paragraph's one line; `rows` a table's cells,
    `head` those of its first row.
    """

    kind: str
    lines: Sequence[Line] = ()
    head: Sequence[Line] = ()
    rows: Sequence[Sequence[Line]] = field(default=())
    code: str = ""


def read_document(text: str) -> tuple[str, list[Block]]:
    """Return a document's title and what follows it. What it is not made for stays plain text."""
    blocks = [_block(lines) for lines in _paragraphs(text)]
    if blocks and blocks[0].kind == "heading":
        return "".join(piece.text for piece in blocks[0].lines[0]), blocks[1:]
    return "", blocks


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Yield lines that belong together: divided by empty lines, except within a fence."""
    found: list[str] = []
    is_fenced = False
    for line in text.splitlines():
        is_fenced ^= line.startswith("```")
        if line.strip() or is_fenced:
            found.append(line)
        elif found:
            yield found
            found = []
    if found:
        yield found


def _block(lines: list[str]) -> Block:
    first = lines[0]
    if first.startswith("#"):
        return Block("heading", lines=[_line(first.lstrip("# "))])
    if first.startswith("```"):
        return Block("code", code="\n".join(line for line in lines if not line.startswith("```")))
    if all(line.startswith("    ") for line in lines):
        return Block("code", code="\n".join(line[4:] for line in lines))
    if first.startswith("|"):
        return _table(lines)
    if _ITEM.match(first):
        kind = "list" if first.startswith("- ") else "numbers"
        return Block(kind, lines=[_line(item) for item in _items(lines)])
    return Block("text", lines=[_line(" ".join(lines))])


def _table(lines: list[str]) -> Block:
    rows = [
        [_line(cell.strip()) for cell in _BORDER.split(line.strip().strip("|"))]
        for line in lines
        if not _RULER.fullmatch(line) or line is lines[0]
    ]
    head = rows[0] if any(rows[0]) else []
    return Block("table", head=head, rows=rows[1:])


def _items(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        item = _ITEM.match(line)
        if item:
            found.append(item[1])
        else:
            found[-1] += f" {line.strip()}"
    return found


def _line(text: str) -> Line:
    found, at = [], 0
    for match in _INLINE.finditer(text):
        found.append(Piece(text[at : match.start()]))
        at = match.end()
        kind = str(match.lastgroup)
        shown = match[kind].strip("`") if kind == "code" else match[kind]
        found.append(Piece(shown, "" if kind == "link" else kind))
    found.append(Piece(text[at:]))
    return [piece for piece in found if piece.text]
