"""An author objects, a moderator who had no part in it answers, and what was taken comes back."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_forum import NOT_SEEN, THREAT, post

Person = Callable[..., Page]
Photograph = Callable[[Page, str], None]
Accessible = Callable[[Page], None]

NARROW = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}
WORDS = "It is a line from the play that we rehearse on Thursday."


def object_to_it(page: Page, words: str = WORDS) -> None:
    page.get_by_role("link", name="Object to this").first.click()
    page.get_by_label("Why do you object?").fill(words)


def open_item(page: Page, title: str) -> None:
    """Open the item on the desk in which the appeal about a post waits."""
    page.goto("/admin/moderation/appeal/")
    page.get_by_role("link", name=re.compile(title)).first.click()
    page.get_by_role("link", name="Open it on the desk").click()
    expect(page.get_by_role("heading", name="Second opinion")).to_be_visible()


def take_down(page: Page, title: str) -> str:
    """Post what is taken down at once; return the address of the author's own page of it."""
    post(page, title=title, body=f"{THREAT} ({title})")
    story = page.get_by_role("region", name="Where your post stands")
    expect(story).to_contain_text(NOT_SEEN, timeout=10_000)
    page.goto("/me/posts/")
    page.get_by_role("link", name=title).first.click()
    return page.url


def test_an_appeal_is_asked_about_overturned_and_the_post_comes_back(
    person: Person, photograph: Photograph, accessible: Accessible
) -> None:
    bo = person("bo")
    address = take_down(bo, "A line for Thursday")
    photograph(bo, "appeal-1-taken-down")
    object_to_it(bo)
    expect(bo.get_by_text(THREAT).first).to_be_visible()
    photograph(bo, "appeal-2-form")
    accessible(bo)
    bo.get_by_role("button", name="Send the appeal").click()
    expect(bo.get_by_text("Waiting for an answer")).to_be_visible()
    status = bo.url
    photograph(bo, "appeal-3-status")
    accessible(bo)

    ada = person("ada")
    open_item(ada, "A line for Thursday")
    photograph(ada, "appeal-4-desk")
    accessible(ada)
    ada.get_by_label("Ask for more before you answer").fill("Which play is it?")
    ada.get_by_role("button", name="Send", exact=True).click()
    expect(ada.get_by_text("Your message has been sent.")).to_be_visible()

    bo.goto(status)
    expect(bo.get_by_text("Which play is it?")).to_be_visible()
    expect(bo.get_by_text("ada", exact=True)).to_have_count(0)
    bo.get_by_label("Add something").fill("Macbeth, with the school.")
    bo.get_by_role("button", name="Send", exact=True).click()
    expect(bo.get_by_text("Macbeth, with the school.")).to_be_visible()
    photograph(bo, "appeal-5-conversation")

    open_item(ada, "A line for Thursday")
    expect(ada.get_by_text("Macbeth, with the school.")).to_be_visible()
    ada.get_by_label(re.compile("Your reasons")).fill("It is a quote, as everyone there knows.")
    ada.get_by_role("button", name="Preview").first.click()
    expect(ada.get_by_role("region", name="What they will read")).to_contain_text("It is a quote")
    photograph(ada, "appeal-6-preview")
    accessible(ada)
    ada.get_by_role("button", name="Overturn").click()
    expect(ada.get_by_text("what was decided is undone", exact=False).first).to_be_visible()

    bo.goto(status)
    expect(bo.get_by_text("It is a quote, as everyone there knows.")).to_be_visible()
    photograph(bo, "appeal-7-overturned")
    accessible(bo)
    bo.goto(address)
    story = bo.get_by_role("region", name="Where your post stands")
    expect(story).to_contain_text("Everyone can read it.")


def test_an_appeal_is_upheld_and_its_author_told_where_else_to_turn(
    person: Person, photograph: Photograph, accessible: Accessible
) -> None:
    cy = person("cy", **NARROW, **DARK, java_script_enabled=False)
    cy.goto("/b/garden/new/")
    cy.get_by_label("Title").fill("To the neighbour")
    cy.get_by_label("Text").fill(THREAT)
    cy.get_by_role("button", name="Post topic").click()
    cy.goto("/me/posts/")
    cy.get_by_role("link", name="To the neighbour").first.click()
    # Without a script the page comes anew by itself until the check is done.
    story = cy.get_by_role("region", name="Where your post stands")
    expect(story).to_contain_text(NOT_SEEN, timeout=10_000)
    object_to_it(cy, "I was angry.")
    photograph(cy, "appeal-narrow-form")
    cy.get_by_role("button", name="Send the appeal").click()
    photograph(cy, "appeal-narrow-status")

    ada = person("ada", **DARK)
    open_item(ada, "To the neighbour")
    expect(ada.get_by_text("I was angry.")).to_be_visible()
    photograph(ada, "appeal-desk-dark")
    accessible(ada)
    ada.get_by_label(re.compile("Your reasons")).fill("A threat stays one when one is angry.")
    ada.get_by_role("button", name="Uphold").click()
    expect(ada.get_by_text("what was decided stands", exact=False).first).to_be_visible()

    cy.reload()
    expect(cy.get_by_text("A threat stays one when one is angry.")).to_be_visible()
    expect(cy.get_by_text("out-of-court")).to_be_visible()
    photograph(cy, "appeal-narrow-upheld")
    cy.goto("/me/appeals/")
    expect(cy.get_by_text("The decision stands")).to_be_visible()
    photograph(cy, "appeal-narrow-list")
    ada.goto("/admin/moderation/appeal/")
    accessible(ada)
