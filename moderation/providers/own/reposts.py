"""What was taken down here before, or stands in a bank of texts: known again without asking anyone
else. Every policy asks it about texts, so a bank of texts needs no other route.

A match is as good as certain while the enforcement stands. No match says nothing: that is "not
judged", never a score of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, NamedTuple

from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.text.near import fingerprint_of, letters_of
from moderation.vocabulary import Category, Outcome, Part


class Known(NamedTuple):
    """A fingerprint of rejected content, in which community (`scope`), and for what."""

    fingerprint: str
    scope: str
    category: Category


Reader = Callable[[frozenset[str]], Iterable[Known]]
"""Fingerprints in; those among them that were rejected and still are out."""

Bank = Callable[[Sequence[AnyPart]], Sequence[Answer | None]]
"""Parts in; what a bank of texts knows of each out, None for nothing."""


class RepostsProvider:
    """Recognises rejected content by the fingerprint of its letters or of its file."""

    name: ClassVar[str] = "reposts"
    parts: ClassVar[frozenset[Part]] = frozenset(Part)
    is_local: ClassVar[bool] = True
    model_version: ClassVar[str] = "1"

    def __init__(self, read: Reader, bank: Bank) -> None:
        self._read = read
        self._bank = bank

    def is_available(self) -> bool:
        return True

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        prints = [fingerprint(part) for part in parts]
        known: dict[tuple[str, str], Category] = {}
        wanted = frozenset(prints) - {""}
        if wanted:
            known = {(row.fingerprint, row.scope): row.category for row in self._read(wanted)}
        return [
            _answer(known.get((mark, part.scope)), banked)
            for mark, part, banked in zip(prints, parts, self._bank(parts), strict=True)
        ]


def fingerprint(part: AnyPart) -> str:
    """Return what stays the same when content is posted again, "" for what is too short to say.

    Of a text only letters and digits count, without case, width and accents, so that other
    spaces and full stops do not make another text of it.
    """
    if not isinstance(part, TextPart):
        return part.fingerprint
    return fingerprint_of(letters_of(part.text))


def _answer(category: Category | None, banked: Answer | None) -> Answer:
    if banked is not None and (banked.scores or category is None):
        return banked
    if category is None:
        return Answer(Outcome.NOT_JUDGED)
    return Answer(Outcome.JUDGED, scores={category: 1.0})
