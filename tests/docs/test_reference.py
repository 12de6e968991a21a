"""The reference says what the code says."""

import re

import pytest

from moderation.api.errors import KINDS
from moderation.delivery.event_types import EVENT_TYPES
from moderation.roles import PERMISSIONS
from tests.docs.reference import PAGE_OF, PAGES

REWRITE = "run `python -m tests.docs.reference` and read the difference"


def rows(name):
    return re.findall(r"^\| (?!---).*$", PAGE_OF[name](), re.MULTILINE)


@pytest.mark.parametrize("name", PAGE_OF)
def test_a_page_is_as_the_code_is(name):
    assert (PAGES / f"{name}.md").read_text() == PAGE_OF[name](), REWRITE


def test_there_is_no_other_page():
    assert {page.stem for page in PAGES.glob("*.md")} == set(PAGE_OF)


def test_every_problem_and_every_event_that_is_told_has_a_row():
    assert set(KINDS) <= {row.split("`")[1] for row in rows("errors") if "`" in row}
    told = {row.split("`")[1] for row in rows("events") if row.endswith(("| yes |", " only |"))}
    assert told == set(EVENT_TYPES)


def test_a_role_has_a_yes_for_each_of_its_permissions():
    head, *found = (row.strip("| ").split(" | ") for row in rows("permissions"))
    for column, role in enumerate(head[1:], start=1):
        said = [row for row in found if len(row) > column and row[column].strip() == "yes"]
        assert len(said) == len(PERMISSIONS[role])
