"""How well scores tell texts apart and what they promise, with intervals by resampling.

Everything takes a weight for each text, so that a resample is a vector of counts: texts are
sorted once, not once a resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BINS = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; all three None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"

    def to_json(self) -> list[float] | None:
        if self.value is None:
            return None
        found = (self.value, self.low, self.high)
        return [round(one, 4) for one in found if one is not None]


UNDEFINED = Figure(None)


class Ranking:
    """Texts in the order of their scores, equal scores together."""

    def __init__(self, scores: Floats, positive: Bools) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.diff(ranked, prepend=np.inf))
        self._positive = positive[self._order].astype(np.float64)

    def _masses(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return the weight of positives and of negatives at each score, the highest first."""
        ranked = weights[self._order]
        up = np.add.reduceat(ranked * self._positive, self._starts)
        return up, np.add.reduceat(ranked, self._starts) - up

    def auroc(self, weights: Floats) -> float:
        """Return the chance that a positive scores above a negative; ties count half."""
        up, down = self._masses(weights)
        above, below = up.sum(), down.sum()
        if not above or not below:
            return float("nan")
        # Negatives below each score, and half of those at it.
        return float((up * (below - np.cumsum(down) + down / 2)).sum() / (above * below))

    def auprc(self, weights: Floats) -> float:
        """Return the average precision."""
        up, down = self._masses(weights)
        hits = np.cumsum(up)
        if not hits[-1]:
            return float("nan")
        reached = hits + np.cumsum(down)
        precision = np.divide(hits, reached, out=np.zeros_like(hits), where=reached > 0)
        return float((precision * up).sum() / hits[-1])


def brier(scores: Floats, positive: Bools, weights: Floats) -> float:
    """Return the mean squared distance of a score from what was true."""
    return float(np.average((scores - positive) ** 2, weights=weights))


@dataclass(frozen=True, slots=True)
class Bin:
    """Texts that score from `start` up to `end`: what they score, and the share of positives."""

    start: float
    end: float
    texts: int
    mean_score: float
    share: float


def reliability(scores: Floats, positive: Bools, weights: Floats) -> list[Bin]:
    """Return the bins that are not empty, of ten equal ones."""
    at = np.minimum((scores * BINS).astype(np.intp), BINS - 1)
    found = []
    for number in range(BINS):
        inside = at == number
        mass = float(weights[inside].sum())
        if mass:
            found.append(
                Bin(
                    start=number / BINS,
                    end=(number + 1) / BINS,
                    texts=int(inside.sum()),
                    mean_score=float((weights * scores)[inside].sum()) / mass,
                    share=float((weights * positive)[inside].sum()) / mass,
                )
            )
    return found


def calibration_error(scores: Floats, positive: Bools, weights: Floats) -> float:
    """Return the expected calibration error: how far bins lie from what they promise."""
    at = np.minimum((scores * BINS).astype(np.intp), BINS - 1)
    gap = np.bincount(at, weights=weights * (scores - positive), minlength=BINS)
    return float(np.abs(gap).sum() / weights.sum())


def weighted_to(positive: Bools, share: float) -> Floats:
    """Return weights, one on average, under which positives make up `share` of all."""
    actual = float(positive.mean())
    if not 0 < actual < 1:
        return np.ones(len(positive))
    return np.where(positive, share / actual, (1 - share) / (1 - actual))


class Resamples:
    """Draws of the same texts with replacement, whole clusters at a time.

    Texts of a pair are written alike, so they are drawn together: taken apart they would make
    every interval too narrow.
    """

    def __init__(self, clusters: Sequence[str], *, times: int, seed: int = 7) -> None:
        _, self._owner = np.unique(np.array(clusters, dtype=object), return_inverse=True)
        self._count = int(self._owner.max(initial=-1)) + 1
        self._times, self._seed = times, seed

    def figure(self, measure: Callable[[Floats], float]) -> Figure:
        """Return what `measure` finds with all weights 1, and how far it strays when redrawn.

        The same draws for every measure, so that two can be compared draw by draw.
        """
        value = measure(np.ones(len(self._owner)))
        if np.isnan(value):
            return UNDEFINED
        draws = np.random.default_rng(self._seed)
        found = []
        for _ in range(self._times):
            picked = draws.integers(0, self._count, self._count)
            counts = np.bincount(picked, minlength=self._count).astype(np.float64)
            found.append(measure(counts[self._owner]))
        known = [one for one in found if not np.isnan(one)]
        if not known:
            return Figure(value)
        low, high = np.quantile(known, [0.025, 0.975])
        return Figure(value, float(low), float(high))
