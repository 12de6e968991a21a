"""The operators' page in a browser: read, acted on, without scripts and on a telephone too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

Person = Callable[..., Page]
NARROW = {"viewport": {"width": 390, "height": 844}}
PAGE = "/admin/instance/"
_OVERFLOW = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def test_a_lane_is_paused_seen_everywhere_and_let_go_on(
    person: Person, accessible: Callable[[Page], None], photograph: Callable[[Page, str], None]
) -> None:
    page = person("olga")
    page.goto(PAGE)
    row = page.get_by_role("row").filter(has=page.get_by_text("rescan", exact=True))
    expect(row).to_contain_text("Open")
    expect(page.get_by_role("row").filter(has_text="Worker").last).to_contain_text("all lanes")
    accessible(page)
    row.get_by_role("link", name="Pause").click()
    accessible(page)
    page.get_by_label("Why").fill("The old host goes.")
    press(page, "Pause")
    expect(row).to_contain_text("Paused")
    accessible(page)
    photograph(page, "instance")
    desk = person("ada")
    desk.goto("/admin/moderation/review/")
    expect(desk.get_by_text("Paused: Old posts looked at again")).to_be_visible()
    accessible(desk)
    row.get_by_role("link", name="Go on").click()
    press(page, "Go on")
    expect(row).to_contain_text("Open")
    expect(page.get_by_text("Paused:")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False])
def test_it_is_read_on_a_telephone_with_scripts_and_without(
    person: Person, accessible: Callable[[Page], None], scripts: bool
) -> None:
    page = person("olga", java_script_enabled=scripts, **NARROW)
    page.goto(PAGE)
    expect(page.get_by_role("heading", name="Processes")).to_be_visible()
    if scripts:
        accessible(page)
        assert page.evaluate(_OVERFLOW) <= 0
    page.get_by_role("link", name="Drain").click()
    expect(page.get_by_text("It finishes what it holds")).to_be_visible()


def test_it_is_read_again_by_itself(person: Person) -> None:
    page = person("olga")
    page.goto(PAGE)
    with page.expect_response("**/admin/instance/now/") as answer:
        pass
    assert answer.value.ok
