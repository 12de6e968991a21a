"""The manual's drawings show the code as it is, all of it, and need nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.drawings import (
    DRAWING_OF,
    PICTURES,
    ROOT,
    WIDTH,
    layers_of,
    parts_of_the_way,
    services,
)

REWRITE = "run `python -m tests.docs.drawings` and look at the picture"


def texts(name: str) -> list[str]:
    return [
        found.text or ""
        for found in ElementTree.fromstring(DRAWING_OF[name]()).iter()
        if found.text
    ]


@pytest.mark.parametrize("name", DRAWING_OF)
def test_a_drawing_is_as_the_code_is(name: str) -> None:
    assert (PICTURES / f"{name}.svg").read_text() == DRAWING_OF[name](), REWRITE


@pytest.mark.parametrize("name", DRAWING_OF)
def test_a_drawing_stands_on_a_page(name: str) -> None:
    assert f"(img/{name}.svg)" in (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize("name", DRAWING_OF)
def test_nothing_sticks_out_of_a_drawing(name: str) -> None:
    for box in ElementTree.fromstring(DRAWING_OF[name]()).iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.attrib["x"]) >= 0
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= WIDTH


def test_every_layer_is_drawn() -> None:
    names = {
        name for layer in layers_of("Inner layers know nothing of outer ones") for name in layer
    }
    assert names <= set(texts("layers"))
    there = {path.stem for path in (ROOT / "moderation").iterdir() if is_module(path)}
    assert there - names == {"migrations"}


def is_module(path: Path) -> bool:
    return (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")


def test_every_part_of_the_way_is_drawn() -> None:
    parts = {name for steps in parts_of_the_way().values() for name, _ in steps}
    there = {path.stem for path in (ROOT / "moderation" / "pipeline").iterdir() if is_module(path)}
    assert parts == there
    assert parts <= set(texts("way"))


def test_every_role_is_drawn_with_its_lanes() -> None:
    assert set(services()) <= set(texts("processes"))
    assert any(re.search(r"worker .*screen\.high", text) for text in texts("processes"))
