"""A policy from its draft over the time machine, a shadow and a share until it judges, and back."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_forum import Photograph, compose

Person = Callable[..., Page]
Accessible = Callable[[Page], None]
# A worker that is busy with others' posts comes to a replay after these.
DONE_MS = 30_000
_OVERFLOW = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""
NARROW = {"viewport": {"width": 390, "height": 844}}


def test_a_draft_becomes_the_policy_and_is_rolled_back(
    person: Person, photograph: Photograph, accessible: Accessible
) -> None:
    compose_one_that_flips(person)
    page = person("lena")
    page.goto("/admin/")
    page.get_by_role("link", name="Policy studio").click()
    accessible(page)
    photograph(page, "studio-front")
    before = page.get_by_role("link", name="Policy", exact=False).filter(has_text="Policy 1")
    expect(before.first).to_be_visible()

    page.get_by_role("button", name="New draft").click()
    page.get_by_label("Name of the draft").fill("Gentler with insults")
    page.get_by_label("Harassment or insult: Block").fill("7")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("A score lies between 0 and 1.")).to_be_visible()
    accessible(page)
    photograph(page, "studio-edit-wrong")
    page.get_by_label("Harassment or insult: Block").fill("never")
    page.get_by_label("Harassment or insult: Send to a person").fill("0.6")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("What is in force is as it was")).to_be_visible()
    said = "A post that scores 0.6 or more for harassment or insult is put"
    expect(page.get_by_text(said).first).to_be_visible()
    accessible(page)
    photograph(page, "studio-draft")
    draft = page.url

    page.get_by_role("button", name="Start the time machine").click()
    expect(page.get_by_text("Done")).to_be_visible(timeout=DONE_MS)
    page.reload()
    expect(page.get_by_role("link", name="Block → Send to a person")).to_be_visible()
    expect(page.get_by_text("scored").first).to_be_visible()
    accessible(page)
    photograph(page, "studio-time-machine")

    page.goto(draft)
    page.get_by_role("link", name="Find thresholds").click()
    expect(page.get_by_role("heading", name="Which score is sure enough")).to_be_visible()
    accessible(page)

    page.goto(draft)
    page.get_by_role("button", name="Start as a shadow").click()
    expect(page.get_by_text("without effect").first).to_be_visible()
    accessible(page)
    photograph(page, "studio-shadow")
    page.get_by_label("I know that the draft then decides").check()
    page.get_by_role("button", name="Let it judge this share").click()
    expect(page.get_by_text("It judges 10")).to_be_visible()
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_text("This draft is in force")).to_be_visible()
    accessible(page)
    photograph(page, "studio-in-force")

    page.get_by_role("button", name="Roll back to policy 1").click()
    expect(page.get_by_text("Policy 1 is in force in")).to_be_visible()
    photograph(page, "studio-rolled-back")


def compose_one_that_flips(person: Person) -> None:
    page = person("bo")
    compose(page, title="To my neighbour", body="You stupid idiot, you are worthless.")
    page.get_by_role("button", name="Post topic").click()
    page.wait_for_url("**/t/**")


def test_a_draft_is_written_without_scripts_on_a_telephone(
    person: Person, photograph: Photograph
) -> None:
    page = person("lena", java_script_enabled=False, **NARROW)
    page.goto("/admin/studio/")
    page.get_by_role("button", name="New draft").click()
    page.get_by_role("button", name="Add a step for Text").click()
    expect(page.get_by_label("Step 3: ask")).to_be_visible()
    page.get_by_label("Step 2: ask").first.fill("tesseract else filters")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("then by tesseract (by filters if").first).to_be_visible()
    photograph(page, "studio-narrow")
    page.get_by_text("Throw this draft away").click()
    page.get_by_role("button", name="Throw it away").click()
    expect(page.get_by_text("was thrown away")).to_be_visible()


def test_nothing_of_the_studio_sticks_out_on_a_telephone(person: Person) -> None:
    page = person("lena", **NARROW)
    page.goto("/admin/studio/")
    page.get_by_role("button", name="New draft").click()
    expect(page.get_by_label("Name of the draft")).to_be_visible()
    assert page.evaluate(_OVERFLOW) <= 0
    page.get_by_role("link", name="The draft").click()
    expect(page.get_by_role("heading", name="What it changes")).to_be_visible()
    assert page.evaluate(_OVERFLOW) <= 0
