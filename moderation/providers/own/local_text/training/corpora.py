"""What models are trained and checked with: public corpora and sentences of our own.

A label that a corpus lacks is unknown, never "no". Labels differ in worth: what people said counts
more than what a program guessed from words.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderation.providers.own.local_text.lexicon import Lexicon, repaired
from moderation.providers.own.local_text.ngram import FloatArray
from moderation.providers.own.local_text.training.contrast import harmless_sentences
from moderation.providers.own.local_text.training.disguises import disguised
from moderation.text.normalise import canonical
from moderation.vocabulary import Category

SENTENCES = Path(__file__).parent / "sentences"
# What models are measured with is never trained on, wherever it turns up.
_MEASURED_WITH = Path(__file__).parents[1] / "evaluation"

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
# What share of a forum's posts we take to violate each category. The corpora hold far more, so
# that uncorrected scores would promise too much.
PREVALENCE = {
    Category.TOXIC: 0.15,
    Category.HATE: 0.08,
    Category.HARASSMENT: 0.06,
    Category.VIOLENCE: 0.05,
    Category.SEXUAL: 0.05,
    Category.SELF_HARM: 0.04,
    Category.SPAM: 0.05,
    Category.ILLICIT: 0.04,
}
UNKNOWN = -1
# Our own sentences, in whatever file.
OWN = "sentences"

# Corpora in other languages are too small to learn from; their texts are left to word lists.
_OTHER_LANGUAGES = frozenset({"germeval18", "mlma_ar", "mlma_fr"})
# Its "illicit" questions are mostly harmless ones.
_NO_ILLICIT = frozenset({"harmfulqa"})
# Few, but clean: each counts as many. Davidson's tweets were found by their words.
_SOURCE_WEIGHT = {
    "seed": 4.0, "seed_contrast": 3.0, "contrast": 6.0, "catqa": 2.0, "davidson": 0.5, OWN: 6.0,
}  # fmt: skip
# Where people wrote the label. Elsewhere these categories were guessed from words, and a guessed
# "yes" is worth little.
_SURE_SOURCES = frozenset({"seed", "seed_contrast", "contrast", "catqa", OWN})
_GUESSED = {Category.HARASSMENT: 0.5, Category.VIOLENCE: 0.35, Category.SEXUAL: 0.35}
_MAX_CHARS = 1500
_SHARE_DISGUISED = 0.1
_WORD = re.compile(r"[a-z']+")
_LETTERS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts in the form that models read, with labels (texts, categories): 1, 0, -1 for unknown.

    `weights` has the same shape: what each label is worth.
    """

    texts: list[str]
    labels: npt.NDArray[np.int8]
    weights: FloatArray
    sources: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def only(self, picked: npt.NDArray[np.intp]) -> Corpus:
        return Corpus(
            [self.texts[at] for at in picked],
            self.labels[picked],
            self.weights[picked],
            [self.sources[at] for at in picked],
        )


@dataclass(frozen=True, slots=True)
class _Row:
    text: str
    labels: list[int]
    source: str


def read_corpora(
    data_dir: Path, lexicon: Lexicon, *, sentences: Path = SENTENCES, seed: int = 7
) -> tuple[Corpus, Corpus]:
    """Return (train, dev) from the `*.jsonl.gz` files of a folder and our own sentences.

    A tenth of the training texts comes a second time, disguised.
    """
    rows: dict[str, list[_Row]] = {"train": [], "dev": []}
    apart = {_plain(str(item["text"])) for item in _own_lines(_MEASURED_WITH)} - {""}
    for split, row in _all_rows(data_dir, sentences):
        if _plain(row.text) not in apart:
            rows[split].append(row)
    rng = random.Random(seed)  # noqa: S311 (reproducible on purpose)
    rows["train"] += [
        _Row(disguised(row.text, rng), row.labels, row.source)
        for row in rows["train"]
        if rng.random() < _SHARE_DISGUISED
    ]
    return _corpus(rows["train"], lexicon), _corpus(rows["dev"], lexicon)


def _all_rows(data_dir: Path, sentences: Path) -> Iterator[tuple[str, _Row]]:
    for path in sorted(data_dir.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for item in map(json.loads, lines):
                source = str(item["source"])
                if source not in _OTHER_LANGUAGES:
                    labels = _label_row(item["labels"], source)
                    yield str(item["split"]), _Row(str(item["text"]), labels, source)
    for item in _own_lines(sentences):
        yield str(item["split"]), _Row(str(item["text"]), _label_row(item["labels"], OWN), OWN)
    for text in harmless_sentences():
        split = "dev" if zlib.crc32(text.lower().encode()) % 10 == 0 else "train"
        yield split, _Row(text, [0] * len(CATEGORIES), "contrast")


def _own_lines(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _plain(text: str) -> str:
    """Return a text without what hardly anybody sees: case, signs, blanks."""
    return " ".join(_LETTERS.findall(text.casefold()))


def _label_row(labels: object, source: str) -> list[int]:
    assert isinstance(labels, dict)
    row = [int(labels.get(category.value, UNKNOWN)) for category in CATEGORIES]
    if source in _NO_ILLICIT:
        row[CATEGORIES.index(Category.ILLICIT)] = UNKNOWN
    return row


def _corpus(rows: list[_Row], lexicon: Lexicon) -> Corpus:
    return Corpus(
        texts=[as_read(row.text[:_MAX_CHARS], lexicon) for row in rows],
        labels=np.array([row.labels for row in rows], dtype=np.int8),
        weights=np.array([_worth(row) for row in rows], dtype=np.float32),
        sources=[row.source for row in rows],
    )


def as_read(text: str, lexicon: Lexicon) -> str:
    """Return a text as the provider shows it to its models."""
    return repaired(canonical(text), lexicon.find(text)).text


def _worth(row: _Row) -> list[float]:
    base = _SOURCE_WEIGHT.get(row.source, 1.0)
    if row.source in _SURE_SOURCES:
        return [base] * len(CATEGORIES)
    return [
        base * (_GUESSED.get(category, 1.0) if label == 1 else 1.0)
        for category, label in zip(CATEGORIES, row.labels, strict=True)
    ]


def english_words(corpus: Corpus, *, min_texts: int = 12) -> list[str]:
    """Return the words that so many texts use: a vocabulary to tell English by."""
    seen: Counter[str] = Counter()
    for text in corpus.texts:
        seen.update(set(_WORD.findall(text)))
    return sorted(word for word, count in seen.items() if count >= min_texts)
