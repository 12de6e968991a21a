"""Known pictures and texts in memory: flat arrays that are searched in one go.

An entry of either kind takes about 45 bytes, so that a million of them fit where one model does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderation.media import pdq
from moderation.text.near import fingerprint_of, letters_of, near_hash
from moderation.vocabulary import BankKind, Category

_CATEGORIES = list(Category)
_NUMBER_OF = {category: number for number, category in enumerate(_CATEGORIES)}
_KINDS = (BankKind.IMAGE, BankKind.TEXT)


class Place(NamedTuple):
    """A bank: its id, name, and whose parts it applies to (`scope`, "" for everyone's)."""

    bank: int
    name: str
    scope: str


class Banked(NamedTuple):
    """One known picture or text.

    `mark` is a picture's PDQ hash or a text's fingerprint, 64 hex digits either way; `near` a
    text's similarity hash, "" for one without. One that is `in_doubt` is no evidence by itself.
    """

    entry: int
    place: Place
    kind: BankKind
    mark: str
    category: Category
    max_distance: int = pdq.DEFAULT_MAX_DISTANCE
    near: str = ""
    in_doubt: bool = False


class Match(NamedTuple):
    """What was known again, and how far it is from what is banked; 0 for the very same."""

    entry: int
    place: Place
    category: Category
    distance: int
    in_doubt: bool


@dataclass(frozen=True)
class Shelf:
    """Entries of one kind, column by column; `places` are numbers in a `Stock`'s list."""

    marks: npt.NDArray[np.uint64]
    entries: npt.NDArray[np.int64]
    places: npt.NDArray[np.int32]
    categories: npt.NDArray[np.uint8]
    max_distances: npt.NDArray[np.uint8]
    in_doubt: npt.NDArray[np.bool_]

    @staticmethod
    def of(kind: BankKind, rows: Sequence[Banked], number_of: Mapping[Place, int]) -> Shelf:
        marks = pdq.bank_of([row.mark for row in rows])
        if kind is BankKind.TEXT:
            # The first 64 bits tell texts apart; a near hash of none is near to none.
            near = np.array([int(row.near or "0", 16) for row in rows], dtype=np.uint64)
            has_near = np.array([bool(row.near) for row in rows], dtype=np.uint64)
            marks = np.stack([marks[0], near, has_near])
        return Shelf(
            marks=marks,
            entries=np.array([row.entry for row in rows], dtype=np.int64),
            places=np.array([number_of[row.place] for row in rows], dtype=np.int32),
            categories=np.array([_NUMBER_OF[row.category] for row in rows], dtype=np.uint8),
            max_distances=np.array([row.max_distance for row in rows], dtype=np.uint8),
            in_doubt=np.array([row.in_doubt for row in rows], dtype=np.bool_),
        )

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def reach(self) -> int:
        return int(self.max_distances.max(initial=0))

    @cached_property
    def by_mark(self) -> npt.NDArray[np.intp]:
        """Return the order in which the first column of marks is sorted."""
        return np.argsort(self.marks[0], kind="stable")

    def only(self, kept: npt.NDArray[np.bool_]) -> Shelf:
        return Shelf(
            **{
                one.name: np.ascontiguousarray(getattr(self, one.name)[..., kept])
                for one in fields(self)
            }
        )

    def plus(self, other: Shelf) -> Shelf:
        return Shelf(
            **{
                one.name: np.concatenate(
                    [getattr(self, one.name), getattr(other, one.name)], axis=-1
                )
                for one in fields(self)
            }
        )


@dataclass(frozen=True)
class Stock:
    """All that is known. `version` is the same for the same entries; `memo` is its reader's own."""

    shelves: Mapping[BankKind, Shelf]
    places: tuple[Place, ...] = ()
    version: str = ""
    memo: Any = field(default=None, compare=False)

    @staticmethod
    def of(entries: Iterable[Banked]) -> Stock:
        """Return a stock of a few entries; the same ones in any order make the same version."""
        rows = sorted(entries)
        digest = hashlib.sha256(repr(rows).encode()).hexdigest()
        return EMPTY.with_rows(rows, version=digest[:12])

    def without(self, *, entries: Iterable[int] = (), banks: Iterable[int] = ()) -> Stock:
        """Return what is left when these entries, and all entries of these banks, are taken out."""
        gone = np.fromiter(entries, dtype=np.int64)
        wanted = set(banks)
        empty = [number for number, place in enumerate(self.places) if place.bank in wanted]
        if not len(gone) and not empty:
            return self
        shelves = {
            kind: shelf.only(~(np.isin(shelf.entries, gone) | np.isin(shelf.places, empty)))
            for kind, shelf in self.shelves.items()
        }
        return replace(self, shelves=shelves)

    def with_rows(self, rows: Sequence[Banked], *, version: str, memo: Any = None) -> Stock:
        places = tuple(dict.fromkeys([*self.places, *(row.place for row in rows)]))
        number_of = {place: number for number, place in enumerate(places)}
        shelves = dict(self.shelves)
        for kind in _KINDS:
            found = [row for row in rows if row.kind == kind]
            if found:
                shelves[kind] = shelves[kind].plus(Shelf.of(kind, found, number_of))
        return Stock(shelves, places, version, memo)

    @property
    def has_pictures(self) -> bool:
        return len(self.shelves[BankKind.IMAGE]) > 0

    def like_picture(self, wanted: str, scope: str) -> list[Match]:
        """Return what a picture's PDQ hash (64 hex digits) matches, the nearest first."""
        shelf = self.shelves[BankKind.IMAGE]
        if not len(shelf):
            return []
        rows, found = pdq.near(shelf.marks, wanted, shelf.reach)
        is_near = found <= shelf.max_distances[rows]
        return self._matches(shelf, rows[is_near], found[is_near], scope)

    def like_text(self, text: str, scope: str) -> list[Match]:
        """Return what a text is or is nearly, the nearest first."""
        shelf = self.shelves[BankKind.TEXT]
        if not len(shelf):
            return []
        letters = letters_of(text)
        mark = fingerprint_of(letters)
        if not mark:
            return []
        same = _same(shelf, mark)
        rows, found = _near(shelf, near_hash(letters))
        is_other = ~np.isin(rows, same)
        rows = np.concatenate([same, rows[is_other]])
        found = np.concatenate([np.zeros(len(same), dtype=np.uint8), found[is_other]])
        return self._matches(shelf, rows, found, scope)

    def _matches(
        self, shelf: Shelf, rows: npt.NDArray[np.intp], found: npt.NDArray[Any], scope: str
    ) -> list[Match]:
        matches = [
            Match(
                entry=int(shelf.entries[row]),
                place=self.places[shelf.places[row]],
                category=_CATEGORIES[shelf.categories[row]],
                distance=int(distance),
                in_doubt=bool(shelf.in_doubt[row]),
            )
            for row, distance in zip(rows.tolist(), found.tolist(), strict=True)
        ]
        matches.sort(key=lambda match: match.distance)
        return [match for match in matches if match.place.scope in ("", scope)]


def _same(shelf: Shelf, mark: str) -> npt.NDArray[np.intp]:
    wanted = pdq.bank_of([mark])[0, 0]
    order = shelf.by_mark
    ordered = shelf.marks[0]
    first = np.searchsorted(ordered, wanted, side="left", sorter=order)
    last = np.searchsorted(ordered, wanted, side="right", sorter=order)
    return order[first:last]


def _near(shelf: Shelf, wanted: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
    if not wanted:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.uint8)
    found = np.bitwise_count(shelf.marks[1] ^ np.uint64(int(wanted, 16)))
    rows = np.flatnonzero((found <= shelf.max_distances) & (shelf.marks[2] == 1))
    return rows, found[rows]


EMPTY = Stock(
    {
        BankKind.IMAGE: Shelf.of(BankKind.IMAGE, [], {}),
        BankKind.TEXT: Shelf.of(BankKind.TEXT, [], {}),
    }
)
