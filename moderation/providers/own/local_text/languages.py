"""Which language a text is in; the costly identifier is asked only where cheap signs fail."""

from __future__ import annotations

import gc
import re
import threading
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

ENGLISH = "en"

_WORD = re.compile(r"[^\W\d_]+")
# Language shows in the first words; reading a whole novel would not tell more.
_LETTERS_READ = 3000
# Shares of words in the English vocabulary. It has many words that other languages share.
_SURELY_ENGLISH = 0.8
_LIKELY_ENGLISH = 0.55
# With fewer words a name or a typing error decides.
_FEW_WORDS = 4
_SURE = 0.6
_VERY_SURE = 0.9

# What the identifier chooses between; the fewer, the less memory and the fewer odd guesses.
_KNOWN = (
    "ar", "be", "bg", "bn", "cs", "da", "de", "el", "en", "eo", "es", "fa", "fi", "fr", "he", "hi",
    "hr", "hu", "id", "it", "ja", "kab", "ko", "mr", "ne", "nl", "no", "pl", "pt", "ro", "ru", "sk",
    "sr", "sv", "sw", "ta", "th", "tl", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
_OTHER_NAMES = {"tl": "fil", "nb": "no", "nn": "no"}

# What a text too short for certainty is taken for, by its script.
_LANGUAGE_OF_SCRIPT = {
    "LATIN": ENGLISH,
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "DEVANAGARI": "hi",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "THAI": "th",
    "GREEK": "el",
    "HEBREW": "he",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A language (ISO 639-1, or -3 where there is none); "" for a text without words."""

    language: str
    is_sure: bool


class LanguageGuesser:
    """Guesses from an English vocabulary first, then by the identifier, then by script."""

    def __init__(self, english_words: frozenset[str]) -> None:
        self._english_words = english_words
        self._identifier: LanguageIdentifier | None = None
        self._lock = threading.Lock()

    def is_english_word(self, word: str) -> bool:
        return word in self._english_words

    def guess(self, text: str, expected: str = "") -> Guess:
        """Guess the language of a canonical text; `expected` decides where the text does not."""
        text = text[:_LETTERS_READ]
        if not text.isascii():
            # Canonical text holds accents apart, which would cut words in two.
            text = unicodedata.normalize("NFC", text)
        words = _WORD.findall(text)
        if not words:
            return Guess("", is_sure=True)
        english = sum(word in self._english_words for word in words) / len(words)
        if english >= _SURELY_ENGLISH and (len(words) >= _FEW_WORDS or expected in ("", ENGLISH)):
            return Guess(ENGLISH, is_sure=True)
        by_script = _language_of_script(words)
        if by_script == ENGLISH and len(words) < _FEW_WORDS and text.isascii():
            return Guess(expected or ENGLISH, is_sure=False)
        language, sureness = self._identify(text)
        likely = by_script == ENGLISH and english > _LIKELY_ENGLISH and sureness < _VERY_SURE
        if language == ENGLISH or likely:
            return Guess(ENGLISH, is_sure=language == ENGLISH and sureness >= _SURE)
        if sureness >= _SURE:
            return Guess(language, is_sure=True)
        return Guess(expected or by_script or language, is_sure=False)

    def _identify(self, text: str) -> tuple[str, float]:
        with self._lock:
            if self._identifier is None:
                self._identifier = _load_identifier()
        language, sureness = self._identifier.classify(text)
        return _OTHER_NAMES.get(language, language), float(sureness)


def _load_identifier() -> LanguageIdentifier:
    # Imported late: it takes half a second and 60 MB, which an English forum never needs.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_KNOWN)
    # Without the tables of all other languages, which it keeps to be able to go back.
    identifier._full_model = None
    gc.collect()
    return identifier


def _language_of_script(words: list[str]) -> str:
    counts: dict[str, int] = {}
    for word in words[:60]:
        name = "LATIN" if word[0].isascii() else unicodedata.name(word[0], "")
        script = name.split(" ", 1)[0]
        counts[script] = counts.get(script, 0) + 1
    return _LANGUAGE_OF_SCRIPT.get(max(counts, key=lambda script: counts[script]), "")
