"""How often people agreed with what a threshold would have taken down. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moderation.policy.agreement import Share

# Fewer posts at or above a threshold say nothing of it.
LEAST_POSTS: Final = 20
WANTED: Final = 0.95
STEPS: Final = tuple(round(step / 20, 2) for step in range(1, 20))


@dataclass(frozen=True, slots=True)
class Labelled:
    """One post that a person decided on, with its score. `for_it`: taken down for this category."""

    score: float
    taken_down: bool
    for_it: bool


@dataclass(frozen=True, slots=True)
class Point:
    """`precision`: of posts that score as much, how many people took down. `recall`: of posts
    that they took down for the category, how many score as much."""

    threshold: float
    precision: Share
    recall: Share


@dataclass(frozen=True, slots=True)
class Curve:
    """`reaching` is the lowest threshold with the wanted precision, None where none has it."""

    decided: int
    taken_down: int
    points: tuple[Point, ...]
    reaching: Point | None

    @property
    def is_enough(self) -> bool:
        return self.decided >= LEAST_POSTS


def curve(labelled: Sequence[Labelled], *, wanted: float = WANTED) -> Curve:
    """Return precision and recall by threshold, and where the wanted precision begins."""
    return Curve(
        decided=len(labelled),
        taken_down=sum(one.for_it for one in labelled),
        points=tuple(_point(labelled, threshold) for threshold in STEPS),
        reaching=_reaching(labelled, wanted),
    )


def _point(labelled: Sequence[Labelled], threshold: float) -> Point:
    reached = [one for one in labelled if one.score >= threshold]
    return Point(
        threshold,
        precision=Share(sum(one.taken_down for one in reached), len(reached)),
        recall=Share(sum(one.for_it for one in reached), sum(one.for_it for one in labelled)),
    )


def _reaching(labelled: Sequence[Labelled], wanted: float) -> Point | None:
    """Look from the highest score down: a threshold is a score that was given."""
    ranked = sorted(labelled, key=lambda one: one.score, reverse=True)
    found, right = None, 0
    for number, one in enumerate(ranked, start=1):
        right += one.taken_down
        is_last = number == len(ranked) or ranked[number].score < one.score
        if is_last and number >= LEAST_POSTS and right / number >= wanted:
            found = one.score
    # Written with two digits: rounded down to one that the same posts reach.
    return None if found is None else _point(labelled, _rounded(labelled, found, wanted))


def _rounded(labelled: Sequence[Labelled], threshold: float, wanted: float) -> float:
    short = int(threshold * 100) / 100
    precision = _point(labelled, short).precision.value
    return short if precision is not None and precision >= wanted else threshold
