"""What OpenAI's and Mistral's moderation endpoints have in common: labels become categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moderation.errors import ProviderMalformed
from moderation.providers.shared.scores import worst
from moderation.providers.shared.service import score
from moderation.vocabulary import Category

Labels = Sequence[tuple[Category, Mapping[str, float]]]
"""Which labels count towards a category, and how much. A category may have several sets."""


def results_of(answer: Mapping[str, Any], wanted: int) -> list[Mapping[str, Any]]:
    """Return one result an input, in order. Raises `ProviderMalformed` for fewer or more."""
    results = answer.get("results")
    if (
        not isinstance(results, list)
        or len(results) != wanted
        or not all(isinstance(result, dict) for result in results)
    ):
        raise ProviderMalformed("There is not one result for each input.")
    return results


def scores_in(
    result: Mapping[str, Any],
    labels: Labels,
    *,
    applies: Callable[[str], bool] = lambda label: True,
) -> dict[Category, float]:
    """Return a score for each category of which a whole set of labels was judged.

    A set with a label missing says nothing, unless what is there is alarming by itself: the
    highest of the others could look harmless.
    """
    judged = _judged(result, {name for _, weights in labels for name in weights}, applies)
    scores: dict[Category, float] = {}
    for category, weights in labels:
        found = worst(
            [
                weight * judged[label] if label in judged else None
                for label, weight in weights.items()
            ]
        )
        if found is not None:
            scores[category] = max(found, scores.get(category, 0.0))
    if not scores:
        raise ProviderMalformed("A result has none of the known labels.")
    return scores


def _judged(
    result: Mapping[str, Any], known: set[str], applies: Callable[[str], bool]
) -> dict[str, float]:
    given = result.get("category_scores")
    if not isinstance(given, dict):
        raise ProviderMalformed("A result has no scores.")
    return {
        label: score(given[label])
        for label in sorted(known)
        # Some labels may be null by their specification.
        if given.get(label) is not None and applies(label)
    }
