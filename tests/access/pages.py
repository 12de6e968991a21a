"""Who gets what from every page: name × method × role × tenant → what is answered.

`pages.txt` holds it, a line a page and method. A page without a line fails the test beside this.
"""

from __future__ import annotations

from pathlib import Path

RECORD = Path(__file__).with_name("pages.txt")
# Those who are of one community ask for what is theirs and, with a star, for what is another's.
ROLES = (
    "anonymous",
    "key",  # of the community, with all scopes: pages know no keys
    "user",  # Cy, who reported what is asked for, or is a stranger to it
    "author",  # Bo, who wrote it
    "author*",
    "reader",
    "reader*",
    "moderator",
    "moderator*",
    "lead",
    "lead*",
    "operator",  # of the services that judge, and of no community
    "root",  # a superuser
)
METHODS = ("GET", "POST")
# An address without anything in it that could be another's.
SAME = "-"

# Django's own lists of changes: asked for once.
GET_ONLY = ("_history",)
# Something of moderation's or of the forum's was written.
WROTE = "!"
# Something of the other community stood there: never to be recorded.
TOLD = "?"
# "none": sent to the first page, as Django says that there is no such row.
REFUSALS = frozenset({"403", "404", "405", "login", "none", SAME})
# The columns of staff who ask for another community's.
ELSEWHERE = [ROLES.index(role) for role in ROLES if role.endswith("*") and role != "author*"]
UNRECORDED = ("nothing",) * len(ROLES)

Row = tuple[str, ...]
Record = dict[tuple[str, str], Row]


def read_record() -> Record:
    lines = (line.split() for line in RECORD.read_text().splitlines() if line[:1] != "#")
    return {(name, method): tuple(cells) for name, method, *cells in lines}


def write_record(record: Record) -> None:
    """Write what was found as what is expected: read the difference before you keep it."""
    rows = [("# page", "method", *ROLES)]
    rows += [(*page, *record[page]) for page in sorted(record)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    RECORD.write_text(
        "".join(" ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
    )
