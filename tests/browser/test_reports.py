"""A reader reports a post, a lead decides on the desk, and the reader hears back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_forum import post

Person = Callable[..., Page]
Photograph = Callable[[Page, str], None]
Accessible = Callable[[Page], None]

NARROW_AND_DARK = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
WHY = "The second sentence calls for violence against a group of people."
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def reported(person: Person, title: str, **options: object) -> tuple[Page, Page]:
    """Let Bo post something and Cy report it; return both their pages."""
    bo = person("bo")
    post(bo, title=title, body="Come and take some.")
    expect(bo.get_by_text("Come and take some.").first).to_be_visible()
    cy = person("cy", **options)
    cy.goto("/b/garden/")
    cy.get_by_role("link", name=title).first.click()
    cy.get_by_role("link", name=re.compile("Report this topic")).first.click()
    return bo, cy


def test_a_report_goes_its_way_without_scripts_on_the_readers_side(
    person: Person, photograph: Photograph
) -> None:
    _, cy = reported(person, "Plums for the taking", java_script_enabled=False)
    cy.get_by_label("It is advertising, spam or a scam").check()
    cy.get_by_label("What should the moderator know?").fill("They sell them <b>elsewhere</b>.")
    cy.get_by_role("button", name="Report it").click()
    expect(cy.get_by_text("Your report has arrived.")).to_be_visible()
    expect(cy.get_by_text("A moderator will look at it.").first).to_be_visible()
    photograph(cy, "reports-1-mine")

    lena = person("lena")
    lena.goto("/admin/moderation/review/?lane=report")
    lena.get_by_role("link", name=re.compile("Plums for the taking")).first.click()
    lena.get_by_role("link", name="Reports", exact=True).last.click()
    expect(lena.get_by_text("They sell them <b>elsewhere</b>.")).to_be_visible()
    photograph(lena, "reports-2-desk")
    lena.get_by_role("radio", name="It keeps to the rules.", exact=True).check()
    lena.get_by_role("button", name=re.compile("^Approve")).first.click()

    cy.goto("/me/reports/")
    expect(cy.get_by_text("No reason to act").first).to_be_visible()
    expect(cy.get_by_role("link", name="Object to this answer").first).to_be_visible()
    photograph(cy, "reports-3-answered")


@pytest.mark.parametrize("window", [{}, NARROW_AND_DARK], ids=["wide", "narrow and dark"])
def test_the_pages_of_reports_are_for_everybody(
    person: Person, photograph: Photograph, accessible: Accessible, window: dict[str, object]
) -> None:
    name = "narrow" if window else "wide"
    _, cy = reported(person, f"Pears, {name}", **window)

    def hold(page: Page, what: str) -> None:
        photograph(page, f"reports-{what}-{name}")
        accessible(page)
        assert page.evaluate(_OVERFLOW) <= 0

    hold(cy, "form")
    cy.get_by_label("It threatens somebody").check()
    cy.get_by_role("button", name="Report it").click()
    hold(cy, "mine")

    stranger = person(**window)
    stranger.goto("/notice/")
    hold(stranger, "notice")
    stranger.locator("form.form").evaluate("form => { form.noValidate = true }")
    stranger.get_by_label("Why is it illegal?").fill(WHY)
    stranger.get_by_role("button", name="Send the notice").click()
    expect(stranger.get_by_text("Say where it is")).to_be_visible()
    expect(stranger.get_by_label("Why is it illegal?")).to_have_value(WHY)
    hold(stranger, "notice-refused")


def test_anybody_gives_notice_without_scripts_and_keeps_a_number(
    person: Person, photograph: Photograph
) -> None:
    bo = person("bo")
    post(bo, title="Quinces", body="Come and take some.")
    address = bo.url
    stranger = person(java_script_enabled=False)
    stranger.goto("/")
    stranger.get_by_role("link", name="give notice of illegal content").click()
    stranger.get_by_label("Where is it?").fill(address)
    stranger.get_by_label("What kind of illegal content is it?").select_option("hate")
    stranger.get_by_label("Why is it illegal?").fill(WHY)
    stranger.get_by_label("Name").fill("Nora Notifier")
    stranger.get_by_label("E-mail").fill("nora@people.example")
    stranger.get_by_label("I believe in good faith").check()
    stranger.get_by_role("button", name="Send the notice").click()
    expect(stranger.get_by_role("heading", name="Your notice has arrived")).to_be_visible()
    stranger.get_by_role("link", name=re.compile("^R-")).click()
    expect(stranger.get_by_text("A moderator will look at it.")).to_be_visible()
    expect(stranger.get_by_text("Nora")).to_have_count(0)
    photograph(stranger, "reports-notice-status")
