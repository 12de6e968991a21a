"""Why a post is visible, as a lead reads it: wide, on a telephone, and without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

Person = Callable[..., Page]

_OVERFLOW = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


@pytest.mark.parametrize("width", [1280, 390])
def test_a_posts_page_leads_to_why_it_is_visible(
    person: Person,
    accessible: Callable[[Page], None],
    photograph: Callable[[Page, str], None],
    width: int,
) -> None:
    page = person("lena", viewport={"width": width, "height": 844})
    page.goto("/admin/moderation/post/?visibility__exact=public")
    page.locator("#result_list tbody tr").first.locator("a[href*='/change/']").first.click()
    page.get_by_role("link", name="Why is it still visible?").click()
    expect(page.get_by_role("heading", name="Everyone can see it.")).to_be_visible()
    expect(page.get_by_text("What would change it")).to_be_visible()
    expect(page.get_by_role("table").get_by_text("posted it")).to_be_visible()
    assert page.evaluate(_OVERFLOW) <= 0
    photograph(page, f"why-{width}")
    accessible(page)


def test_it_is_read_without_scripts_too(person: Person) -> None:
    page = person("lena", java_script_enabled=False)
    page.goto("/admin/moderation/post/?visibility__exact=public")
    page.locator("#result_list tbody tr").first.locator("a[href*='/change/']").first.click()
    page.get_by_role("link", name="Why is it still visible?").click()
    expect(page.get_by_role("heading", name="Everyone can see it.")).to_be_visible()
