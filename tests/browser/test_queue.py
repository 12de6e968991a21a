"""The queue in a browser: live, by keyboard, as a grid, several items as one, without scripts."""

from __future__ import annotations

import itertools
import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_forum import drawing

Person = Callable[..., Page]
Photograph = Callable[[Page, str], None]
Accessible = Callable[[Page], None]

QUEUE = "/admin/moderation/review/"
SOON_MS = 5_000
NARROW = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}
# The policy asks a person about it.
RUDE = "Nobody likes you, losers. Turn it down after eleven, {}."
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_numbers = itertools.count()


@pytest.fixture
def say(base_url: str) -> Callable[..., str]:
    """Post as somebody new through the API; return the id of what then waits for a person."""

    def send(text: str) -> str:
        body = {"text": text, "userId": f"neighbour-{next(_numbers)}"}
        sent = _ask(f"{base_url}/api/v1/content/submit", body)
        return str(sent["contentId"])

    return send


def _ask(address: str, body: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(  # our own product on this machine
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def row_of(page: Page, text: str) -> Any:
    return page.locator("[data-item]").filter(has_text=text)


def open_queue(page: Page, *texts: str, address: str = QUEUE) -> None:
    """Open the queue; wait until these are in it."""
    page.goto(address)
    for text in texts:
        expect(row_of(page, text)).to_have_count(1, timeout=10_000)


def test_items_come_change_hands_and_go_before_a_moderators_eyes(
    person: Person, say: Callable[..., str], photograph: Photograph
) -> None:
    ada, lena = person("ada"), person("lena")
    ada.goto(QUEUE)
    expect(ada.locator("[data-queue-live]")).to_be_visible(timeout=SOON_MS)
    ada.evaluate("window.stillTheSamePage = true")
    ada.get_by_label("Find").focus()
    say(RUDE.format("please come and go"))
    row = row_of(ada, "please come and go")
    expect(row).to_be_visible(timeout=SOON_MS)
    expect(ada.locator("[data-queue-said]")).to_contain_text("came", timeout=10_000)
    expect(ada.get_by_label("Find")).to_be_focused()
    open_queue(lena, "please come and go")
    row_of(lena, "please come and go").locator("a.gh-excerpt").click()
    lena.wait_for_url("**/change/**")
    expect(row).to_contain_text("lena", timeout=SOON_MS)
    photograph(ada, "queue-held-by-lena")
    row.locator("a.gh-excerpt").focus()
    decide(lena)
    expect(row).to_have_class(re.compile("gh-gone"), timeout=SOON_MS)
    expect(row.locator("a.gh-excerpt")).to_be_focused()
    ada.get_by_label("Find").focus()
    expect(row).to_have_count(0, timeout=SOON_MS)
    assert ada.evaluate("window.stillTheSamePage")


def decide(page: Page) -> None:
    """Approve what is open on the desk, by the page of what is like it."""
    page.goto(page.url.partition("change/")[0] + "alike/")
    page.get_by_label("In your own words").fill("It keeps to the rules.")
    page.get_by_role("button", name="Approve all ticked").click()
    expect(page.get_by_role("heading", name=re.compile("1 decided as one"))).to_be_visible()


def test_a_cluster_is_decided_once_and_taken_back_as_one(
    person: Person, say: Callable[..., str], photograph: Photograph, accessible: Accessible
) -> None:
    names = ["Anna", "Bert", "Carl", "Dora"]
    text = "Nobody likes you, losers. Turn the drums in the cellar down after ten at night, {}."
    for name in names:
        say(text.format(name))
    ada, lena = person("ada"), person("lena")
    open_queue(ada, *(f"at night, {name}." for name in names))
    row_of(ada, "at night, Anna.").get_by_role("link", name="others like it").click()
    expect(ada.get_by_role("heading", name="4 items ticked")).to_be_visible()
    accessible(ada)
    photograph(ada, "alike")
    ada.get_by_role("checkbox", name="at night, Dora").uncheck()
    ada.get_by_label("In your own words").fill("It is rude.")
    ada.get_by_role("button", name="Reject all ticked").click()
    expect(ada.get_by_role("heading", name=re.compile("3 decided as one"))).to_be_visible()
    accessible(ada)
    open_queue(ada, "at night, Dora.")
    for name in names[:3]:
        expect(row_of(ada, f"at night, {name}.")).to_have_count(0)
    lena.goto("/admin/moderation/decisionbatch/")
    lena.locator("#result_list tbody tr").first.get_by_role("link").first.click()
    lena.get_by_label("Why it is reversed").fill("It was not that rude.")
    photograph(lena, "batch")
    lena.get_by_role("button", name="Reverse 3 decisions").click()
    expect(lena.get_by_text("Nothing of it stands any more.")).to_be_visible()
    expect(lena.get_by_text("3 reversed.")).to_be_visible()


def test_picked_items_are_shown_with_their_consequences_and_decided_by_keyboard(
    person: Person, say: Callable[..., str], accessible: Accessible
) -> None:
    for text in ("one of the two", "the other of the two"):
        say(RUDE.format(text))
    ada = person("ada")
    open_queue(ada, "one of the two", "the other of the two")
    for text in ("one of the two", "the other of the two"):
        row_of(ada, text).get_by_role("checkbox").focus()
        ada.keyboard.press("Space")
    expect(ada.locator("[data-picked]")).to_have_text("2 picked")
    ada.get_by_role("button", name="Decide the picked ones together").focus()
    ada.keyboard.press("Enter")
    expect(ada.get_by_text("2 authors get a strike")).to_be_visible()
    accessible(ada)
    ada.get_by_label("In your own words").fill("It keeps to the rules.")
    ada.get_by_role("button", name="Approve all ticked").focus()
    ada.keyboard.press("Enter")
    expect(ada.get_by_role("heading", name=re.compile("2 decided as one"))).to_be_visible()


def test_pictures_show_under_a_veil_that_a_key_lifts(
    person: Person, photograph: Photograph, accessible: Accessible
) -> None:
    cy, ada = person("cy"), person("ada")
    cy.goto("/b/town-square/new/")
    cy.get_by_label("Title").fill("Drums")
    cy.get_by_label("Text").fill(RUDE.format("and look at this"))
    cy.get_by_text("Add pictures").click()
    cy.get_by_label("File 1").set_input_files(
        {"name": "lines.png", "mimeType": "image/png", "buffer": drawing()}
    )
    cy.get_by_role("button", name="Post topic").click()
    cy.wait_for_url("**/t/*/")
    grid = f"{QUEUE}grid/?attachments=with"
    ada.goto(grid)
    cell = row_of(ada, "and look at this")
    expect(cell).to_be_visible(timeout=15_000)
    picture = cell.locator("img")
    expect(picture).to_have_css("filter", re.compile("blur"))
    cell.locator("input.gh-unveil").focus()
    ada.keyboard.press("Space")
    expect(picture).to_have_css("filter", "none")
    accessible(ada)
    photograph(ada, "grid")
    ada.get_by_role("link", name="Show all pictures").click()
    expect(ada.get_by_role("link", name="Blur all")).to_be_visible()
    expect(row_of(ada, "and look at this").locator("img")).to_have_css("filter", "none")


def test_views_are_kept_and_filters_stay(person: Person) -> None:
    page = person("ada")
    page.goto(QUEUE)
    page.locator("select[name=category]").select_option("harassment")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("Save this view, or change one").click()
    page.get_by_label("Name of this view").fill("Insults")
    page.get_by_role("button", name="Save", exact=True).click()
    view = page.get_by_role("navigation", name="Saved views").get_by_role("link", name="Insults")
    expect(view).to_have_attribute("aria-current", "page")
    page.get_by_role("navigation", name="Lanes").get_by_role("link", name="New").click()
    expect(page.locator("select[name=category]")).to_have_value("harassment")
    view.click()
    page.get_by_text("Save this view, or change one").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("navigation", name="Saved views")).to_have_count(0)


def test_the_queue_is_worked_without_scripts(person: Person, say: Callable[..., str]) -> None:
    say(RUDE.format("no scripts here"))
    open_queue(person("ada"), "no scripts here")
    page = person("ada", java_script_enabled=False)
    page.goto(QUEUE)
    page.locator("select[name=category]").select_option("harassment")
    page.get_by_role("button", name="Apply").click()
    row_of(page, "no scripts here").get_by_role("checkbox").check()
    page.get_by_role("button", name="Decide the picked ones together").click()
    page.get_by_label("In your own words").fill("It keeps to the rules.")
    page.get_by_role("button", name="Approve all ticked").click()
    expect(page.get_by_role("heading", name=re.compile("1 decided as one"))).to_be_visible()


@pytest.mark.parametrize("options", [{}, DARK, NARROW], ids=["wide", "dark", "narrow"])
def test_the_queue_meets_wcag_and_fits_its_window(
    options: dict[str, Any],
    person: Person,
    say: Callable[..., str],
    accessible: Accessible,
    photograph: Photograph,
    request: pytest.FixtureRequest,
) -> None:
    text = f"for the {request.node.callspec.id} window"
    say(RUDE.format(text))
    page = person("ada", **options)
    open_queue(page, text)
    page.get_by_text("More filters").click()
    for address in (QUEUE, f"{QUEUE}grid/"):
        open_queue(page, text, address=address)
        accessible(page)
        assert page.evaluate(_OVERFLOW) <= 0
        photograph(page, f"queue-{request.node.callspec.id}-{address.count('grid')}")
