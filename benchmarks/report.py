"""Results as a table and as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

Numbers = dict[str, Any]
GATEHOUSE_COLOUR, PEER_COLOUR = "#2f6f4f", "#b0b0b0"


def table(results: Numbers) -> str:
    """Return the results as a Markdown table: what, Gatehouse, peer, ratio."""
    rows = [("measured", "Gatehouse", "naive peer", "ratio of pairs")]
    rows += [row for name in ROWS if name in results for row in ROWS[name](results[name])]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


Row = tuple[str, str, str, str]


def _rates(what: str, found: Numbers) -> list[Row]:
    return [
        (
            f"{what}: accepted to decided, posts/s",
            _spread(found["gatehouse"]),
            _spread(found["naive"]),
            _spread(found["ratio"], digits=2),
        ),
        (
            f"{what}: accepted, posts/s",
            _spread(found["gatehouse_accepted"]),
            _spread(found["naive_accepted"]),
            "",
        ),
        (
            f"{what}: CPU, ms/post",
            _spread(found["gatehouse_cpu"], digits=2),
            _spread(found["naive_cpu"], digits=2),
            _spread(found["cpu_ratio"], digits=2),
        ),
    ]


def _single(found: Numbers) -> list[Row]:
    return _rates("one post a request", found)


def _bulk(found: Numbers) -> list[Row]:
    return _rates("100 posts a request (peer: one)", found)


def _submit(found: Numbers) -> list[Row]:
    rows = [
        (
            "submits at half of the sustained rate, requests/s",
            _spread(found["gatehouse"]["rate"]),
            _spread(found["naive"]["rate"]),
            "",
        )
    ]
    rows += [
        (
            f"… their answer {which}, ms",
            _spread(found["gatehouse"][which], digits=1),
            _spread(found["naive"][which], digits=1),
            "",
        )
        for which in ("p50", "p95", "p99")
    ]
    return rows


def _check(found: Numbers) -> list[Row]:
    what = f"synchronous check of a text, {found['rate']:.0f} requests/s"
    rows = [
        (f"{what}, {which}, ms", _spread(found[which], digits=1), "", "")
        for which in ("p50", "p95", "p99")
    ]
    return [*rows, ("… CPU, ms/check", _spread(found["cpu"], digits=2), "", "")]


def _verdict(found: Numbers) -> list[Row]:
    return _idle("text, idle machine: answer to verdict", found)


def _image(found: Numbers) -> list[Row]:
    statuses = ", ".join(sorted(found["gatehouse"]["statuses"]))
    return _idle(f"image, idle machine: answer to verdict ({statuses})", found)


def _idle(what: str, found: Numbers) -> list[Row]:
    def cell(who: str, which: str) -> str:
        return f"{found[who]['verdict_ms'][which]:.0f}" if who in found else "–"

    return [
        (f"{what}, {which}, ms", cell("gatehouse", which), cell("naive", which), "")
        for which in ("p50", "p95")
    ]


def _providers(found: Numbers) -> list[Row]:
    rows = [
        (
            f"asking an outside service about {what}: our own time, {which}, ms",
            _spread(found[how][which], digits=1),
            "",
            "",
        )
        for how, what in (("alone", "one text"), ("together", "32 texts in one call"))
        for which in ("p50", "p95")
    ]
    texts = f"100 texts, {found['repeated']['median']:.0f} % of them repeated"
    asked = _spread(found["asked_of_a_hundred"], digits=1)
    calls = _spread(found["calls_for_a_hundred"], digits=1)
    return [*rows, (f"of {texts}: asked about", asked, "", ""), ("… in calls", calls, "", "")]


def _growth(found: Numbers) -> list[Row]:
    few, many = (f"{found['posts'][size]:,}" for size in ("small", "large"))
    return [
        (f"posts/s beside {few} stored", _spread(found["small"]), "", ""),
        (
            f"posts/s beside {many} stored",
            _spread(found["large"]),
            "",
            _spread(found["ratio"], digits=2),
        ),
    ]


def _memory(found: Numbers) -> list[Row]:
    return [("embedded product at rest, MB (PSS)", f"{found['total_mb']:.0f}", "", "")]


ROWS = {
    "single": _single,
    "bulk": _bulk,
    "submit": _submit,
    "check": _check,
    "verdict": _verdict,
    "image": _image,
    "providers": _providers,
    "growth": _growth,
    "memory": _memory,
}


def _spread(found: dict[str, float], *, digits: int = 0) -> str:
    median, low, high = (f"{found[name]:,.{digits}f}" for name in ("median", "low", "high"))
    return f"{median} ({low}–{high})"


def plot(results: Numbers, path: Path) -> bool:
    """Draw rates and latencies; return whether there was anything to draw."""
    panels = [name for name in PANELS if name in results]
    if not panels:
        return False
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.2 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for name, axis in zip(panels, axes[0], strict=True):
        PANELS[name](axis, results[name])
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True


def _draw_rates(axis: Axes, found: Numbers, title: str) -> None:
    rounds = found["rounds"]
    places = range(len(rounds))
    for who, label, colour, offset in (
        ("gatehouse", "Gatehouse", GATEHOUSE_COLOUR, -0.2),
        ("naive", "naive peer", PEER_COLOUR, 0.2),
    ):
        heights = [one[who]["decided_per_second"] for one in rounds]
        axis.bar([place + offset for place in places], heights, 0.38, label=label, color=colour)
    ratio = found["ratio"]["median"]
    axis.set_title(f"{title}\nratio {ratio:.2f} (median of pairs)", fontsize=10)
    axis.set_xticks(list(places), [f"pair {place + 1}" for place in places])
    axis.set_ylabel("posts/s, accepted to decided")
    axis.legend(frameon=False, fontsize=8)


def _draw_single(axis: Axes, found: Numbers) -> None:
    _draw_rates(axis, found, "One post a request")


def _draw_bulk(axis: Axes, found: Numbers) -> None:
    _draw_rates(axis, found, "100 posts a request")


def _draw_submit(axis: Axes, found: Numbers) -> None:
    names = ("p50", "p95", "p99")
    for who, label, colour, offset in (
        ("gatehouse", "Gatehouse", GATEHOUSE_COLOUR, -0.2),
        ("naive", "naive peer", PEER_COLOUR, 0.2),
    ):
        heights = [found[who][name]["median"] for name in names]
        places = [number + offset for number in range(len(names))]
        rate = found[who]["rate"]["median"]
        axis.bar(places, heights, 0.38, label=f"{label}, {rate:.0f}/s", color=colour)
    axis.set_title("Answer to a submit\nat half of the sustained rate", fontsize=10)
    axis.set_xticks(range(len(names)), list(names))
    axis.set_ylabel("ms")
    axis.legend(frameon=False, fontsize=8)


def _draw_growth(axis: Axes, found: Numbers) -> None:
    sizes = ("small", "large")
    heights = [found[size]["median"] for size in sizes]
    axis.bar(range(2), heights, 0.5, color=GATEHOUSE_COLOUR)
    axis.set_title(f"Beside stored posts\nratio {found['ratio']['median']:.2f}", fontsize=10)
    axis.set_xticks(range(2), [f"{found['posts'][size]:,}" for size in sizes])
    axis.set_ylabel("posts/s, accepted to decided")


PANELS = {
    "single": _draw_single,
    "bulk": _draw_bulk,
    "submit": _draw_submit,
    "growth": _draw_growth,
}
