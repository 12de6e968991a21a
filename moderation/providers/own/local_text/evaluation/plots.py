"""Reliability diagrams: what scores promise beside what was true. Needs matplotlib."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from moderation.providers.own.local_text.evaluation.report import Report

_COLUMNS = 4


def plot_reliability(report: Report, path: Path) -> None:
    """Draw one panel a category; dots grow with the number of texts in their bin."""
    # A tool of development alone, which is slow to load.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("Agg")
    panels = len(report.categories)
    rows = max(1, ceil(panels / _COLUMNS))
    figure = Figure(figsize=(3 * _COLUMNS, 3 * rows), layout="constrained")
    for number, one in enumerate(report.categories):
        axis = figure.add_subplot(rows, _COLUMNS, number + 1)
        axis.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        axis.plot(
            [found.mean_score for found in one.bins],
            [found.share for found in one.bins],
            color="#1f5f8b",
            linewidth=1,
        )
        axis.scatter(
            [found.mean_score for found in one.bins],
            [found.share for found in one.bins],
            s=[8 + 120 * found.texts / one.texts for found in one.bins],
            color="#1f5f8b",
        )
        axis.set_title(f"{one.category}, ECE {one.ece:.3f}", fontsize=9)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("mean score", fontsize=9)
    figure.supylabel("share that violates", fontsize=9)
    figure.savefig(path, dpi=130)
