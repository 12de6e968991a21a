"""Fit the n-gram model: hash, fit, calibrate, quantise. Needs numpy only.

With the same data and seed it gives the same weights on the same machine; another machine's
rounding may differ in the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moderation.providers.own.local_text.ngram import (
    BUCKETS,
    FEATURES_PER_CHAR,
    MAX_CATEGORIES,
    NO_FEATURE,
    FloatArray,
    NgramModel,
    extract,
)
from moderation.providers.own.local_text.training.corpora import (
    CATEGORIES,
    PREVALENCE,
    UNKNOWN,
    Corpus,
)
from moderation.providers.own.local_text.training.measures import as_logits, platt

_BATCH = 1024

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long and how boldly to fit."""

    seed: int = 7
    epochs: int = 6
    learning_rate: float = 0.02
    weight_decay: float = 2e-6
    # A feature seen in fewer texts teaches nothing that generalises.
    min_texts: int = 3


class _HashedCorpus:
    """A corpus as feature rows, cut up again into any batch."""

    def __init__(self, texts: list[str]) -> None:
        chunks, lengths, sizes = [], [], []
        for at in range(0, len(texts), _BATCH):
            features = extract(texts[at : at + _BATCH])
            chunks.append(features.rows.astype(np.int32))
            lengths.append(features.lengths())
            sizes.append(np.diff(np.append(features.starts, len(features.rows))))
        self.rows = np.concatenate(chunks)
        self.scale = 1 / np.concatenate(lengths)
        self.sizes = np.concatenate(sizes)
        self.begins = np.concatenate([[0], np.cumsum(self.sizes)])

    def batch(
        self, picked: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]:
        """Return the features of the picked texts, and for each the (row in batch) it is of."""
        parts = [self.rows[self.begins[at] : self.begins[at + 1]].ravel() for at in picked]
        owners = np.repeat(np.arange(len(picked)), self.sizes[picked] * FEATURES_PER_CHAR)
        return np.concatenate(parts), owners

    def forget_rare(self, min_texts: int) -> None:
        """Drop the features that fewer than `min_texts` texts have."""
        seen = np.zeros(BUCKETS + 1, dtype=np.int32)
        for at in range(len(self.sizes)):
            seen[np.unique(self.rows[self.begins[at] : self.begins[at + 1]])] += 1
        rare = seen < min_texts
        self.rows[rare[self.rows]] = NO_FEATURE


def _positive_weights(labels: npt.NDArray[np.int8]) -> FloatArray:
    positive = (labels == 1).sum(axis=0)
    negative = (labels == 0).sum(axis=0)
    return np.asarray(np.clip(np.sqrt(negative / np.maximum(positive, 1)), 1, 10), dtype=np.float32)


def _fit(corpus: Corpus, settings: TrainingSettings, say: Say) -> tuple[FloatArray, FloatArray]:
    """Return float weights (BUCKETS + 1, categories) and biases, by Adam on the logistic loss."""
    hashed = _HashedCorpus(corpus.texts)
    hashed.forget_rare(settings.min_texts)
    say(f"hashed {len(corpus)} texts, {hashed.rows.size / 1e6:.0f} million features")
    width = len(CATEGORIES)
    weights = np.zeros((BUCKETS + 1, width), np.float32)
    bias = np.zeros(width, np.float32)
    state = _Adam(weights.shape), _Adam(bias.shape)
    up = _positive_weights(corpus.labels)
    rng = np.random.default_rng(settings.seed)
    steps = settings.epochs * (len(corpus) // _BATCH)
    step = 0
    for epoch in range(settings.epochs):
        order = rng.permutation(len(corpus))
        losses = []
        for at in range(0, len(order) - _BATCH + 1, _BATCH):
            picked = order[at : at + _BATCH]
            rows, owners = hashed.batch(picked)
            scale = hashed.scale[picked][:, None]
            sums = _sum_by_owner(weights[rows], owners, len(picked))
            known = corpus.labels[picked] != UNKNOWN
            wanted = (corpus.labels[picked] == 1).astype(np.float32)
            odds = 1 / (1 + np.exp(-np.clip(sums * scale + bias, -30, 30)))
            cost = known * np.where(wanted == 1, up, 1) * corpus.weights[picked]
            slope = (odds - wanted) * cost
            losses.append(float(np.abs(slope).sum() / max(cost.sum(), 1)))
            rate = settings.learning_rate * (1 - step / steps)
            gradient = _scatter(rows, owners, slope * scale)
            gradient[NO_FEATURE] = 0
            weights -= rate * state[0].direction(gradient)
            weights *= 1 - settings.weight_decay * _BATCH * (1 - step / steps)
            bias -= rate * state[1].direction(slope.sum(axis=0))
            step += 1
        say(f"epoch {epoch + 1}: mean error {np.mean(losses):.4f}")
    return weights, bias


class _Adam:
    """The usual moving averages of a gradient and of its square."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._mean = np.zeros(shape, np.float32)
        self._square = np.zeros(shape, np.float32)
        self._steps = 0

    def direction(self, gradient: FloatArray) -> FloatArray:
        self._steps += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.001 * (gradient * gradient - self._square)
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.999**self._steps)
        return np.asarray(mean / (np.sqrt(square) + 1e-6), dtype=np.float32)


def _sum_by_owner(values: FloatArray, owners: npt.NDArray[np.intp], count: int) -> FloatArray:
    starts = np.searchsorted(owners, np.arange(count))
    return np.asarray(np.add.reduceat(values, starts, axis=0), dtype=np.float32)


def _scatter(
    rows: npt.NDArray[np.int32], owners: npt.NDArray[np.intp], values: FloatArray
) -> FloatArray:
    """Return the sum over features of their text's values, (BUCKETS + 1, categories)."""
    total = np.empty((BUCKETS + 1, values.shape[1]), np.float32)
    for column in range(values.shape[1]):
        total[:, column] = np.bincount(rows, weights=values[owners, column], minlength=BUCKETS + 1)
    return total


def _quantised(weights: FloatArray) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Return 8-bit weights, and what to multiply each category with to get its own scale back."""
    # The few largest weights are clipped for the sake of all others.
    top = np.quantile(np.abs(weights[:BUCKETS]), 0.9999, axis=0).astype(np.float32)
    step = np.asarray(np.maximum(top, 1e-6) / 127, dtype=np.float32)
    packed = np.zeros((BUCKETS + 1, MAX_CATEGORIES), np.int8)
    packed[:, : weights.shape[1]] = np.clip(np.round(weights / step), -127, 127)
    packed[NO_FEATURE] = 0
    return packed, step


def score_all(model: NgramModel, texts: list[str]) -> FloatArray:
    """Return probabilities (texts, categories)."""
    if not texts:
        return model.score(texts)
    return np.concatenate(
        [model.score(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
    )


def _calibrated(model: NgramModel, dev: Corpus) -> NgramModel:
    logits = as_logits(score_all(model, dev.texts))
    slope, offset = model.slope.copy(), model.offset.copy()
    for column, category in enumerate(CATEGORIES):
        known = dev.labels[:, column] != UNKNOWN
        factor, shift = platt(
            logits[known, column], dev.labels[known, column] == 1, PREVALENCE[category]
        )
        slope[column] *= factor
        offset[column] = offset[column] * factor + shift
    return NgramModel(model.categories, model.weights, slope, offset)


def train_linear(train: Corpus, dev: Corpus, settings: TrainingSettings, say: Say) -> NgramModel:
    """Return a model fitted on one corpus and calibrated on the other."""
    weights, bias = _fit(train, settings, say)
    packed, step = _quantised(weights)
    names = tuple(category.value for category in CATEGORIES)
    return _calibrated(NgramModel(names, packed, step, bias), dev)
