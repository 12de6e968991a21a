"""Train the n-gram model: read the corpora, fit, calibrate, quantise, report.

Not imported when texts are judged. Needs numpy only. With the same data and seed it writes the
same weights on the same machine; another machine's rounding may differ in the last digit.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderation.providers.own.local_text.contrast import harmless_sentences
from moderation.providers.own.local_text.ngram import (
    BUCKETS,
    FEATURES_PER_CHAR,
    MAX_CATEGORIES,
    NO_FEATURE,
    FloatArray,
    NgramModel,
    extract,
)
from moderation.providers.own.local_text.provider import (
    ENGLISH_WORDS_FILE,
    LEXICON_FILE,
    MODEL_FILE,
)
from moderation.providers.own.local_text.wordlists import compile_lexicon, write_lexicon
from moderation.text.normalise import canonical
from moderation.vocabulary import Category

CATEGORIES = (
    Category.TOXIC,
    Category.HATE,
    Category.HARASSMENT,
    Category.VIOLENCE,
    Category.SEXUAL,
    Category.SELF_HARM,
    Category.SPAM,
    Category.ILLICIT,
)
# Corpora in other languages are too small to learn from; their texts are left to word lists.
_OTHER_LANGUAGES = frozenset({"germeval18", "mlma_ar", "mlma_fr"})
# Its "illicit" questions are mostly harmless ones.
_NO_ILLICIT = frozenset({"harmfulqa"})
# Few, but clean: each counts as many.
_SOURCE_WEIGHT = {"seed": 4.0, "seed_contrast": 3.0, "contrast": 6.0, "catqa": 2.0}
# What share of a forum's posts we take to violate each category. The corpora hold far more, so
# that uncorrected scores would promise too much.
_PREVALENCE = {
    Category.TOXIC: 0.15,
    Category.HATE: 0.08,
    Category.HARASSMENT: 0.08,
    Category.VIOLENCE: 0.03,
    Category.SEXUAL: 0.03,
    Category.SELF_HARM: 0.02,
    Category.SPAM: 0.05,
    Category.ILLICIT: 0.02,
}
_MAX_CHARS = 1500
_BATCH = 1024
_UNKNOWN = -1
_WORD = re.compile(r"[a-z']+")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts in canonical form, with labels (texts, categories): 1, 0, or -1 for unknown."""

    texts: list[str]
    labels: npt.NDArray[np.int8]
    weights: FloatArray
    sources: list[str]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long and how boldly to fit."""

    seed: int = 7
    epochs: int = 6
    learning_rate: float = 0.02
    weight_decay: float = 2e-6
    # A feature seen in fewer texts teaches nothing that generalises.
    min_texts: int = 3


def read_corpora(data_dir: Path) -> tuple[Corpus, Corpus]:
    """Return (train, dev) from the `*.jsonl.gz` files of a folder and our own sentences."""
    rows: dict[str, list[tuple[str, list[int], str]]] = {"train": [], "dev": []}
    for path in sorted(data_dir.glob("*.jsonl.gz")):
        for item in _read_lines(path):
            source = str(item["source"])
            if source not in _OTHER_LANGUAGES:
                labels = _label_row(item["labels"], source)
                rows[str(item["split"])].append((str(item["text"]), labels, source))
    for text in harmless_sentences():
        split = "dev" if zlib.crc32(text.lower().encode()) % 10 == 0 else "train"
        rows[split].append((text, [0] * len(CATEGORIES), "contrast"))
    return _corpus(rows["train"]), _corpus(rows["dev"])


def _read_lines(path: Path) -> Iterator[dict[str, object]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _label_row(labels: object, source: str) -> list[int]:
    assert isinstance(labels, dict)
    row = [int(labels.get(category.value, _UNKNOWN)) for category in CATEGORIES]
    if source in _NO_ILLICIT:
        row[CATEGORIES.index(Category.ILLICIT)] = _UNKNOWN
    return row


def _corpus(rows: list[tuple[str, list[int], str]]) -> Corpus:
    return Corpus(
        texts=[canonical(text[:_MAX_CHARS]).text for text, _, _ in rows],
        labels=np.array([labels for _, labels, _ in rows], dtype=np.int8),
        weights=np.array([_SOURCE_WEIGHT.get(source, 1.0) for _, _, source in rows], np.float32),
        sources=[source for _, _, source in rows],
    )


def english_words(corpus: Corpus, *, min_texts: int = 12) -> list[str]:
    """Return the words that so many texts use: a vocabulary to tell English by."""
    seen: Counter[str] = Counter()
    for text in corpus.texts:
        seen.update(set(_WORD.findall(text)))
    return sorted(word for word, count in seen.items() if count >= min_texts)


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


def fit(corpus: Corpus, settings: TrainingSettings, say: Say) -> tuple[FloatArray, FloatArray]:
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
            known = corpus.labels[picked] != _UNKNOWN
            wanted = (corpus.labels[picked] == 1).astype(np.float32)
            odds = 1 / (1 + np.exp(-np.clip(sums * scale + bias, -30, 30)))
            cost = known * np.where(wanted == 1, up, 1) * corpus.weights[picked][:, None]
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


def quantised(weights: FloatArray) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Return 8-bit weights, and what to multiply each category with to get its own scale back."""
    # The few largest weights are clipped for the sake of all others.
    top = np.quantile(np.abs(weights[:BUCKETS]), 0.9999, axis=0).astype(np.float32)
    step = np.asarray(np.maximum(top, 1e-6) / 127, dtype=np.float32)
    packed = np.zeros((BUCKETS + 1, MAX_CATEGORIES), np.int8)
    packed[:, : weights.shape[1]] = np.clip(np.round(weights / step), -127, 127)
    packed[NO_FEATURE] = 0
    return packed, step


def _logits(model: NgramModel, texts: list[str]) -> FloatArray:
    scores = np.concatenate(
        [model.score(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
    ).astype(np.float64)
    scores = np.clip(scores, 1e-12, 1 - 1e-12)
    return np.log(scores / (1 - scores)).astype(np.float32)


def platt(
    logits: FloatArray, positive: npt.NDArray[np.bool_], prevalence: float
) -> tuple[float, float]:
    """Return (slope, offset) that make sigmoid(slope * logit + offset) a probability.

    Examples are weighted so that positives make up `prevalence` of all.
    """
    share = max(float(positive.mean()), 1e-6)
    weight = np.where(positive, prevalence / share, (1 - prevalence) / (1 - share))
    design = np.stack([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    # Softened targets, as Platt proposes, keep separable categories from infinite slopes.
    count = positive.sum()
    target = np.where(positive, (count + 1) / (count + 2), 1 / (len(positive) - count + 2))
    slope = np.array([1.0, 0.0])
    for _ in range(50):
        odds = 1 / (1 + np.exp(-np.clip(design @ slope, -30, 30)))
        gradient = design.T @ (weight * (odds - target))
        curve = (design * (weight * odds * (1 - odds))[:, None]).T @ design
        slope -= np.linalg.solve(curve + 1e-6 * np.eye(2), gradient)
    return float(slope[0]), float(slope[1])


def auroc(scores: FloatArray, positive: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a positive scores above a negative; ties count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    above = int(positive.sum())
    below = len(positive) - above
    if not above or not below:
        return float("nan")
    return float((ranks[positive].sum() - above * (above + 1) / 2) / (above * below))


def _calibrated(model: NgramModel, dev: Corpus) -> NgramModel:
    logits = _logits(model, dev.texts)
    slope, offset = model.slope.copy(), model.offset.copy()
    for column, category in enumerate(CATEGORIES):
        known = dev.labels[:, column] != _UNKNOWN
        factor, shift = platt(
            logits[known, column], dev.labels[known, column] == 1, _PREVALENCE[category]
        )
        slope[column] *= factor
        offset[column] = offset[column] * factor + shift
    return NgramModel(model.categories, model.weights, slope, offset)


def _evaluate_category(scores: FloatArray, positive: npt.NDArray[np.bool_]) -> dict[str, float]:
    return {
        "auroc": round(auroc(scores, positive), 4),
        "texts": len(positive),
        "positives": int(positive.sum()),
        "recall_at_0.5": round(float((scores[positive] >= 0.5).mean()), 4),
        "false_alarms_at_0.5": round(float((scores[~positive] >= 0.5).mean()), 4),
    }


def evaluate(model: NgramModel, dev: Corpus) -> dict[str, dict[str, float]]:
    """Return per category: AUROC, texts, positives, recall and false alarms at 0.5.

    Categories without both kinds of texts are absent.
    """
    scores = np.concatenate(
        [model.score(dev.texts[at : at + _BATCH]) for at in range(0, len(dev), _BATCH)]
    )
    report: dict[str, dict[str, float]] = {}
    for column, category in enumerate(CATEGORIES):
        known = dev.labels[:, column] != _UNKNOWN
        positive = dev.labels[known, column] == 1
        if positive.any() and not positive.all():
            report[category.value] = _evaluate_category(scores[known, column], positive)
    clean = ((dev.labels == 1).sum(axis=1) == 0) & (dev.labels[:, 0] == 0)
    worst = scores[clean].max(axis=1)
    report["clean texts"] = {
        "texts": int(clean.sum()),
        "false_alarms_at_0.5": round(float((worst >= 0.5).mean()), 4),
        "false_alarms_at_0.7": round(float((worst >= 0.7).mean()), 4),
        "false_alarms_at_0.85": round(float((worst >= 0.85).mean()), 4),
    }
    return report


def train_files(
    data_dir: Path, folder: Path, *, settings: TrainingSettings, say: Say
) -> dict[str, dict[str, float]]:
    """Write every file the provider loads into `folder`; return how the model does on dev.

    The same data and settings give the same bytes on the same machine.
    """
    train, dev = read_corpora(data_dir)
    say(f"read {len(train)} texts to train with and {len(dev)} to check with")
    weights, bias = fit(train, settings, say)
    packed, step = quantised(weights)
    names = tuple(category.value for category in CATEGORIES)
    model = _calibrated(NgramModel(names, packed, step, bias), dev)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL_FILE)
    write_lexicon(compile_lexicon(data_dir / "lexicons"), folder / LEXICON_FILE)
    _write_words(english_words(train), folder / ENGLISH_WORDS_FILE)
    return evaluate(model, dev)


def _write_words(words: list[str], path: Path) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as out:
        out.write("\n".join(words).encode())
