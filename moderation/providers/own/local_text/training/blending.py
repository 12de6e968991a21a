"""How far each judge is believed, what a score then means, and whom the encoder need not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from moderation.providers.own.local_text.encoder import KEPT, TUNED, Encoder
from moderation.providers.own.local_text.judges import Blend
from moderation.providers.own.local_text.ngram import FloatArray
from moderation.providers.own.local_text.training.corpora import (
    CATEGORIES,
    OWN,
    PREVALENCE,
    UNKNOWN,
    Corpus,
)
from moderation.providers.own.local_text.training.linear import Say
from moderation.providers.own.local_text.training.measures import BoolArray, as_logits, platt

# What each judge's calibrated logit counts: n-grams, tuned layers, untuned layers. The same for all
# categories, because some have few examples to choose by. On texts like those it was tuned with the
# last one adds nothing; it is there for the others.
SHARES = (0.3, 0.5, 0.2)
# Of the violating texts among our own the n-gram model may keep so many to itself.
_LOST_BY_SCREENING = 0.05


def encode_all(encoder: Encoder, texts: Sequence[str], say: Say) -> FloatArray:
    """Return logits (texts, 2, categories), of the graph that is shipped."""
    found = []
    for at, text in enumerate(texts):
        found.append(encoder.logits(text))
        if at % 5000 == 4999:
            say(f"asked the encoder about {at + 1} of {len(texts)} texts")
    return np.stack(found)


def _mixed(
    logits: Sequence[FloatArray], labels: BoolArray, weights: FloatArray, prevalence: float
) -> tuple[list[float], float]:
    """Return (weight of each logit, offset)."""
    fits = [platt(one, labels, prevalence, weights) for one in logits]
    factors = [share * slope for share, (slope, _) in zip(SHARES, fits, strict=True)]
    offset = sum(share * shift for share, (_, shift) in zip(SHARES, fits, strict=True))
    total = np.sum([factor * one for factor, one in zip(factors, logits, strict=True)], axis=0)
    slope, shift = platt(np.asarray(total + offset, np.float32), labels, prevalence, weights)
    return [slope * factor for factor in factors], slope * offset + shift


def fit_blend(dev: Corpus, ngram: FloatArray, encoded: FloatArray) -> Blend:
    """Return the blend that is calibrated on these texts.

    `ngram` holds the n-gram model's probabilities (texts, categories).
    """
    found: list[tuple[list[float], float]] = []
    logits = as_logits(ngram)
    for column, category in enumerate(CATEGORIES):
        known = dev.labels[:, column] != UNKNOWN
        found.append(
            _mixed(
                [
                    logits[known, column],
                    encoded[known, TUNED, column],
                    encoded[known, KEPT, column],
                ],
                dev.labels[known, column] == 1,
                dev.weights[known, column],
                PREVALENCE[category],
            )
        )
    weights = np.array([factors for factors, _ in found])
    blend = Blend(
        categories=tuple(category.value for category in CATEGORIES),
        ngram=tuple(weights[:, 0].tolist()),
        tuned=tuple(weights[:, 1].tolist()),
        kept=tuple(weights[:, 2].tolist()),
        offset=tuple(offset for _, offset in found),
        ask_from=0.0,
    )
    return replace(blend, ask_from=_band(dev, ngram))


def _band(dev: Corpus, ngram: FloatArray) -> float:
    """Return from which n-gram score on the encoder is asked."""
    own = np.array([source == OWN for source in dev.sources])
    violating = own & (dev.labels == 1).any(axis=1)
    if not violating.any():
        return 0.0
    return float(np.quantile(ngram[violating].max(axis=1), _LOST_BY_SCREENING))
