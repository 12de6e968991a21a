"""How adapters take answers apart: what is not as it should be is malformed, never guessed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moderation.errors import ProviderMalformed
from moderation.vocabulary import Category


def as_object(found: object) -> dict[str, Any]:
    """Raises `ProviderMalformed` for anything else."""
    if not isinstance(found, dict):
        raise ProviderMalformed("An object is missing in the answer.")
    return found


def as_objects(found: object) -> list[dict[str, Any]]:
    """Raises `ProviderMalformed` for anything but a list of objects."""
    if not isinstance(found, list):
        raise ProviderMalformed("A list is missing in the answer.")
    return [as_object(one) for one in found]


def highest(weighed: Iterable[tuple[Category, float]]) -> dict[Category, float]:
    """Return the highest score of each category that has one."""
    found: dict[Category, float] = {}
    for category, value in weighed:
        found[category] = max(value, found.get(category, 0.0))
    return found
