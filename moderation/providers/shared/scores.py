"""From what a service calls things to our categories, and from several answers to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moderation.vocabulary import Category

# Category to the service's labels, each with the share of its score that counts.
Weights = Mapping[Category, Mapping[str, float]]

# From here on a score stands, whatever is missing beside it: more can only make it worse.
_ALARMING = 0.5


def scores_by_category(found: Mapping[str, float], weights: Weights) -> dict[Category, float]:
    """Return the categories that the labels found speak of."""
    return _without_missing(
        {
            category: worst(
                [found[label] * weight if label in found else None for label, weight in by.items()]
            )
            for category, by in weights.items()
        }
    )


def worst_by_category(answers: Sequence[Mapping[Category, float]]) -> dict[Category, float]:
    """Return one answer for several frames of a picture or pieces of a text."""
    categories = {category: None for answer in answers for category in answer}
    return _without_missing(
        {category: worst([answer.get(category) for answer in answers]) for category in categories}
    )


def worst(scores: Sequence[float | None]) -> float | None:
    """Return the highest score, None where one is missing that might be higher than low ones."""
    known = [score for score in scores if score is not None]
    if not known or (len(known) < len(scores) and max(known) < _ALARMING):
        return None
    return max(known)


def _without_missing(scores: Mapping[Category, float | None]) -> dict[Category, float]:
    return {category: round(score, 6) for category, score in scores.items() if score is not None}
