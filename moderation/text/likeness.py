"""Which texts say nearly the same, so that they can be found among many without comparing all.

A text is taken as the set of its runs of letters (`_RUN` of them, digits and letters only). Texts
that share most runs share, with near certainty, at least one of a few short marks, and marks can
be looked up by an index (MinHash with banding: Broder 1997; Leskovec, Rajaraman, Ullman, "Mining
of Massive Datasets", chapter 3).
"""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

# Nearly the same: this share of all their runs is in both. A changed name, number or link in a
# text of two lines leaves about 0.8.
ALIKE = 0.6

MARKS = 4
_ROWS = 3
_RUN = 4
# Longer texts are compared by their beginning; what is copied is copied from there.
_LETTERS = 2_000
# Fewer letters are in too many texts: "thank you" is no copy of "thank you".
LEAST_LETTERS = 12
# Odd numbers of 64 bits: each orders all runs in a way of its own. Fixed, as marks are stored.
_SEEDS = np.random.Generator(np.random.PCG64(20_260_101)).integers(
    1 << 62, 1 << 63, size=MARKS * _ROWS, dtype=np.uint64
) | np.uint64(1)

Runs = npt.NDArray[np.uint64]


def near_marks(text: str) -> tuple[int, ...]:
    """Return `MARKS` numbers of 31 bits, of which nearly the same texts share one or more.

    Texts that share 0.8 of their runs share a mark 94 times in 100, those that share 0.2 three
    times in 100. Without enough letters there are none.
    """
    runs = runs_of(text)
    if not len(runs):
        return ()
    lowest = (runs[None, :] * _SEEDS[:, None]).min(axis=1).reshape(MARKS, _ROWS)
    mixed = (lowest * _SEEDS.reshape(MARKS, _ROWS)).sum(axis=1, dtype=np.uint64)
    return tuple(int(number) for number in mixed >> np.uint64(33))


def runs_of(text: str) -> Runs:
    """Return the different runs of a text as numbers, none for one that is too short to tell."""
    plain = unicodedata.normalize("NFKD", text[: 2 * _LETTERS]).casefold()
    letters = "".join(char for char in plain if char.isalnum())[:_LETTERS]
    if len(letters) < LEAST_LETTERS:
        return np.zeros(0, dtype=np.uint64)
    codes = np.frombuffer(letters.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    total = np.zeros(len(codes) - _RUN + 1, dtype=np.uint64)
    for place in range(_RUN):
        # A code point has 21 bits: four of them wrap round, which only needs to be rare.
        total = total * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + len(total)]
    # The low bits of a product depend on low bits only; fold the high ones in.
    return np.unique(total ^ (total >> np.uint64(29)))


def likeness(one: Runs, other: Runs) -> float:
    """Return which share of all their runs is in both, 0.0 where one has none."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - both
    return both / either if either else 0.0
