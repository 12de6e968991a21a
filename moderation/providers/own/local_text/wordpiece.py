"""Texts as numbers of word pieces: the encoder's way of reading."""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from moderation.providers.own.local_text.emoji import emoji_in_words
from moderation.providers.own.local_text.ngram import without_addresses

_ADDRESS_SIGNS = str.maketrans({"\x01": " link ", "\x02": " user "})
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_INSIDE_WORD = "##"
_LONGEST_WORD = 60
_START, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


class WordPieces:
    """Cuts words greedily into the longest pieces of a vocabulary, as BERT does."""

    # Words are remembered as they are met; only a flood of rare ones reaches this.
    _LIMIT = 50_000

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self.start, self.end = self._numbers[_START], self._numbers[_END]
        self._unknown = [self._numbers[_UNKNOWN]]
        self._cut: dict[str, list[int]] = {}

    @classmethod
    def load(cls, path: Path) -> WordPieces:
        return cls(gzip.decompress(path.read_bytes()).decode().split("\n"))

    def numbers(self, text: str) -> list[int]:
        """Return the pieces of a canonical text, without start and end."""
        found: list[int] = []
        for word in _TOKEN.findall(readable(text)):
            pieces = self._cut.get(word)
            if pieces is None:
                pieces = self._pieces(word)
                if len(self._cut) < self._LIMIT:
                    self._cut[word] = pieces
            found += pieces
        return found

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return self._unknown
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = _INSIDE_WORD if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(prefix + word[start:end])
                if number is not None:
                    pieces.append(number)
                    start = end
                    break
            else:
                return self._unknown
        return pieces


def readable(text: str) -> str:
    """Return a canonical text with links, mentions and emoji as words, and without marks."""
    plain = without_addresses(text).translate(_ADDRESS_SIGNS)
    if plain.isascii():
        return plain
    spoken = emoji_in_words(plain)
    return "".join([char for char in spoken if unicodedata.category(char) not in ("Mn", "Cf")])
