"""Which languages a text may be in, and in which it is surely not.

Languages that even people confuse in a sentence are told apart no better here, so they count as
one: a rule that allows one of them says nothing of the others.
"""

from __future__ import annotations

import gc
import re
import threading
import unicodedata
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# With fewer letters a name or a loan word decides. One of a script without blanks says as much
# as three others.
MIN_LETTERS = 20
# A text is not in the allowed languages if those together are less likely than this ...
MAX_DOUBT = 0.02
# ... and one other is likelier than this: numbers, code and smileys are in no language.
MIN_SURENESS = 0.5
# Language shows in the first words; reading a whole novel would not tell more.
_LETTERS_READ = 3000

# The ISO 639-1 codes that the identifier knows.
KNOWN = frozenset(
    {
        "af", "am", "an", "ar", "as", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "cs", "cy",
        "da", "de", "dz", "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fo", "fr", "fy", "ga",
        "gd", "gl", "gu", "ha", "he", "hi", "hr", "ht", "hu", "hy", "id", "ig", "is", "it", "ja",
        "jv", "ka", "kk", "km", "kn", "ko", "ku", "ky", "la", "lb", "lg", "ln", "lo", "lt", "lv",
        "mg", "mk", "ml", "mn", "mr", "ms", "mt", "my", "nb", "ne", "nl", "nn", "no", "oc", "om",
        "or", "pa", "pl", "ps", "pt", "qu", "ro", "ru", "rw", "sa", "se", "si", "sk", "sl", "sn",
        "so", "sq", "sr", "st", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "ug",
        "uk", "ur", "uz", "vi", "vo", "wa", "xh", "yo", "zh", "zu",
    }
)  # fmt: skip
# What it calls texts that are in no language.
_NONE = "zxx"
_KIN = (
    ("no", "nb", "nn", "da"),
    ("hr", "sr", "bs"),
    ("id", "ms"),
    ("cs", "sk"),
    ("es", "gl", "an"),
    ("fr", "wa"),
    ("nl", "af", "fy"),
    ("de", "lb"),
    ("tr", "az"),
)
_GROUP_OF = {code: kin[0] for kin in _KIN for code in kin}

_CODE = "```"
_ADDRESS = re.compile(r"[@/\\_]|\w\.\w\w")
_LONGEST_ADDRESS = 200
# Vowel signs of Indic scripts are marks to Unicode, and letters to their readers.
_LETTER = re.compile("[\u0900-\u0dff]|[^\\W\\d_]")
_DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff]"
)

_loading = threading.Lock()


class Guess(NamedTuple):
    """How likely each language is, by the first of those that it is not told apart from."""

    shares: Mapping[str, float]

    def is_beyond(self, allowed: AbstractSet[str]) -> bool:
        """Whether the text is surely in none of these languages, given as `group_of` says."""
        best = max(self.shares, key=lambda group: self.shares[group])
        doubt = sum(self.shares.get(group, 0.0) for group in allowed)
        return best != _NONE and self.shares[best] >= MIN_SURENESS and doubt <= MAX_DOUBT


def group_of(code: str) -> str:
    """Return the language that a language counts as."""
    return _GROUP_OF.get(code, code)


def guess_language(text: str) -> Guess | None:
    """Return what languages a text may be in, None where it is too short to tell."""
    prose = _prose(unicodedata.normalize("NFC", text[: 2 * _LETTERS_READ]))[:_LETTERS_READ]
    letters = len(_LETTER.findall(prose)) + 2 * len(_DENSE.findall(prose))
    if letters < MIN_LETTERS:
        return None
    shares: dict[str, float] = {}
    for code, share in _identifier().rank(prose):
        group = group_of(code)
        shares[group] = shares.get(group, 0.0) + float(share)
    return Guess(shares)


def _prose(text: str) -> str:
    """Return a text without code, addresses and names of files."""
    outside = " ".join(text.split(_CODE)[::2])
    return " ".join(
        word
        for word in outside.split()
        if len(word) > _LONGEST_ADDRESS or not _ADDRESS.search(word)
    )


def _identifier() -> LanguageIdentifier:
    # One for the process, loaded once: it takes half a second and 60 MB.
    with _loading:
        return _load()


@cache
def _load() -> LanguageIdentifier:
    # Imported late: only communities with a rule on languages need it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*sorted(KNOWN - {"nb"}), _NONE])
    # Without the tables of all other languages, which it keeps to be able to go back.
    identifier._full_model = None
    gc.collect()
    return identifier
