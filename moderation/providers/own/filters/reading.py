"""One text, with what its rules need of it, each made when the first rule asks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

from moderation.providers.own.filters.expressions import MAX_PLACES, character_of, find_places
from moderation.providers.own.filters.languages import Guess, guess_language
from moderation.providers.own.filters.links import Link, address_view, find_links
from moderation.providers.own.filters.payment import Place
from moderation.providers.own.filters.personal_data import FINDERS
from moderation.text.normalise import View


class Reading:
    """A text as its readers see it. Places are always those in `text` itself."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._personal: dict[str, list[Place]] = {}

    @cached_property
    def links(self) -> list[Link]:
        return find_links(self._addresses)

    @cached_property
    def language(self) -> Guess | None:
        return guess_language(self.text)

    def personal(self, kind: str) -> list[Place]:
        """Return where the text has personal data of a kind that `FINDERS` knows."""
        if kind not in self._personal:
            found = islice(FINDERS[kind](self._addresses.text), MAX_PLACES)
            self._personal[kind] = [self._addresses.span(*place) for place in found]
        return self._personal[kind]

    def places_of(self, expression: Any) -> Iterator[Place]:
        """Yield where an expression matches."""
        for start, end in find_places(expression, self._data):
            if self._characters is None:
                yield start, end
            else:
                yield int(self._characters[start]), int(self._characters[end])

    @cached_property
    def _addresses(self) -> View:
        return address_view(self.text)

    @cached_property
    def _data(self) -> bytes:
        # A lone surrogate becomes one "?": everything stays where it was.
        return self.text.encode("utf-8", "replace")

    @cached_property
    def _characters(self) -> Any | None:
        return None if self.text.isascii() else character_of(self._data)
