"""How often two judges agree, with what the count can bear. Pure."""

from __future__ import annotations

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
