"""The text provider that needs no network: two models, word lists and phrases.

What is judged depends on the language. English: all categories below, by the models and by lists
and phrases; the n-gram model reads every text, the encoder those that may not be clean. A language
with a word list: `toxic` and `profanity`, by the list. Any other: not judged. Listed phrases count
in every language. A text without words is clean.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from zipfile import BadZipFile

import numpy as np

from moderation.errors import ProviderUnavailable
from moderation.providers.base import Answer, AnyPart, Span, TextPart
from moderation.providers.own.local_text.encoder import ENCODER_FILE, PIECES_FILE, Encoder
from moderation.providers.own.local_text.judges import JUDGES_FILE, read_blend
from moderation.providers.own.local_text.languages import ENGLISH, Guess, LanguageGuesser
from moderation.providers.own.local_text.lexicon import (
    Entry,
    Lexicon,
    counting_anywhere,
    counting_in,
    repaired,
)
from moderation.providers.own.local_text.ngram import FloatArray, NgramModel, without_addresses
from moderation.providers.own.local_text.patterns import read_phrases
from moderation.text.matcher import Match
from moderation.text.normalise import View, canonical
from moderation.vocabulary import Category, Outcome, Part

DATA = Path(__file__).parent / "data"
MODEL_FILE = "ngram.npz"
LEXICON_FILE = "lexicon.tsv.gz"
ENGLISH_WORDS_FILE = "english.txt.gz"
_FILES = (MODEL_FILE, LEXICON_FILE, ENGLISH_WORDS_FILE, JUDGES_FILE)
_ENCODER_FILES = (ENCODER_FILE, PIECES_FILE)

Scores = dict[Category, float]

# About as long as the texts that the model learned from. A longer text is scored piece by piece,
# so that a threat at its end counts as much as one alone.
_WINDOW_CHARS = 500
# Neighbouring pieces share so much that no phrase falls between them.
_OVERLAP_CHARS = 60
# Pieces grow beyond this number: 100,000 characters stay far below 200 ms.
_MAX_WINDOWS = 400
# Of a long text the encoder reads the pieces that the n-gram model finds worst.
_MAX_ENCODED = 6
_MAX_SPANS = 40
# From here on a score may lead to an action, so people want to see what drove it.
_EXPLAINED_FROM = 0.5
_MAX_WORDS_EXPLAINING = 3

# What was learned under these names is "toxic, with a violent verb" and "toxic, said to someone".
# Without the first half of it `kill the process` would be violent, so a score needs toxicity:
# beside a toxic score below 1 / 1.5 it shrinks.
_TOXIC_BY_LABEL = (Category.VIOLENCE, Category.HARASSMENT)
_NARROWED_BY = 1.5

# A model's odds that somebody comes to harm, where the words beside such a phrase take it back.
_TAKEN_BACK = 0.03
_HARM = {Category.SELF_HARM, Category.VIOLENCE}

_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s")
_WORD = re.compile(r"\S+")
_SECOND_PERSON = re.compile(r"\b(?:you|u|ur|your|yours|y'?all|yourself)\b")

# An address of e-mail, or a telephone number.
_CONTACT = re.compile(r"\S+@\S+|\+?\(?\d[\d ()./-]{5,}\d")
_SPELLED = re.compile(r"[^\W\d_]{2,}")
_FEW_WORDS = 3

# What lists say of a text with none of their words: little, but not nothing.
_NO_LISTED_WORD = {Category.PROFANITY: 0.02, Category.TOXIC: 0.05}


@dataclass(slots=True)
class _Reading:
    """All that is known of one text on the way to its answer."""

    raw: str
    view: View
    guess: Guess
    words: list[Match[Entry]]
    windows: list[tuple[int, int]] = field(default_factory=list)
    scores: Scores = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)

    def raise_to(self, scores: Scores, start: int, end: int) -> None:
        """Take over the scores that are higher, and remember the raw place they come from."""
        for category, score in scores.items():
            self.scores[category] = max(score, self.scores.get(category, 0.0))
        if scores:
            self.spans.append(Span(start, end, max(scores, key=lambda name: scores[name])))


class _Knowledge:
    """The files under `data`, loaded; without the encoder where it is not to be asked."""

    def __init__(self, folder: Path, *, is_quick: bool) -> None:
        self.model = NgramModel.load(folder / MODEL_FILE)
        self.lexicon = Lexicon.load(folder / LEXICON_FILE)
        words = gzip.decompress((folder / ENGLISH_WORDS_FILE).read_bytes()).decode()
        self.guesser = LanguageGuesser(frozenset(words.split()))
        self.categories = tuple(Category(name) for name in self.model.categories)
        self.blend = None if is_quick else read_blend(folder)
        self.encoder = None if self.blend is None else Encoder.load(folder)


class LocalTextProvider:
    """Judges texts in batches, on one core, without any service.

    Scores are probabilities on the assumption of a forum with few violations (the model card,
    docs/text-model.md, has the shares). The files are loaded at the first call and shared by all
    threads. A quick one leaves the encoder out: coarser, and several times as fast.
    """

    name: ClassVar[str] = "local_text"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.TEXT})
    is_local: ClassVar[bool] = True

    def __init__(self, folder: Path = DATA, *, is_quick: bool = False) -> None:
        self._folder = folder
        self._is_quick = is_quick
        self._lock = threading.Lock()
        self._knowledge: _Knowledge | None = None
        self._version = ""

    @property
    def model_version(self) -> str:
        """A digest of the model, the lists and the code that reads them."""
        if not self._version:
            kind = "quick-" if self._is_quick else ""
            self._version = f"local-text-{kind}{_digest(self._folder)}"
        return self._version

    def is_available(self) -> bool:
        if not all((self._folder / name).is_file() for name in _FILES):
            return False
        if self._is_quick or read_blend(self._folder) is None:
            return True
        has_runtime = importlib.util.find_spec("onnxruntime") is not None
        return has_runtime and all((self._folder / name).is_file() for name in _ENCODER_FILES)

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        """Return one answer a part, in order; parts other than text are not judged.

        Raises `ProviderUnavailable` where the models cannot be loaded.
        """
        knowledge = self._loaded()
        readings = [
            _read(part, knowledge) if isinstance(part, TextPart) else None for part in parts
        ]
        _add_model_scores([reading for reading in readings if reading is not None], knowledge)
        return [self._answer(reading, knowledge) for reading in readings]

    def _loaded(self) -> _Knowledge:
        with self._lock:
            if self._knowledge is None:
                self._knowledge = _load(self._folder, is_quick=self._is_quick)
            return self._knowledge

    def _answer(self, reading: _Reading | None, knowledge: _Knowledge) -> Answer:
        if reading is None:
            return Answer(Outcome.NOT_JUDGED, model_version=self.model_version)
        _add_lists(reading, knowledge)
        raw = {
            "language": reading.guess.language,
            "language_is_sure": reading.guess.is_sure,
            "basis": _basis(reading, knowledge),
            "terms": sorted({match.term for match in reading.words})[:_MAX_SPANS],
        }
        if not reading.scores:
            return Answer(Outcome.NOT_JUDGED, raw=raw, model_version=self.model_version)
        return Answer(
            Outcome.JUDGED,
            scores={name: round(score, 4) for name, score in reading.scores.items()},
            spans=_unique(reading.spans)[:_MAX_SPANS],
            raw=raw,
            model_version=self.model_version,
        )


def _load(folder: Path, *, is_quick: bool) -> _Knowledge:
    try:
        return _Knowledge(folder, is_quick=is_quick)
    except (ImportError, OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ProviderUnavailable(
            f"The local text model in {folder} cannot be loaded ({error}). Install Gatehouse's"
            " requirements again, or restore its files."
        ) from error


def _read(part: TextPart, knowledge: _Knowledge) -> _Reading:
    text = part.text if part.text.isascii() else _SURROGATE.sub("\ufffd", part.text)
    found = knowledge.lexicon.find(text)
    view = repaired(canonical(text), found)
    guess = knowledge.guesser.guess(without_addresses(view.text), part.language)
    words = counting_in(guess.language, found, text)
    if guess.language == ENGLISH and not guess.is_sure:
        words += counting_anywhere(found, knowledge.guesser.is_english_word)
    return _Reading(text, view, guess, words)


def _basis(reading: _Reading, knowledge: _Knowledge) -> str:
    if not reading.guess.language:
        return "no words"
    if reading.guess.language == ENGLISH:
        models = "models" if knowledge.encoder is not None else "n-gram model"
        return f"{models}, word lists, phrases"
    if reading.guess.language in knowledge.lexicon.languages:
        return "word list, phrases"
    return "phrases"


def _windows(text: str) -> list[tuple[int, int]]:
    """Cut a text at blanks into overlapping pieces that cover all of it."""
    if len(text) <= _WINDOW_CHARS:
        return [(0, len(text))]
    length = max(_WINDOW_CHARS, len(text) // _MAX_WINDOWS)
    pieces: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = min(start + length, len(text))
        blank = _SPACE.search(text, end, min(end + _OVERLAP_CHARS, len(text)))
        if blank:
            end = blank.start()
        pieces.append((start, end))
        if end == len(text):
            break
        start = end - _OVERLAP_CHARS
    return pieces


def _add_model_scores(readings: Iterable[_Reading], knowledge: _Knowledge) -> None:
    """Score the English texts of a batch in one go; each gets the worst of its pieces."""
    english = [reading for reading in readings if reading.guess.language == ENGLISH]
    pieces: list[str] = []
    for reading in english:
        reading.windows = _windows(reading.view.text)
        pieces.extend(reading.view.text[start:end] for start, end in reading.windows)
    scores = knowledge.model.score(pieces)
    ngram = _narrowed(scores, knowledge)
    at = 0
    for reading in english:
        span = slice(at, at + len(reading.windows))
        at = span.stop
        _ask_encoder(pieces[span], scores[span], ngram[span], knowledge)
        mine = scores[span]
        reading.scores = dict(zip(knowledge.categories, mine.max(axis=0).tolist(), strict=True))
        for column, category in enumerate(knowledge.categories):
            if reading.scores[category] >= _EXPLAINED_FROM:
                _explain(reading, knowledge, category, mine[:, column])


def _narrowed(scores: FloatArray, knowledge: _Knowledge) -> FloatArray:
    """Shrink, in place, what the n-gram model learned too broadly; return the scores as before."""
    before = scores.copy()
    toxic = knowledge.categories.index(Category.TOXIC)
    narrow = [knowledge.categories.index(category) for category in _TOXIC_BY_LABEL]
    scores[:, narrow] *= np.minimum(1, _NARROWED_BY * scores[:, [toxic]])
    return before


def _ask_encoder(
    pieces: Sequence[str], scores: FloatArray, ngram: FloatArray, knowledge: _Knowledge
) -> None:
    """Replace, in place, the scores of the pieces of a text that the n-gram model leaves open."""
    if knowledge.encoder is None or knowledge.blend is None:
        return
    picked = np.flatnonzero(knowledge.blend.is_uncertain(ngram))
    if len(picked) > _MAX_ENCODED:
        worst = ngram[picked].max(axis=1)
        picked = picked[np.argsort(-worst, kind="stable")[:_MAX_ENCODED]]
    if len(picked):
        encoded = np.stack([knowledge.encoder.logits(pieces[at]) for at in picked.tolist()])
        scores[picked] = knowledge.blend.scores(ngram[picked], encoded)


def _explain(
    reading: _Reading, knowledge: _Knowledge, category: Category, scores: FloatArray
) -> None:
    """Add the words that raised a model score most."""
    start, end = reading.windows[int(scores.argmax())]
    text = reading.view.text[start:end]
    shares = knowledge.model.contributions(text, category.value)
    words = [
        (float(shares[slice(*word.span())].sum()), word.span()) for word in _WORD.finditer(text)
    ]
    words.sort(reverse=True)
    for share, (first, last) in words[:_MAX_WORDS_EXPLAINING]:
        if share > 0 and share >= words[0][0] / 2:
            raw_start, raw_end = reading.view.span(start + first, start + last)
            reading.spans.append(Span(raw_start, raw_end, category))


def _add_lists(reading: _Reading, knowledge: _Knowledge) -> None:
    """Add what lists and phrases say, then what follows from the other scores."""
    language = reading.guess.language
    if not language:
        reading.scores = dict.fromkeys((*knowledge.categories, *_derived_categories()), 0.0)
        return
    if language == ENGLISH:
        reading.scores[Category.PROFANITY] = _NO_LISTED_WORD[Category.PROFANITY]
    elif language in knowledge.lexicon.languages:
        reading.scores.update(_NO_LISTED_WORD)
    if language == ENGLISH and _is_contact_alone(reading.view.text):
        reading.scores[Category.SPAM] = _lessened(reading.scores[Category.SPAM])
    phrases, taken_back = read_phrases(reading.view.text)
    if Category.SELF_HARM in taken_back:
        # Who cut himself shaving, or begs somebody to live, harms nobody. What insults stays.
        for category in _HARM & reading.scores.keys():
            reading.scores[category] = _lessened(reading.scores[category])
    for match in reading.words:
        reading.raise_to(match.payload.scores, match.start, match.end)
    for start, end, scores in phrases:
        reading.raise_to(scores, *reading.view.span(start, end))
    if language == ENGLISH:
        _derive(reading)


def _is_contact_alone(text: str) -> bool:
    """Tell whether a text says where somebody is reached, and offers nothing."""
    rest, found = _CONTACT.subn(" ", text)
    return found > 0 and len(_SPELLED.findall(rest)) < _FEW_WORDS


def _lessened(score: float) -> float:
    odds = _TAKEN_BACK * score / max(1 - score, 1e-6)
    return odds / (1 + odds)


def _derived_categories() -> tuple[Category, ...]:
    return (Category.THREAT, Category.SEVERE_TOXIC, Category.PROFANITY)


def _derive(reading: _Reading) -> None:
    """Add the categories that have no training data of their own.

    A threat is violence said to someone; toxic text is severe if it is also hateful, threatening
    or violent.
    """
    scores = reading.scores
    aimed = 1.0 if _SECOND_PERSON.search(reading.view.text) else 0.5
    threat = max(scores.get(Category.THREAT, 0.0), scores[Category.VIOLENCE] * aimed)
    worst = max(threat, scores[Category.VIOLENCE], scores[Category.HATE])
    scores[Category.THREAT] = threat
    scores[Category.SEVERE_TOXIC] = scores[Category.TOXIC] * worst


def _unique(spans: Iterable[Span]) -> list[Span]:
    return sorted(set(spans), key=lambda span: (span.start, span.end, span.category))


def _digest(folder: Path) -> str:
    """Return a digest of everything that can change a score: data files and our own code."""
    code = [*Path(__file__).parent.glob("*.py"), *(Path(__file__).parents[2] / "text").glob("*.py")]
    stored = (folder / name for name in (*_FILES, *_ENCODER_FILES))
    data = [path for path in stored if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(code) + data:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
