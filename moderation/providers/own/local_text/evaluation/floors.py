"""What must not get worse from one version to the next, on a sample of the texts kept here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import ceil, floor
from pathlib import Path
from typing import Final

from moderation.policy.agreement import Share
from moderation.providers.base import Provider
from moderation.providers.own.local_text.evaluation.answers import answer
from moderation.providers.own.local_text.evaluation.report import LEAST, Report, make_report
from moderation.providers.own.local_text.evaluation.sets import FOLDER, read_kept, sampled

FLOORS_FILE: Final = FOLDER / "floors.json"
# What a test may wait for: a few seconds of the slower judge.
SAMPLE: Final = 2_000
# Another machine's rounding moves a figure less than this; a worse model moves it more.
MARGIN: Final = 0.02
# These must not rise; all others must not fall.
_CEILINGS: Final = ("flagged", "missed")

Bounds = dict[str, float]


def measure(provider: Provider) -> Report:
    """Return the figures that floors are about, without intervals."""
    return make_report("sample", answer(provider, sampled(read_kept(), SAMPLE)), resamples=0)


def read_floors(path: Path = FLOORS_FILE) -> Bounds:
    found: Bounds = json.loads(path.read_text())
    return found


def write_floors(bounds: Mapping[str, float], path: Path = FLOORS_FILE) -> None:
    path.write_text(json.dumps(dict(sorted(bounds.items())), indent=1) + "\n")


def breaches(report: Report, floors: Mapping[str, float]) -> list[str]:
    """Return what got worse, in words; a figure that is no more can be held to nothing."""
    now = dict(_figures(report))
    found = []
    for name, bound in sorted(floors.items()):
        if name not in now:
            found.append(f"{name}: not measured any more (was held to {bound})")
        elif _is_ceiling(name) and now[name][0] > bound:
            found.append(f"{name}: {now[name][0]:.4f}, at most {bound} was promised")
        elif not _is_ceiling(name) and now[name][0] < bound:
            found.append(f"{name}: {now[name][0]:.4f}, at least {bound} was promised")
    return found


def bounds_of(report: Report) -> Bounds:
    """Return bounds a little below (for shares of mistakes: above) what was measured."""
    bounds: Bounds = {}
    for name, (value, step) in _figures(report):
        if _is_ceiling(name):
            bounds[name] = min(1.0, ceil((value + MARGIN + step) * 1000) / 1000)
        else:
            bounds[name] = max(0.0, floor((value - MARGIN - step) * 1000) / 1000)
    return bounds


def raised(old: Mapping[str, float], new: Mapping[str, float]) -> Bounds:
    """Return the stricter of both bounds by name; none is loosened and none is dropped."""
    return {
        name: _stricter(name, *(bounds[name] for bounds in (old, new) if name in bounds))
        for name in {*old, *new}
    }


def _stricter(name: str, *bounds: float) -> float:
    return min(bounds) if _is_ceiling(name) else max(bounds)


def _is_ceiling(name: str) -> bool:
    return name.rpartition(" ")[2] in _CEILINGS


def _figures(report: Report) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield figures by name, each with what a single text moves it by."""
    if report.auroc.value is not None:
        yield "all auroc", (report.auroc.value, 0.0)
    if report.flagged.value is not None:
        yield "all flagged", (report.flagged.value, 0.0)
    if report.missed.value is not None:
        yield "all missed", (report.missed.value, 0.0)
    if report.pairs_in_order.value is not None:
        yield "all pairs", (report.pairs_in_order.value, 0.0)
    for category in report.categories:
        if category.auroc.value is not None and category.auprc.value is not None:
            yield f"category {category.category} auroc", (category.auroc.value, 0.0)
            yield f"category {category.category} auprc", (category.auprc.value, 0.0)
    for group in report.groups:
        if group.kind == "source":
            continue
        name = f"{group.kind} {group.name}"
        if group.auroc is not None:
            yield f"{name} auroc", (group.auroc, 0.0)
        yield from _share(f"{name} flagged", group.flagged)
        yield from _share(f"{name} missed", group.missed)


def _share(name: str, share: Share) -> Iterator[tuple[str, tuple[float, float]]]:
    if share.value is not None and share.total >= LEAST:
        yield name, (share.value, 1 / share.total)
