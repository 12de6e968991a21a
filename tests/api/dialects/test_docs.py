"""The pages on dialects say what the code does."""

import re
from pathlib import Path

import pytest

from moderation.api.dialects.openai import WAYS
from moderation.labels.attributes import CATEGORIES, FLIRTATION
from moderation.vocabulary import Category, Dialect

PAGES = Path(__file__).parents[3] / "docs" / "dialects"


def rows(page):
    """Return the rows of a page's tables whose first cell is code."""
    lines = (PAGES / page).read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1] for row in cells if row[0].startswith("`") and len(row) > 1}


def named(text):
    return set(re.findall(r"\w+", text)) & set(Category.values)


@pytest.mark.parametrize("dialect", Dialect.values)
def test_every_dialect_has_its_row_and_its_page(dialect):
    row = next(
        line
        for line in (PAGES / "README.md").read_text().splitlines()
        if line.startswith(f"| `{dialect}`")
    )
    [page] = re.findall(r"\(([a-z]+\.md)\)", row)
    assert (PAGES / page).is_file()


@pytest.mark.parametrize("name", WAYS)
def test_every_category_of_openais_says_what_it_is_made_of(name):
    said = rows("openai.md")[f"`{name}`"]
    assert named(said) == {category.value for way in WAYS[name] for category in way}
    assert ("nobody" in said) == (not WAYS[name])


def test_every_attribute_says_which_category_it_is():
    said = {
        attribute: named(cell)
        for names, cell in rows("perspective.md").items()
        for attribute in re.findall(r"`([A-Z_]+)`", names)
    }
    assert said[FLIRTATION] == set()
    documented = {name: found for name, found in said.items() if found}
    assert documented == {name: {category.value} for name, category in CATEGORIES.items()}
