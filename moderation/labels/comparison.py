"""Stored scores of another service beside ours, and thresholds that decide as often as theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from moderation.policy.agreement import Share

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """One text's scores by attribute: theirs, and ours of those that were judged."""

    theirs: Mapping[str, float]
    ours: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A threshold of theirs, and ours that as many texts reach.

    `ours` is None where no text of theirs reaches it. `agreed` counts texts on which both
    thresholds decide alike.
    """

    theirs: float
    their_rate: float
    ours: float | None
    our_rate: float
    agreed: Share


@dataclass(frozen=True, slots=True)
class AttributeReport:
    """How two judges score the same texts in one attribute.

    `pearson` is about values, `spearman` about order; None where either judge never varies.
    `not_judged` counts texts that only they scored.
    """

    attribute: str
    texts: int
    not_judged: int
    pearson: float | None
    spearman: float | None
    proposals: tuple[Proposal, ...] = ()


@dataclass(slots=True)
class Comparison:
    """Pairs of scores by attribute, added text by text."""

    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    not_judged: dict[str, int] = field(default_factory=dict)

    def add(self, scored: Scored) -> None:
        for attribute, theirs in scored.theirs.items():
            ours = scored.ours.get(attribute)
            if ours is None:
                self.not_judged[attribute] = self.not_judged.get(attribute, 0) + 1
            else:
                self.pairs.setdefault(attribute, []).append((theirs, ours))


def compare_scores(
    comparison: Comparison, thresholds: Mapping[str, Sequence[float]], usual: Sequence[float]
) -> list[AttributeReport]:
    """Return a report on each attribute; one without thresholds of its own has the `usual` ones."""
    attributes = sorted({*comparison.pairs, *comparison.not_judged})
    return [
        _report(comparison, attribute, thresholds.get(attribute, usual)) for attribute in attributes
    ]


def _report(comparison: Comparison, attribute: str, thresholds: Sequence[float]) -> AttributeReport:
    pairs = np.array(comparison.pairs.get(attribute, []), dtype=np.float64).reshape(-1, 2)
    theirs, ours = pairs[:, 0], pairs[:, 1]
    return AttributeReport(
        attribute=attribute,
        texts=len(pairs),
        not_judged=comparison.not_judged.get(attribute, 0),
        pearson=_correlation(theirs, ours),
        spearman=_correlation(_ranks(theirs), _ranks(ours)),
        proposals=tuple(_propose(theirs, ours, one) for one in thresholds) if len(pairs) else (),
    )


def _correlation(one: Floats, other: Floats) -> float | None:
    if len(one) < 2 or not one.std() or not other.std():
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: Floats) -> Floats:
    """Return the place of each value in their order; equal ones share the middle of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle = last - (counts - 1) / 2
    return np.asarray(middle[group], dtype=np.float64)


def _propose(theirs: Floats, ours: Floats, threshold: float) -> Proposal:
    reached = theirs >= threshold
    wanted = int(reached.sum())
    found = _threshold_for(ours, wanted)
    by_ours = ours >= found if found is not None else np.zeros(len(ours), dtype=bool)
    return Proposal(
        theirs=threshold,
        their_rate=wanted / len(theirs),
        ours=found,
        our_rate=int(by_ours.sum()) / len(ours),
        agreed=Share(int((reached == by_ours).sum()), len(ours)),
    )


def _threshold_for(ours: Floats, wanted: int) -> float | None:
    """Return the score that the number of texts nearest to `wanted` reaches."""
    if not wanted:
        return None
    values, counts = np.unique(ours, return_counts=True)
    # How many texts score at least each value.
    reaching = np.cumsum(counts[::-1])[::-1]
    return float(values[np.abs(reaching - wanted).argmin()])
