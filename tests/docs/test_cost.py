"""The cost model's tables follow from its figures, and its figures from the performance page."""

import re

from tests.docs.drawings import ROOT

PAGE = (ROOT / "docs/explanation/cost.md").read_text()
MEASURED = (ROOT / "docs/performance.md").read_text()
SECONDS_A_DAY = 86_400


def figure(name: str) -> float:
    """Return a figure of the page's first table."""
    return float(re.search(rf"^\| `{name}` \| ([\d.,]+)", PAGE, re.MULTILINE)[1].replace(",", ""))


def rows(heading: str) -> list[list[float]]:
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| [\d.].*$", part, re.MULTILINE)
    return [
        [float(cell.replace(",", "")) for cell in line.strip("| ").split(" | ")] for line in lines
    ]


def close(told: float, computed: float) -> bool:
    """Whether a figure is told to two digits."""
    return abs(told - computed) <= 0.05 * computed


def test_figures_are_those_that_were_measured():
    assert f"CPU, ms/post | {figure('cpu')} " in MEASURED
    assert re.search(rf"image with the image model.*\| {figure('picture'):g} / ", MEASURED)


def test_processors_follow_from_posts():
    for day, average, peak, texts, pictures, cells in rows("Machines"):
        assert close(average, day / SECONDS_A_DAY)
        assert close(peak, figure("peak") * day / SECONDS_A_DAY)
        now = figure("peak") * day / SECONDS_A_DAY
        assert close(texts, now * figure("cpu") / 1000 / figure("busy"))
        with_picture = now * figure("pictures")
        assert close(pictures, with_picture * figure("picture") / 1000 / figure("busy"))
        assert cells == -(-now // figure("cell"))


def test_disks_follow_from_posts():
    for day, a_day, a_year in rows("Disks"):
        assert close(a_day, day * figure("row") / 1e6)
        assert close(a_year, 365 * day * figure("row") / 1e9)


def test_people_follow_from_posts():
    for day, items, hours, people in rows("People"):
        assert close(items, day * figure("asked"))
        assert close(hours, items * figure("minute") / 60)
        assert people == -(-items * figure("minute") / 60 // figure("shift"))
