"""The table of providers says what the adapters and the locked libraries say."""

import re
from pathlib import Path

import pytest

from moderation.providers.catalogue import adapter_names, get_adapter
from moderation.vocabulary import Part

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "providers"
COLUMNS = (Part.TEXT, Part.IMAGE, Part.GIF, Part.VIDEO, Part.AUDIO)


def rows():
    lines = (PAGES / "table.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "`" in line]
    return {line[1].strip("`"): line for line in cells if len(line) == 11}


def test_every_adapter_has_a_row_and_a_page():
    assert set(rows()) == set(adapter_names())


@pytest.mark.parametrize("name", adapter_names())
def test_a_row_says_what_the_adapter_can_do(name):
    facts, row = get_adapter(name).facts, rows()[name]
    assert row[0] == f"[{facts.label}]({facts.doc}.md)"
    assert (PAGES / f"{facts.doc}.md").is_file()
    judged = [part for part, cell in zip(COLUMNS, row[2:7], strict=True) if cell == "yes"]
    assert frozenset(judged) == facts.parts
    assert (row[8] != "–") is facts.answers_later


def test_the_versions_are_those_of_the_contract_tests():
    locked = (ROOT / "requirements-contract.txt").read_text()
    named = [pair for row in rows().values() for pair in re.findall(r"([\w-]+) (\d[\w.]+)", row[9])]
    assert len(named) > 10
    for library, version in named:
        assert f"{library}=={version} " in locked, (library, version)


def test_every_secret_can_come_from_the_environment():
    for name in adapter_names():
        for setting in get_adapter(name).facts.settings:
            assert setting.env or not setting.is_secret, (name, setting.name)
