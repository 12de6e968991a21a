"""What a filter rule is, and one hit of it."""

from __future__ import annotations

from typing import NamedTuple

from moderation.vocabulary import Category, FilterKind

_TOLD_CHARS = 60


class Rule(NamedTuple):
    """One rule of moderators. It applies to parts of the same `scope`; with "" to all."""

    kind: FilterKind
    pattern: str
    category: Category
    score: float
    label: str = ""
    scope: str = ""

    @property
    def told(self) -> str:
        """How people call it."""
        return self.label or self.pattern[:_TOLD_CHARS]


class Hit(NamedTuple):
    """A rule that fired, with its characters `start` to `end` (exclusive) of the text."""

    rule: Rule
    start: int
    end: int


def listed(pattern: str) -> list[str]:
    """Return the entries of a pattern that is a list with commas."""
    return [entry for part in pattern.split(",") if (entry := part.strip())]
