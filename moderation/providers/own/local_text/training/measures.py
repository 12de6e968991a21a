"""Calibration of scores, and how well they tell texts apart. Needs numpy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moderation.providers.own.local_text.ngram import FloatArray

BoolArray = npt.NDArray[np.bool_]
_Doubles = npt.NDArray[np.float64]


def as_logits(scores: FloatArray) -> FloatArray:
    sure = np.clip(scores.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.log(sure / (1 - sure)).astype(np.float32)


def as_shares(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), dtype=np.float32)


def weights_for(
    positive: BoolArray, prevalence: float, worth: FloatArray | None = None
) -> npt.NDArray[np.float64]:
    """Return weights, 1 on average, under which positives make up `prevalence` of all."""
    base = np.ones(len(positive)) if worth is None else worth.astype(np.float64)
    base = base / base.mean()
    share = min(max(float(base[positive].sum()) / len(positive), 1e-6), 1 - 1e-6)
    factors = np.where(positive, prevalence / share, (1 - prevalence) / (1 - share))
    return np.asarray(base * factors, dtype=np.float64)


def platt(
    logits: FloatArray, positive: BoolArray, prevalence: float, worth: FloatArray | None = None
) -> tuple[float, float]:
    """Return (slope, offset) that make sigmoid(slope * logit + offset) a probability.

    Examples count by their worth, and so that positives make up `prevalence` of all.
    """
    weight = weights_for(positive, prevalence, worth)
    design = np.stack([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    # Softened targets, as Platt proposes, keep separable categories from infinite slopes.
    count = positive.sum()
    target = np.where(positive, (count + 1) / (count + 2), 1 / (len(positive) - count + 2))
    slope = np.array([1.0, 0.0])
    for _ in range(50):
        odds = 1 / (1 + np.exp(-np.clip(design @ slope, -30, 30)))
        gradient = design.T @ (weight * (odds - target))
        curve = (design * (weight * odds * (1 - odds))[:, None]).T @ design
        step = np.linalg.solve(curve + 1e-6 * np.eye(2), gradient)
        # Whole steps from a bad start lead astray.
        length = 1.0
        while length > 1e-3 and _cost(design @ (slope - length * step), target, weight) > _cost(
            design @ slope, target, weight
        ):
            length /= 2
        slope -= length * step
    return float(slope[0]), float(slope[1])


def _cost(logits: _Doubles, target: _Doubles, weight: _Doubles) -> float:
    return float((weight * (np.logaddexp(0, logits) - target * logits)).sum())


def auroc(scores: FloatArray, positive: BoolArray) -> float:
    """Return the chance that a positive scores above a negative; ties count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    above = int(positive.sum())
    below = len(positive) - above
    if not above or not below:
        return float("nan")
    return float((ranks[positive].sum() - above * (above + 1) / 2) / (above * below))


def auprc(scores: FloatArray, positive: BoolArray) -> float:
    """Return the average precision, texts with equal scores taken together."""
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    precision = hits[last] / (last + 1)
    gained = np.diff(hits[last], prepend=0) / hits[-1]
    return float((precision * gained).sum())


def calibration_error(scores: FloatArray, positive: BoolArray, prevalence: float) -> float:
    """Return the expected calibration error over ten equal bins, positives weighted to a share."""
    weight = weights_for(positive, prevalence)
    bins = np.minimum((scores * 10).astype(np.intp), 9)
    error = 0.0
    for at in range(10):
        inside = bins == at
        mass = float(weight[inside].sum())
        if mass:
            said = float((weight[inside] * scores[inside]).sum()) / mass
            seen = float(weight[inside & positive].sum()) / mass
            error += abs(said - seen) * mass
    return error / float(weight.sum())
