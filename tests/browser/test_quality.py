"""A lead writes a golden item, a moderator answers it blind, the lead reads what it comes to."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_forum import Photograph

Person = Callable[..., Page]
Accessible = Callable[[Page], None]
_OVERFLOW = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""
NARROW = {"viewport": {"width": 390, "height": 844}}


def test_a_golden_item_is_written_answered_and_counted(
    person: Person, photograph: Photograph, accessible: Accessible
) -> None:
    lead = person("lena")
    lead.goto("/admin/")
    lead.get_by_role("link", name="Golden items").click()
    lead.goto("/admin/moderation/goldenitem/add/")
    lead.get_by_label("Community").select_option(label="Elm Street")
    lead.get_by_label("Title").fill("About the forecast")
    lead.get_by_label("Body").fill("Whoever wrote this forecast should be ashamed.")
    lead.get_by_label("Right answer").select_option("allow")
    lead.get_by_label("Explanation").fill("It is rude about a text, not against a person.")
    accessible(lead)
    lead.get_by_role("button", name="Save", exact=True).click()
    expect(lead.get_by_text("About the forecast").first).to_be_visible()
    accessible(lead)
    photograph(lead, "quality-golden-items")

    page = person("ada")
    page.goto("/admin/")
    page.get_by_role("link", name="Second looks").click()
    leave_until(page, "Whoever wrote this forecast")
    accessible(page)
    photograph(page, "quality-check")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="The leads see it differently")).to_be_visible()
    expect(page.get_by_text("not against a person")).to_be_visible()
    accessible(page)
    photograph(page, "quality-answered")
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("/admin/quality/checks/$"))
    accessible(page)

    lead.goto("/admin/quality/figures/")
    expect(lead.get_by_role("heading", name="Golden items by moderator")).to_be_visible()
    expect(lead.get_by_text("Only 1: too few to rely on.").first).to_be_visible()
    expect(lead.get_by_role("row").filter(has_text="ada").first).to_contain_text("0 of 1")
    accessible(lead)
    photograph(lead, "quality-figures")
    with lead.expect_download() as download:
        lead.get_by_role("link", name="CSV of Golden items by moderator").click()
    assert '"ada","0","1"' in download.value.path().read_text()
    lead.get_by_role("link", name="Where two moderators disagreed").click()
    expect(lead.get_by_text("No two moderators disagreed")).to_be_visible()
    accessible(lead)


def test_a_check_is_answered_without_scripts_on_a_telephone(
    person: Person, photograph: Photograph
) -> None:
    lead = person("lena", **NARROW)
    lead.goto("/admin/quality/figures/")
    expect(lead.get_by_role("heading", name="Agreement of two moderators")).to_be_visible()
    assert lead.evaluate(_OVERFLOW) <= 0
    photograph(lead, "quality-figures-narrow")
    lead.goto("/admin/moderation/goldenitem/add/")
    lead.get_by_label("Community").select_option(label="Elm Street")
    lead.get_by_label("Body").fill("Cheap watches, follow the link in my profile.")
    lead.get_by_label("Right answer").select_option("block")
    lead.get_by_label("Explanation").fill("It advertises.")
    lead.get_by_role("button", name="Save", exact=True).click()

    page = person("ben", java_script_enabled=False, **NARROW)
    page.goto("/admin/quality/checks/")
    leave_until(page, "Cheap watches")
    photograph(page, "quality-check-narrow")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", name="As the leads see it")).to_be_visible()


def leave_until(page: Page, text: str) -> None:
    """Leave to others what other tests have brought about, until the question with a text comes."""
    # A page that is still on its way shows neither, and the click would fall on the next one.
    page.wait_for_url("**/admin/quality/checks/", wait_until="load")
    leave = page.get_by_role("button", name="Leave it to others")
    while not page.get_by_text(text).is_visible():
        assert leave.is_visible(), page.get_by_role("main").inner_text()
        with page.expect_navigation():
            leave.click()
