"""Two versions of the model on the same texts: what got better, and whether that is chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moderation.providers.own.local_text.evaluation.answers import CATEGORIES, Answers
from moderation.providers.own.local_text.evaluation.metrics import (
    Bools,
    Figure,
    Floats,
    Ranking,
    Resamples,
)
from moderation.providers.own.local_text.evaluation.report import LEAST, RESAMPLES
from moderation.providers.own.local_text.evaluation.sets import Example
from moderation.vocabulary import Action, Category


def answers_json(answers: Answers) -> dict[str, Any]:
    """Return what was said of each text, by the text's digest: enough to compare with later."""
    return {
        one.key: {
            "scores": {
                str(category): round(float(score), 4)
                for category, score in zip(CATEGORIES, row, strict=True)
                if not np.isnan(score)
            },
            "action": str(action),
        }
        for one, row, action in zip(answers.examples, answers.scores, answers.actions, strict=True)
    }


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of the older version and by how much the newer one differs, with its interval."""

    what: str
    before: float
    difference: Figure

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out that nothing changed."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`texts` are those that both versions answered; `moves` counts (older, newer) actions."""

    before: str
    after: str
    texts: int
    changes: list[Change]
    moves: Mapping[tuple[Action, Action], int]


def compare(
    answers: Answers, older: Mapping[str, Any], older_model: str, *, resamples: int = RESAMPLES
) -> Comparison:
    """Set answers beside those of an older version, as `answers_json` wrote them down."""
    rows = [row for row, one in enumerate(answers.examples) if one.key in older]
    both = _Both(
        examples=[answers.examples[row] for row in rows],
        before=[older[answers.examples[row].key] for row in rows],
        after=answers.scores[rows],
        now=[answers.actions[row] for row in rows],
        resamples=resamples,
    )
    moves = Counter(
        (one, other) for one, other in zip(both.was, both.now, strict=True) if one is not other
    )
    changes = [*both.by_category(), *both.by_action()]
    return Comparison(older_model, answers.model, len(rows), changes, moves)


@dataclass(frozen=True, slots=True)
class _Both:
    """What both versions said of the same texts."""

    examples: Sequence[Example]
    before: Sequence[Mapping[str, Any]]
    after: Floats
    now: Sequence[Action]
    resamples: int

    @property
    def was(self) -> list[Action]:
        return [Action(one["action"]) for one in self.before]

    def by_category(self) -> Iterator[Change]:
        for column, category in enumerate(CATEGORIES):
            before = np.array([one["scores"].get(str(category), np.nan) for one in self.before])
            labels = [one.labels.get(category) for one in self.examples]
            rated = np.array([label is not None for label in labels], dtype=np.bool_)
            rated &= ~np.isnan(before) & ~np.isnan(self.after[:, column])
            positive = np.array([bool(label) for label in labels], dtype=np.bool_)[rated]
            if positive.sum() >= LEAST and (~positive).sum() >= LEAST:
                pair = before[rated], self.after[rated, column]
                yield from _ranked(category, pair, positive, self._draws(rated))

    def by_action(self) -> Iterator[Change]:
        was, now = (
            np.array([action is Action.ALLOW for action in each], dtype=np.float64)
            for each in (self.was, self.now)
        )
        harmless = np.array([one.is_harmless for one in self.examples], dtype=np.bool_)
        violating = np.array([one.is_violating for one in self.examples], dtype=np.bool_)
        if harmless.any():
            flagged = 1 - was[harmless], 1 - now[harmless]
            yield _mean_change("harmless texts flagged", *flagged, self._draws(harmless))
        if violating.any():
            allowed = was[violating], now[violating]
            yield _mean_change("violating texts allowed", *allowed, self._draws(violating))

    def _draws(self, rows: Bools) -> Resamples:
        clusters = [one.cluster for one, inside in zip(self.examples, rows, strict=True) if inside]
        return Resamples(clusters, times=self.resamples)


def _ranked(
    category: Category, scores: tuple[Floats, Floats], positive: Bools, draws: Resamples
) -> Iterator[Change]:
    one, other = (Ranking(each, positive) for each in scores)
    evenly = np.ones(len(positive))
    yield Change(
        f"{category} AUROC",
        one.auroc(evenly),
        draws.figure(lambda weights: other.auroc(weights) - one.auroc(weights)),
    )
    yield Change(
        f"{category} AUPRC",
        one.auprc(evenly),
        draws.figure(lambda weights: other.auprc(weights) - one.auprc(weights)),
    )


def _mean_change(what: str, one: Floats, other: Floats, draws: Resamples) -> Change:
    return Change(
        what,
        float(one.mean()),
        draws.figure(lambda weights: float((weights * (other - one)).sum() / weights.sum())),
    )


def comparison_json(found: Comparison) -> dict[str, Any]:
    return {
        "before": found.before,
        "after": found.after,
        "texts": found.texts,
        "changes": {
            one.what: {
                "before": round(one.before, 4),
                "difference": one.difference.to_json(),
                "is_sure": one.is_sure,
            }
            for one in found.changes
        },
        "moves": {f"{was}>{now}": count for (was, now), count in sorted(found.moves.items())},
    }


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield a comparison as people read it; a star marks what is hardly chance."""
    yield f"{found.after} against {found.before}, {found.texts:,} texts that both answered"
    width = max((len(one.what) for one in found.changes), default=0)
    for one in found.changes:
        value, low, high = _signed(one.difference)
        star = " *" if one.is_sure else ""
        yield f"  {one.what.ljust(width)}  {one.before:.3f} {value} ({low} to {high}){star}"
    for (was, now), count in sorted(found.moves.items()):
        yield f"  {was} → {now}: {count:,}"


def _signed(figure: Figure) -> Sequence[str]:
    return [
        "–" if one is None else f"{one:+.3f}" for one in (figure.value, figure.low, figure.high)
    ]
