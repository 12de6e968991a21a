"""Texts as people write them to get past a filter, for models to learn that it changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable

_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7+", "l": "1", "b": "8"}
_ALIKE = {
    "a": "аàá", "c": "сç", "e": "еèé", "i": "іìí", "o": "оòó", "p": "р", "s": "ѕ", "x": "х",
    "y": "уý", "u": "ùüú", "n": "ñ",
}  # fmt: skip
_INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad"
_CUTS = ".-_*~ "


def _leet(word: str, rng: random.Random) -> str:
    return "".join(
        rng.choice(_LEET[char]) if char in _LEET and rng.random() < 0.6 else char for char in word
    )


def _alike(word: str, rng: random.Random) -> str:
    return "".join(
        rng.choice(_ALIKE[char]) if char in _ALIKE and rng.random() < 0.5 else char for char in word
    )


def _cut(word: str, rng: random.Random) -> str:
    return rng.choice(_CUTS).join(word)


def _broken(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + rng.choice(_CUTS) + word[at:]


def _hidden(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + rng.choice("*#_-") + word[at + 1 :]


def _invisible(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + rng.choice(_INVISIBLE) + word[at:]


def _drawn_out(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    return word[:at] + word[at] * rng.randint(3, 5) + word[at + 1 :]


def _swapped(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _shortened(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + word[at + 1 :]


def _loud(word: str, rng: random.Random) -> str:
    return "".join(rng.choice((char, char.upper())) for char in word)


_DISGUISES: tuple[Callable[[str, random.Random], str], ...] = (
    _leet, _leet, _alike, _cut, _broken, _hidden, _invisible, _drawn_out, _swapped, _shortened,
    _loud,
)  # fmt: skip
_SHORTEST = 4


def disguised(text: str, rng: random.Random) -> str:
    """Return the text with about a third of its longer words written otherwise, one at least."""
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= _SHORTEST and word.isalpha()]
    if not long:
        return text
    for at in rng.sample(long, max(1, len(long) // 3)):
        words[at] = rng.choice(_DISGUISES)(words[at], rng)
    return " ".join(words)
