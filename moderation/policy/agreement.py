"""How often two judges agree, with what the count can bear. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

# Of a normal distribution: 95 of 100 lie within.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, and the 95 % interval of Wilson (1927) for the share behind it.

    Without any, `value` is None and the interval says nothing: 0 to 1.
    """

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.total:
            return 0.0, 1.0
        share, weight = self.hits / self.total, _Z * _Z / self.total
        middle = (share + weight / 2) / (1 + weight)
        half = _Z * sqrt((share * (1 - share) + weight / 4) / self.total) / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa (1960) of `total` pairs: agreement beyond what chance alone would bring.

    1 is always, 0 as often as by chance, below 0 less often. `value` is None where it is not
    defined: without pairs, and when both only ever gave one and the same answer.
    """

    value: float | None
    total: int


def cohens_kappa(pairs: Mapping[tuple[str, str], int]) -> Kappa:
    """Return the kappa of two judges' answers to the same questions, by how often each pair."""
    total = sum(pairs.values())
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    same = sum(count for (one, other), count in pairs.items() if one == other)
    # Both of `total` squared, in whole numbers: "always the same" is then seen for certain.
    by_chance = sum(count * second[answer] for answer, count in first.items())
    if by_chance == total * total:
        return Kappa(None, total)
    return Kappa((same * total - by_chance) / (total * total - by_chance), total)
