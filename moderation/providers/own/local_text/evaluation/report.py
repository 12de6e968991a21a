"""All figures of some texts: by category, and by set, topic, identity, language and source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from moderation.policy.agreement import Share
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.providers.own.local_text.evaluation.answers import CATEGORIES, Answers
from moderation.providers.own.local_text.evaluation.metrics import (
    UNDEFINED,
    Bin,
    Bools,
    Figure,
    Floats,
    Ranking,
    Resamples,
    brier,
    calibration_error,
    reliability,
    weighted_to,
)
from moderation.providers.own.local_text.evaluation.sets import Example
from moderation.vocabulary import Action, Category

# With fewer texts of a kind a figure would say more of them than of the model.
LEAST: Final = 10
RESAMPLES: Final = 500
_STEPS = (Action.WARN, Action.REVIEW, Action.BLOCK)
# What one text is found under: `identity` may be several.
_KINDS: Mapping[str, Callable[[Example], Sequence[str]]] = {
    "set": lambda one: (one.group,),
    "topic": lambda one: (one.topic,),
    "identity": lambda one: one.identities,
    "language": lambda one: (one.language,),
    "source": lambda one: (one.source,),
}


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """How one category does on the texts whose label is known.

    `ece` is the calibration error on the set as it is; `ece_at_share` that with positives
    weighted to the share that the model card promises probabilities for. `reached` says how many
    negatives and positives reach each threshold of the built-in policy.
    """

    category: Category
    texts: int
    positives: int
    not_judged: int
    auroc: Figure
    auprc: Figure
    brier: float
    ece: float
    ece_at_share: float | None
    bins: list[Bin]
    reached: Mapping[Action, tuple[Share, Share]]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """How the whole policy does on the texts of one group.

    `auroc` is that of the highest score in any category. `flagged` are harmless texts that are
    not simply allowed, `stopped` those that readers would not see at once; `missed` are violating
    texts that are allowed. What was not judged counts in none of them. `gap` is `flagged` less
    the share of all other harmless texts. For an identity, `harmless_against_all` is the AUROC of
    all violating texts against the harmless ones that name it: low where its name alone alarms.
    """

    kind: str
    name: str
    violating: int
    harmless: int
    not_judged: int
    auroc: float | None
    macro_f1: float | None
    flagged: Share
    stopped: Share
    missed: Share
    gap: float | None
    harmless_against_all: float | None = None

    @property
    def is_large(self) -> bool:
        return max(self.violating, self.harmless) >= LEAST


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found on one set. `any_violation` scores a text by its highest score."""

    name: str
    model: str
    texts: int
    not_judged: int
    auroc: Figure
    auprc: Figure
    flagged: Figure
    stopped: Figure
    blocked: Figure
    missed: Figure
    pairs_in_order: Share
    categories: list[CategoryFigures]
    groups: list[GroupFigures]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": self.model,
            "texts": self.texts,
            "not_judged": self.not_judged,
            **{name: getattr(self, name).to_json() for name in OVERALL},
            "pairs_in_order": _share_json(self.pairs_in_order),
            "categories": {str(one.category): _category_json(one) for one in self.categories},
            "groups": [_group_json(one) for one in self.groups],
        }


OVERALL: Final = ("auroc", "auprc", "flagged", "stopped", "blocked", "missed")


def make_report(
    name: str,
    answers: Answers,
    *,
    shares: Mapping[Category, float] | None = None,
    resamples: int = RESAMPLES,
) -> Report:
    """Return all figures. `shares` are those of positives that probabilities are promised for."""
    examples = answers.examples
    violating = np.array([one.is_violating for one in examples], dtype=np.bool_)
    harmless = np.array([one.is_harmless for one in examples], dtype=np.bool_)
    judged = answers.judged
    known = judged & (violating | harmless)
    clusters = np.array([one.cluster for one in examples], dtype=object)
    worst = answers.worst

    def drawn(rows: Bools) -> Resamples:
        return Resamples(clusters[rows].tolist(), times=resamples)

    def share_of(rows: Bools, hit: Bools) -> Figure:
        hits = hit[rows].astype(np.float64)
        return drawn(rows).figure(lambda weights: _mean(hits, weights)) if rows.any() else UNDEFINED

    both = (known & violating).any() and (known & harmless).any()
    ranking = Ranking(worst[known], violating[known]) if both else None
    clean = judged & harmless
    return Report(
        name=name,
        model=answers.model,
        texts=len(examples),
        not_judged=int((~judged).sum()),
        auroc=drawn(known).figure(ranking.auroc) if ranking else UNDEFINED,
        auprc=drawn(known).figure(ranking.auprc) if ranking else UNDEFINED,
        flagged=share_of(clean, answers.at_least(Action.WARN)),
        stopped=share_of(clean, answers.at_least(Action.REVIEW)),
        blocked=share_of(clean, answers.at_least(Action.BLOCK)),
        missed=share_of(judged & violating, ~answers.at_least(Action.WARN)),
        pairs_in_order=_pairs_in_order(answers, violating, clean),
        categories=list(_categories(answers, clusters, shares or {}, resamples)),
        groups=list(_groups(answers, violating, harmless)),
    )


def _mean(values: Floats, weights: Floats) -> float:
    total = weights.sum()
    return float((values * weights).sum() / total) if total else float("nan")


# --- by category -------------------------------------------------------------------------------


def _categories(
    answers: Answers, clusters: Any, shares: Mapping[Category, float], resamples: int
) -> Iterator[CategoryFigures]:
    thresholds = parse_policy(DEFAULT_DOCUMENT).thresholds
    for column, category in enumerate(CATEGORIES):
        labels = [one.labels.get(category) for one in answers.examples]
        known = np.array([label is not None for label in labels], dtype=np.bool_)
        scored = known & ~np.isnan(answers.scores[:, column])
        positive = np.array([bool(label) for label in labels], dtype=np.bool_)[scored]
        if positive.sum() < LEAST or (~positive).sum() < LEAST:
            continue
        scores = answers.scores[scored, column]
        draws = Resamples(clusters[scored].tolist(), times=resamples)
        ranking, evenly = Ranking(scores, positive), np.ones(len(scores))
        share = shares.get(category)
        yield CategoryFigures(
            category=category,
            texts=len(scores),
            positives=int(positive.sum()),
            not_judged=int((known & ~scored).sum()),
            auroc=draws.figure(ranking.auroc),
            auprc=draws.figure(ranking.auprc),
            brier=brier(scores, positive, evenly),
            ece=calibration_error(scores, positive, evenly),
            ece_at_share=None
            if share is None
            else calibration_error(scores, positive, weighted_to(positive, share)),
            bins=reliability(scores, positive, evenly),
            reached={
                action: (_reaching(scores[~positive], at), _reaching(scores[positive], at))
                for action in _STEPS
                if (at := thresholds[category].get(action)) is not None
            },
        )


def _reaching(scores: Floats, threshold: float) -> Share:
    return Share(int((scores >= threshold).sum()), len(scores))


# --- by group ----------------------------------------------------------------------------------


def _groups(answers: Answers, violating: Bools, harmless: Bools) -> Iterator[GroupFigures]:
    flagged, stopped = answers.at_least(Action.WARN), answers.at_least(Action.REVIEW)
    judged, worst = answers.judged, answers.worst
    for kind, names_of in _KINDS.items():
        for name, rows in _rows_by_name(answers.examples, names_of):
            inside = np.zeros(len(answers.examples), dtype=np.bool_)
            inside[rows] = True
            bad, good = inside & judged & violating, inside & judged & harmless
            yield GroupFigures(
                kind=kind,
                name=name,
                violating=int((inside & violating).sum()),
                harmless=int((inside & harmless).sum()),
                not_judged=int((inside & ~judged).sum()),
                auroc=_auroc(worst, bad, good),
                macro_f1=_macro_f1(flagged, bad, good),
                flagged=_hits(good, flagged),
                stopped=_hits(good, stopped),
                missed=_hits(bad, ~flagged),
                gap=_gap(flagged, good, judged & harmless & ~inside),
                harmless_against_all=_auroc(worst, judged & violating, good)
                if kind == "identity"
                else None,
            )


def _rows_by_name(
    examples: Sequence[Example], names_of: Callable[[Example], Sequence[str]]
) -> Iterable[tuple[str, list[int]]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(examples):
        for name in names_of(one):
            if name:
                rows[name].append(row)
    return sorted(rows.items())


def _hits(rows: Bools, hit: Bools) -> Share:
    return Share(int((rows & hit).sum()), int(rows.sum()))


def _auroc(worst: Floats, bad: Bools, good: Bools) -> float | None:
    if bad.sum() < LEAST or good.sum() < LEAST:
        return None
    rows = bad | good
    return Ranking(worst[rows], bad[rows]).auroc(np.ones(int(rows.sum())))


def _macro_f1(flagged: Bools, bad: Bools, good: Bools) -> float | None:
    """Return the mean F1 of "violates" and "does not", a text that is not allowed violating."""
    if bad.sum() < LEAST or good.sum() < LEAST:
        return None
    right_up, right_down = (flagged & bad).sum(), (~flagged & good).sum()
    wrong = (flagged & good).sum() + (~flagged & bad).sum()
    return float(
        (2 * right_up / (2 * right_up + wrong) + 2 * right_down / (2 * right_down + wrong)) / 2
    )


def _gap(flagged: Bools, good: Bools, others: Bools) -> float | None:
    if good.sum() < LEAST or others.sum() < LEAST:
        return None
    return float(flagged[good].mean() - flagged[others].mean())


def _pairs_in_order(answers: Answers, violating: Bools, clean: Bools) -> Share:
    """Count twins of which the violating one scores higher."""
    pairs: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row, one in enumerate(answers.examples):
        if one.pair and answers.judged[row] and (violating[row] or clean[row]):
            pairs[one.pair][0 if violating[row] else 1].append(float(answers.worst[row]))
    compared = [up > down for ups, downs in pairs.values() for up in ups for down in downs]
    return Share(sum(compared), len(compared))


# --- as JSON and as lines ----------------------------------------------------------------------


def _share_json(share: Share) -> dict[str, Any]:
    return {"hits": share.hits, "total": share.total}


def _category_json(one: CategoryFigures) -> dict[str, Any]:
    return {
        "texts": one.texts,
        "positives": one.positives,
        "not_judged": one.not_judged,
        "auroc": one.auroc.to_json(),
        "auprc": one.auprc.to_json(),
        "brier": round(one.brier, 4),
        "ece": round(one.ece, 4),
        "ece_at_share": None if one.ece_at_share is None else round(one.ece_at_share, 4),
        "reliability": [asdict(found) for found in one.bins],
        "reached": {
            str(action): {"negatives": _share_json(down), "positives": _share_json(up)}
            for action, (down, up) in one.reached.items()
        },
    }


def _group_json(one: GroupFigures) -> dict[str, Any]:
    said = {name: getattr(one, name) for name in one.__slots__}
    return {
        name: _share_json(value)
        if isinstance(value, Share)
        else round(value, 4)
        if isinstance(value, float)
        else value
        for name, value in said.items()
    }


def lines(report: Report) -> Iterator[str]:
    """Yield a report as people read it."""
    yield f"{report.name}: {report.texts:,} texts by {report.model}"
    yield f"  not judged      {report.not_judged:,}"
    yield f"  any violation   AUROC {report.auroc}, AUPRC {report.auprc}"
    yield f"  harmless texts  flagged {report.flagged}, held or blocked {report.stopped}"
    yield f"                  blocked {report.blocked}"
    yield f"  violating texts allowed {report.missed}"
    if report.pairs_in_order.total:
        yield f"  twins in order  {said_share(report.pairs_in_order)}"
    yield ""
    yield from _table(
        ("category", "texts", "positive", "AUROC", "AUPRC", "Brier", "ECE", "at share"),
        [
            (
                str(one.category),
                f"{one.texts:,}",
                f"{one.positives:,}",
                str(one.auroc),
                str(one.auprc),
                f"{one.brier:.3f}",
                f"{one.ece:.3f}",
                "–" if one.ece_at_share is None else f"{one.ece_at_share:.3f}",
            )
            for one in report.categories
        ],
    )
    yield ""
    yield from _table(
        ("category", "step", "false alarms", "found"),
        [
            (str(one.category), str(action), said_share(down), said_share(up))
            for one in report.categories
            for action, (down, up) in one.reached.items()
        ],
    )
    for kind in _KINDS:
        found = [one for one in report.groups if one.kind == kind and one.is_large]
        if found:
            yield ""
            yield from _table(
                (kind, "harmless", "flagged", "gap", "held+", "violating", "allowed", "AUROC", "F1")
                + (("harmless v. all",) if kind == "identity" else ()),
                [_group_row(one) for one in found],
            )


def _group_row(one: GroupFigures) -> tuple[str, ...]:
    row = (
        one.name,
        f"{one.harmless:,}",
        said_share(one.flagged),
        "–" if one.gap is None else f"{one.gap:+.1%}",
        said_share(one.stopped),
        f"{one.violating:,}",
        said_share(one.missed),
        _plain(one.auroc),
        _plain(one.macro_f1),
    )
    return (*row, _plain(one.harmless_against_all)) if one.kind == "identity" else row


def said_share(share: Share) -> str:
    if share.value is None:
        return "–"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = [head, *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        first, *rest = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([first, *rest]).rstrip()
