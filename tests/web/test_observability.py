"""Dashboard, alerts and pages name the figures that there are, and leave none out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from moderation.web.metrics import people, posts, processes, services, upkeep
from moderation.web.metrics.exposition import Family

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "docker/observability"
NAME = re.compile(r"\bgatehouse_[a-z0-9_]+\b")
SUFFIXES = {"summary": ("_sum", "_count"), "histogram": ("_bucket", "_sum", "_count")}


@pytest.fixture
def families(db) -> dict[str, Family]:
    found = [
        *posts.families(),
        *people.families(),
        *services.families(),
        *processes.families(),
        *upkeep.families(),
    ]
    names = [family.name for family in found]
    assert len(names) == len(set(names))
    return {family.name: family for family in found}


def series(families: dict[str, Family]) -> set[str]:
    return {
        family.name + suffix
        for family in families.values()
        for suffix in SUFFIXES.get(family.kind, ("",))
    }


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((SHIPPED / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions_on_the_dashboard() -> Iterator[str]:
    for panel in json.loads((SHIPPED / "dashboard.json").read_text())["panels"]:
        if panel["type"] != "row":
            yield from (target["expr"] for target in panel["targets"])


def test_every_figure_is_documented_with_its_kind_and_labels_and_none_that_is_gone(families):
    rows = re.findall(
        r"^\| `(gatehouse_\w+)` \| (\w+) \|([^|]*)\|",
        (ROOT / "docs/metrics.md").read_text(),
        re.MULTILINE,
    )
    documented = {name: kind for name, kind, _ in rows}
    assert len(rows) == len(documented)
    assert documented == {family.name: family.kind for family in families.values()}
    for name, _, labels in rows:
        told = set(re.findall(r"`(\w+)`", labels))
        for sample in families[name].samples:
            assert set(sample.labels) - {"le"} == told, name


def test_every_figure_named_on_a_page_exists(families):
    for page in ("docs/metrics.md", "docs/runbooks.md", "docs/streams.md", "docs/routing.md"):
        named = set(NAME.findall((ROOT / page).read_text()))
        assert named - {"gatehouse_metrics_token"} <= series(families) | set(families), page


def test_dashboard_shows_every_figure_and_none_that_is_not_there(families):
    shown = {name for text in expressions_on_the_dashboard() for name in NAME.findall(text)}
    assert shown <= series(families)
    left_out = {name for name in families if not any(one.startswith(name) for one in shown)}
    assert left_out == set()


def test_every_panel_has_a_unit_and_a_place_of_its_own():
    panels = json.loads((SHIPPED / "dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_alerts_watch_figures_that_exist(families):
    for rule in rules():
        named = set(NAME.findall(re.sub(r'"[^"]*"', "", rule["expr"])))
        assert named <= series(families), rule["alert"]
        assert named or "up" in rule["expr"], rule["alert"]


def test_every_alert_has_its_runbook_and_every_runbook_its_alert():
    page = (ROOT / "docs/runbooks.md").read_text()
    sections = re.findall(r"^## (Gatehouse\w+)$", page, re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        link = f"docs/runbooks.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == link
        text = page.partition(f"## {rule['alert']}\n")[2].partition("\n## ")[0]
        for part in ("**Means:**", "**Look at:**", "**Do:**"):
            assert part in text, rule["alert"]


def test_labels_that_alerts_and_panels_pick_are_told(families):
    """A typing error in a selector is silent: the alert would never fire."""
    texts = [rule["expr"] for rule in rules()] + list(expressions_on_the_dashboard())
    for text in texts:
        for name, selector in re.findall(r"\b(gatehouse_\w+)\{([^}]*)\}", text):
            base = next(one for one in families if name.startswith(one))
            labels = {label for sample in families[base].samples for label in sample.labels}
            picked = set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", selector))
            assert not labels or picked <= labels | {"le"}, text
