"""A linear model over hashed character and word n-grams: many texts in, scores a category out.

Everything is done for a whole batch at once in numpy: the texts are laid end to end, every
position yields a fixed number of features, and one gather and one sum give all scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

UintArray = npt.NDArray[np.uint32]
FloatArray = npt.NDArray[np.float32]

# 2^18 rows of 8 bytes are 2 MB: small enough to stay in a processor's cache while scoring.
HASH_BITS = 18
BUCKETS = 1 << HASH_BITS
# One row more, always zero, for positions that have no feature of some kind.
NO_FEATURE = BUCKETS
CHAR_NGRAMS = (2, 3, 4, 5)
WORD_NGRAMS = (1, 2, 3)
FEATURES_PER_CHAR = len(CHAR_NGRAMS) + len(WORD_NGRAMS)
# The rows of the weights are gathered as single 64-bit numbers.
MAX_CATEGORIES = 8

_MULTIPLIER = np.uint32(0x01000193)
_MIXER = np.uint32(0x9E3779B1)
_LONGEST_WORD = 48
# A text of about five words has so many features.
_SHORT_TEXT_FEATURES = 60

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_MENTION = re.compile(r"(?<!\S)@\w+")
_ADDRESS_SIGN, _MENTION_SIGN = "\x01", "\x02"


def _ascii_table() -> UintArray:
    """Map every digit to 0 and every control character but our own two signs to a blank."""
    table = np.arange(128, dtype=np.uint32)
    table[:33] = 32
    table[1], table[2] = 1, 2
    table[127] = 32
    table[48:58] = 48
    return table


def _word_chars() -> npt.NDArray[np.bool_]:
    table = np.zeros(128, dtype=np.bool_)
    for char in "abcdefghijklmnopqrstuvwxyz0'\x01\x02":
        table[ord(char)] = True
    return table


_ASCII = _ascii_table()
_WORD_CHARS = _word_chars()
_POWERS = np.cumprod(
    np.concatenate([np.ones(1, np.uint32), np.full(_LONGEST_WORD - 1, 0x85EBCA6B, np.uint32)]),
    dtype=np.uint32,
)


def without_addresses(text: str) -> str:
    """Replace each link and each @mention by one sign and blanks of the same total length."""
    if "://" in text or "www." in text:
        text = _ADDRESS.sub(lambda hit: _ADDRESS_SIGN.ljust(len(hit[0])), text)
    if "@" in text:
        text = _MENTION.sub(lambda hit: _MENTION_SIGN.ljust(len(hit[0])), text)
    return text


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a batch: `rows` is (positions, FEATURES_PER_CHAR), one text after another.

    `starts[i]` is the first position of text i. `place[p]` is the character of its text at which
    position p stands, -1 for the frame before it.
    """

    rows: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    place: npt.NDArray[np.intp]

    def lengths(self) -> FloatArray:
        """Return what each text's sum is divided by: the root of its number of features.

        A constant is added, so that a word or two do not weigh as a text full of them.
        """
        present = (self.rows != NO_FEATURE).sum(axis=1, dtype=np.int32)
        counts = np.add.reduceat(present, self.starts)
        return np.asarray(np.sqrt(counts + _SHORT_TEXT_FEATURES), dtype=np.float32)


def extract(texts: Sequence[str]) -> Features:
    """Return the hashed features of texts that went through `text.normalise.canonical`."""
    # Every text is framed by a terminator that no text holds, and by blanks as word edges.
    framed = "".join(
        ["\0 " + without_addresses(text.replace("\0", " ")) + " " for text in texts] + ["\0"]
    )
    raw = np.frombuffer(framed.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ends = raw == 0
    low = raw < 128
    codes = np.where(low, _ASCII[np.where(low, raw, 32)], raw)
    codes[ends] = 0
    same = codes[1:] == codes[:-1]
    kept = np.ones(len(codes), dtype=np.bool_)
    # Of blanks one stays, of any other run two.
    kept[1:] &= ~(same & (codes[1:] == 32))
    kept[2:] &= ~(same[1:] & same[:-1])
    kept |= ends
    where = np.flatnonzero(kept)
    codes = codes[where]
    starts = np.flatnonzero(codes == 0)[:-1]
    text_of = np.cumsum(codes == 0) - 1
    place = where - where[starts][np.minimum(text_of, len(starts) - 1)] - 2
    rows = np.full((len(codes), FEATURES_PER_CHAR), NO_FEATURE, dtype=np.intp)
    _fill_char_ngrams(codes, rows)
    _fill_word_ngrams(codes, text_of, rows)
    return Features(rows[:-1], starts, place[:-1])


def _bucket(hashes: UintArray, kind: int) -> UintArray:
    mixed = (hashes ^ np.uint32(kind * 0x68E31DA4 & 0xFFFFFFFF)) * _MIXER
    mixed ^= mixed >> np.uint32(15)
    return (mixed * _MULTIPLIER) >> np.uint32(32 - HASH_BITS)


def _fill_char_ngrams(codes: UintArray, rows: npt.NDArray[np.intp]) -> None:
    inside = codes != 0
    hashes = codes * _MIXER
    valid = inside
    for length in range(2, CHAR_NGRAMS[-1] + 1):
        hashes = hashes[:-1] * _MULTIPLIER ^ codes[length - 1 :] * _MIXER
        valid = valid[:-1] & inside[length - 1 :]
        if length in CHAR_NGRAMS:
            column = CHAR_NGRAMS.index(length)
            rows[: len(hashes), column] = np.where(valid, _bucket(hashes, length), NO_FEATURE)


def _fill_word_ngrams(
    codes: UintArray, text_of: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]
) -> None:
    in_word = np.where(codes < 128, _WORD_CHARS[np.minimum(codes, 127)], True)
    edges = np.flatnonzero(in_word[1:] != in_word[:-1]) + 1
    if not len(edges):
        return
    begins = edges[::2]
    within = np.arange(len(codes)) - np.repeat(
        np.concatenate([[0], begins]), np.diff(np.concatenate([[0], begins, [len(codes)]]))
    )
    weighed = codes * _POWERS[np.minimum(within, _LONGEST_WORD - 1)]
    words = np.add.reduceat(weighed, edges)[::2].astype(np.uint32)
    owner = text_of[begins]
    hashes, valid = words, np.ones(len(words), dtype=np.bool_)
    for length in WORD_NGRAMS:
        if length > 1:
            if len(hashes) < 2:
                return
            hashes = hashes[:-1] * _MULTIPLIER ^ words[length - 1 :] * _MIXER
            valid = valid[:-1] & (owner[: len(hashes)] == owner[length - 1 :])
        column = len(CHAR_NGRAMS) + length - 1
        rows[begins[: len(hashes)], column] = np.where(
            valid, _bucket(hashes, 16 + length), NO_FEATURE
        )


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Trained weights, and the calibration that turns their sums into probabilities."""

    categories: tuple[str, ...]
    # (BUCKETS + 1, MAX_CATEGORIES); the last row is zero.
    weights: npt.NDArray[np.int8]
    # Per category: probability = sigmoid(slope * sum / length + offset).
    slope: FloatArray
    offset: FloatArray

    @classmethod
    def load(cls, path: Path) -> NgramModel:
        with np.load(path, allow_pickle=False) as stored:
            weights = np.zeros((BUCKETS + 1, MAX_CATEGORIES), dtype=np.int8)
            weights[:BUCKETS, : stored["weights"].shape[0]] = stored["weights"].T
            return cls(
                categories=tuple(str(name) for name in stored["categories"]),
                weights=weights,
                slope=stored["slope"].astype(np.float32),
                offset=stored["offset"].astype(np.float32),
            )

    def save(self, path: Path) -> None:
        # Category by category, the many zeros compress best.
        np.savez_compressed(
            path,
            categories=np.array(self.categories),
            weights=np.ascontiguousarray(self.weights[:BUCKETS, : len(self.categories)].T),
            slope=self.slope,
            offset=self.offset,
        )

    def score(self, texts: Sequence[str]) -> FloatArray:
        """Return probabilities, (texts, categories), of texts in canonical form."""
        if not texts:
            return np.zeros((0, len(self.categories)), dtype=np.float32)
        features = extract(texts)
        sums = self._sums(features)
        scaled = sums / features.lengths()[:, None]
        logits = np.clip(scaled * self.slope + self.offset, -30, 30)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)

    def contributions(self, text: str, category: str) -> FloatArray:
        """Return how much each character of one canonical text adds to a category's sum."""
        features = extract([text])
        column = self.categories.index(category)
        added = self.weights[features.rows, column].astype(np.float32)
        shares = np.zeros(len(text) + 8, dtype=np.float32)
        for kind, length in enumerate(CHAR_NGRAMS):
            for step in range(length):
                at = np.clip(features.place + step, 0, len(text))
                np.add.at(shares, at, added[:, kind] / length)
        for kind in range(len(CHAR_NGRAMS), FEATURES_PER_CHAR):
            np.add.at(shares, np.clip(features.place, 0, len(text)), added[:, kind])
        return shares[: len(text)]

    def _sums(self, features: Features) -> FloatArray:
        packed = self.weights.view(np.uint64)[:, 0]
        gathered = packed[features.rows.ravel()].view(np.int8).reshape(-1, MAX_CATEGORIES)
        totals = np.add.reduceat(
            gathered, features.starts * FEATURES_PER_CHAR, axis=0, dtype=np.int32
        )
        return totals[:, : len(self.categories)].astype(np.float32)
