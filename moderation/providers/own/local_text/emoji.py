"""Emoji as words, for a model that was never shown pictures: a rat is a rat in any spelling."""

from __future__ import annotations

import re
import unicodedata

from moderation.text.normalise import CharTable

_PICTURE = re.compile("[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]")
# Unicode calls the colours of a skin by Fitzpatrick's numbers.
_SKIN = {
    "\U0001f3fb": "white skin",
    "\U0001f3fc": "light skin",
    "\U0001f3fd": "brown skin",
    "\U0001f3fe": "dark skin",
    "\U0001f3ff": "black skin",
}
_FILLER = re.compile(r"\b(?:sign|symbol|emoji|with|and|variation|selector|of)\b|[^a-z ]")


def _words_for(picture: str) -> str:
    name = _SKIN.get(picture) or unicodedata.name(picture, "").lower().replace("-", " ")
    return f" {' '.join(_FILLER.sub(' ', name).split())} "


_NAMES = CharTable(_words_for)


def emoji_in_words(text: str) -> str:
    """Return the text with each pictograph replaced by its name."""
    if text.isascii():
        return text
    return _PICTURE.sub(lambda hit: _NAMES[hit[0]], text)
