"""By what a text is known again: a fingerprint of its letters, and a hash that near texts share.

The near hash is Charikar's simhash over runs of four letters: 64 bits, of which texts that differ
in a few words differ in a few. Only letters and digits count, without case, width and accents.
"""

from __future__ import annotations

import hashlib
import unicodedata

import numpy as np
import numpy.typing as npt

# Shorter texts are said by many people with different things in mind.
LEAST_LETTERS = 12
# In a shorter text one other word changes too many runs for a near match to mean anything.
LEAST_LETTERS_FOR_NEAR = 60
# What follows tells a text apart no better, and takes time.
_MOST_LETTERS = 20_000
_RUN = 4

# Odd numbers with mixed bits, one for each place in a run, and those of splitmix64's last steps.
_PLACES = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
    np.uint64(0xD6E8FEB86659FD93),
)
_MIX_ONE = np.uint64(0xBF58476D1CE4E5B9)
_MIX_TWO = np.uint64(0x94D049BB133111EB)


def letters_of(text: str) -> str:
    """Return what counts of a text: its letters and digits, plain and in small letters."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum())


def fingerprint_of(letters: str) -> str:
    """Return SHA-256 as 64 hex digits, "" of what is too short to be known again."""
    if len(letters) < LEAST_LETTERS:
        return ""
    return hashlib.sha256(letters.encode()).hexdigest()


def near_hash(letters: str) -> str:
    """Return the similarity hash as 16 hex digits, "" of what is too short for one."""
    if len(letters) < LEAST_LETTERS_FOR_NEAR:
        return ""
    signs = np.frombuffer(letters[:_MOST_LETTERS].encode("utf-32-le"), dtype="<u4")
    counts = _bits(_runs(signs.astype(np.uint64))).sum(axis=0, dtype=np.int64)
    ahead = counts * 2 > len(signs) - _RUN + 1
    return np.packbits(ahead).tobytes().hex()


def _runs(signs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return a well-mixed number for every run of `_RUN` letters."""
    length = len(signs) - _RUN + 1
    mixed = np.zeros(length, dtype=np.uint64)
    for place, factor in enumerate(_PLACES):
        mixed += signs[place : place + length] * factor
    mixed ^= mixed >> np.uint64(30)
    mixed *= _MIX_ONE
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MIX_TWO
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    return np.unpackbits(numbers.view(np.uint8).reshape(-1, 8), axis=1)
