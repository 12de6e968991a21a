"""The manual's drawings, made from the code: `python -m tests.docs.drawings` writes them.

layers     who may import whom, from the import contracts
way        a post's way, from the map of the pipeline
processes  what runs beside what, from the compose file

`test_drawings` holds that they are as the code is.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import yaml

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = ROOT / "docs" / "img"

WIDTH = 840
# What one character of the drawings' type takes, at most.
LETTER = 7.4
LINE = 18
GAP = 12
# Readable on the white and on the dark page alike.
STYLE = """\
text{font:13px "Helvetica Neue",Arial,sans-serif;fill:#1d2b28}
.name{font-weight:bold}.quiet{fill:#4a5a56}
rect{fill:#f4f7f5;stroke:#2f6f5e;stroke-width:1.2;rx:6}
.band{fill:#dcebe4;stroke:none}.page{fill:#ffffff;stroke:none;rx:0}
path{fill:none;stroke:#2f6f5e;stroke-width:1.4;marker-end:url(#tip)}
marker path{fill:#2f6f5e;stroke:none;marker-end:none}"""


def write_all() -> None:
    for name, draw in DRAWING_OF.items():
        (PICTURES / f"{name}.svg").write_text(draw())


# Who may import whom


def layers_of(contract: str) -> list[list[str]]:
    """Return the layers of an import contract, outermost first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (found,) = (one for one in settings["contracts"] if one["name"] == contract)
    return [[name.strip(" ()") for name in layer.split("|")] for layer in found["layers"]]


def _layers() -> str:
    parts, y = [], GAP
    for layer in layers_of("Inner layers know nothing of outer ones"):
        lines = _rows_of(layer)
        height = len(lines) * (LINE + GAP + 4) + GAP
        parts.append(_box(GAP, y, WIDTH - 2 * GAP, height, kind="band"))
        top = y + GAP
        for line in lines:
            widths = [_width(name) for name in line]
            x = (WIDTH - sum(widths) - GAP * (len(line) - 1)) / 2
            for name, width in zip(line, widths, strict=True):
                parts.append(_box(x, top, width, LINE + 6))
                parts.append(_text(x + width / 2, top + 17, name, kind="name", anchor="middle"))
                x += width + GAP
            top += LINE + GAP + 4
        y += height + 6
    return _svg(
        "The layers of the moderation app: each may import only what stands below it", y, parts
    )


def _rows_of(names: Sequence[str]) -> list[list[str]]:
    """Break a layer into rows that fit."""
    rows: list[list[str]] = [[]]
    for name in names:
        if sum(_width(one) + GAP for one in [*rows[-1], name]) > WIDTH - 4 * GAP:
            rows.append([])
        rows[-1].append(name)
    return rows


# A post's way


def parts_of_the_way() -> dict[str, list[tuple[str, str]]]:
    """Return the sections of the pipeline's map, each part with what it does."""
    said = (ROOT / "moderation" / "pipeline" / "__init__.py").read_text().split('"""')[1]
    sections: dict[str, list[tuple[str, str]]] = {}
    title = ""
    for line in said.splitlines()[1:]:
        if part := re.fullmatch(r"(\w+) {2,}(?:\d\w? +)?(.+)", line):
            sections[title].append((part[1], part[2]))
        elif re.fullmatch(r"[A-Z][\w ]+", line):
            title = line
            sections[title] = []
    return sections


def _way() -> str:
    parts, y = [], 2 * GAP
    name_width, left = 130, 24
    for title, steps in parts_of_the_way().items():
        parts.append(_text(left, y + 10, title, kind="name"))
        y += LINE + 4
        for number, (name, does) in enumerate(steps):
            lines = textwrap.wrap(does, 86)
            height = max(len(lines) * LINE + 10, LINE + 12)
            is_on_the_way = title == "The way"
            if is_on_the_way and number:
                parts.append(_arrow(left + name_width / 2, y - GAP, left + name_width / 2, y - 2))
            parts.append(_box(left, y, name_width, height))
            middle = y + height / 2 + 4
            parts.append(_text(left + name_width / 2, middle, name, kind="name", anchor="middle"))
            for row, line in enumerate(lines):
                parts.append(_text(left + name_width + 16, y + 20 + row * LINE, line, kind="quiet"))
            y += height + (GAP if is_on_the_way else 6)
        y += GAP
    return _svg("A post's way, part by part", y, parts)


# What runs beside what


def services() -> dict[str, dict[str, Any]]:
    """Return what Compose starts without any profile; `migrate` ends by itself."""
    found = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    return {
        name: service
        for name, service in found.items()
        if "profiles" not in service and name != "migrate"
    }


def _processes() -> str:
    found = services()
    edge = [name for name, service in found.items() if "ports" in service]
    roles = [name for name, service in found.items() if "build" in service]
    kept = [name for name in found if name not in edge + roles]
    columns = [edge, roles, kept]
    widths, lefts = (150, 330, 150), (24, 230, 640)
    tallest = max(map(len, columns))
    height = LINE * 2 + 14
    places: dict[str, tuple[float, float, float]] = {}
    parts: list[str] = []
    for column, width, left in zip(columns, widths, lefts, strict=True):
        step = (tallest * (height + GAP)) / len(column)
        for number, name in enumerate(column):
            y = 2 * GAP + number * step + (step - height - GAP) / 2
            places[name] = (left, y, width)
            parts.append(_box(left, y, width, height))
            said = _said_of(name, found[name])
            parts.append(_text(left + 12, y + (20 if said else 29), name, kind="name"))
            parts.append(_text(left + 12, y + 38, said, kind="quiet"))
    arrows = [
        _arrow(left + width, y + height / 2, places[other][0] - 2, places[other][1] + height / 2)
        for name, (left, y, width) in places.items()
        for other in found[name].get("depends_on", ())
        if other in places
    ]
    bottom = 2 * GAP + tallest * (height + GAP)
    return _svg("The processes of an instance, and what each needs", bottom, [*arrows, *parts])


def _said_of(name: str, service: Mapping[str, Any]) -> str:
    """Say which role a service of ours has, and its lanes, where its name does not."""
    said = " ".join(service.get("command", ())) if "build" in service else ""
    return said.replace(",", ", ") if said != name else ""


# Shapes


def _width(name: str) -> float:
    return round(len(name) * LETTER + 18, 1)


def _box(x: float, y: float, width: float, height: float, *, kind: str = "") -> str:
    said = f' class="{kind}"' if kind else ""
    return f'<rect{said} x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'


def _text(x: float, y: float, text: str, *, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}"/>'


def _svg(title: str, height: float, parts: Iterable[str]) -> str:
    inside = "\n".join([_box(0, 0, WIDTH, height, kind="page"), *parts])
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}"
     viewBox="0 0 {WIDTH} {height:g}" role="img">
<title>{escape(title)}</title>
<style>{STYLE}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
  orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>
{inside}
</svg>
"""


DRAWING_OF: Final[dict[str, Callable[[], str]]] = {
    "layers": _layers,
    "way": _way,
    "processes": _processes,
}

if __name__ == "__main__":
    write_all()
