"""On a telephone nothing is cut off and nothing sticks out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

Person = Callable[..., Page]

NARROW = {"viewport": {"width": 390, "height": 844}}
_OVERFLOW = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


def test_a_moderators_links_fit_beside_the_gate(person: Person) -> None:
    page = person("ada", **NARROW)
    page.goto("/")
    expect(page.get_by_role("link", name="Moderation")).to_be_visible()
    assert page.evaluate(_OVERFLOW) <= 0


def test_the_menu_keeps_its_name_where_only_its_sign_shows(person: Person) -> None:
    page = person("bo", **NARROW)
    page.goto("/")
    assert page.locator("summary.menu__button").inner_text().strip().endswith("bo")


def test_the_fields_of_a_picture_stay_within_its_frame(person: Person) -> None:
    page = person("bo", **NARROW)
    page.goto("/b/garden/new/")
    page.get_by_text("Add pictures").click()
    row = page.locator("[data-picture-row]").first
    expect(row).to_be_visible()
    assert row.evaluate("row => row.scrollWidth - row.clientWidth") <= 0


def test_a_list_of_the_back_office_cuts_no_text(person: Person) -> None:
    page = person("lena", **NARROW)
    page.goto("/admin/moderation/post/")
    expect(page.locator("#result_list tbody th").first).to_be_visible()
    cut = "cells => cells.filter((cell) => cell.scrollHeight > cell.clientHeight + 1).length"
    assert page.locator("#result_list tbody th, #result_list tbody td").evaluate_all(cut) == 0


@pytest.mark.parametrize("kind", ["auditevent", "verdictrecord"])
def test_a_record_with_long_digests_is_no_wider_than_the_window(person: Person, kind: str) -> None:
    page = person("lena", **NARROW)
    page.goto(f"/admin/moderation/{kind}/")
    page.locator("#result_list tbody tr").first.locator("a[href*='/change/']").first.click()
    expect(page.locator("fieldset.module").first).to_be_visible()
    assert page.evaluate(_OVERFLOW) <= 0


def test_a_list_is_read_without_scripts_too(person: Person) -> None:
    page = person("lena", java_script_enabled=False, **NARROW)
    page.goto("/admin/moderation/post/")
    box = page.locator("#result_list").bounding_box()
    assert box is not None
    assert box["width"] > 300
