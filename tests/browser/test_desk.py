"""The desk in a browser: by keyboard, two at one item, undo, without scripts, hostile text."""

from __future__ import annotations

import itertools
import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.admin.payloads import PAYLOADS
from tests.browser.test_forum import compose
from tests.unit.stream_files import film

Person = Callable[..., Page]
Photograph = Callable[[Page, str], None]
Accessible = Callable[[Page], None]
Say = Callable[..., str]

pytestmark = pytest.mark.timeout(400)

QUEUE = "/admin/moderation/review/"
PREFERENCES = "/admin/moderation/review/preferences/"
# The policy asks a person about it.
RUDE = "Nobody likes you, losers. Turn it down after eleven, {}."
SOON_MS = 10_000
ITEMS = 20
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_numbers = itertools.count()


@pytest.fixture
def say(base_url: str) -> Say:
    """Post as somebody new through the API; return the post's id."""

    def send(text: str, **fields: str) -> str:
        body = {"text": text, "userId": f"desk-{next(_numbers)}", **fields}
        request = urllib.request.Request(  # our own product on this machine
            f"{base_url}/api/v1/content/submit",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return str(found["contentId"])

    return send


def open_desk(page: Page, post_id: str) -> str:
    """Open the item of a post by its id; return the item's address."""
    link = page.locator("a.gh-excerpt").first
    for _ in range(40):
        page.goto(f"{QUEUE}?q={post_id}")
        if link.count():
            break
        page.wait_for_timeout(250)
    link.click()
    page.wait_for_url("**/change/**")
    return page.url.partition("?")[0]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_twenty_items_are_worked_through_by_keyboard_alone(
    person: Person, say: Say, photograph: Photograph
) -> None:
    for number in range(ITEMS + 2):
        last = say(RUDE.format(f"by keyboard {number}"))
    page = person("ben", viewport={"width": 1440, "height": 900})
    open_desk(page, last)
    # From here on without a filter, and without a mouse.
    page.goto(page.url.partition("?")[0])
    photograph(page, "desk-item")
    seen = []
    for number in range(ITEMS):
        here = page.url
        seen.append(here)
        key, done = ("r", "Rejected.") if number % 2 else ("a", "Approved.")
        press(page, key)
        expect(page.locator("[data-armed-text]")).to_contain_text("then")
        press(page, "1")
        expect(page.locator("input[name=picked]:checked")).to_be_focused()
        if number == 1:
            expect(page.locator("[data-preview]")).to_contain_text("The author reads")
            photograph(page, "desk-armed")
        press(page, key)
        page.wait_for_url(lambda url, here=here: url != here)
        expect(page.locator("[data-undo]")).to_contain_text(done)
    photograph(page, "desk-after-twenty")
    assert len(set(seen)) == ITEMS


def test_a_decision_is_undone_by_one_key(person: Person, say: Say, photograph: Photograph) -> None:
    say(RUDE.format("the one after"))
    page = person("ben")
    address = open_desk(page, say(RUDE.format("undone")))
    press(page, "r", "1", "r")
    expect(page.locator("[data-undo]")).to_contain_text("Rejected.", timeout=SOON_MS)
    photograph(page, "desk-undo-bar")
    press(page, "u")
    page.wait_for_url(re.compile(re.escape(address)))
    expect(page.get_by_text("Undone: nobody was told.")).to_be_visible()
    expect(page.get_by_role("heading", name="Decide")).to_be_visible()
    expect(page.locator("[data-undo]").filter(has_text="eleven, undone")).to_have_count(0)
    expect(page.get_by_text("(no longer stands)")).to_be_visible()
    photograph(page, "desk-undone")


def test_an_undo_bar_ends_by_itself_and_shows_the_way_to_a_reversal(
    person: Person, say: Say
) -> None:
    say(RUDE.format("the one after that"))
    page = person("ben")
    open_desk(page, say(RUDE.format("left as it is")))
    press(page, "r", "1", "r")
    bar = page.locator("[data-undo]")
    expect(bar.get_by_role("button", name="Undo")).to_be_visible(timeout=SOON_MS)
    expect(bar.get_by_role("button", name="Undo")).to_have_count(0, timeout=12_000)
    expect(bar).to_contain_text("It can still be reversed on its page.")


def test_two_see_each_other_and_the_late_one_decides_nothing(
    person: Person, say: Say, photograph: Photograph
) -> None:
    post_id = say(RUDE.format("before two"))
    ada, ben = person("ada"), person("ben")
    address = open_desk(ada, post_id)
    ben.goto(address)
    expect(ben.get_by_text("ada holds this item. You can read along.")).to_be_visible()
    expect(ben.locator("button[name=action]")).to_have_count(0)
    expect(ada.locator("[data-looking]")).to_have_text("ben is looking at this", timeout=SOON_MS)
    expect(ben.locator("[data-looking]")).to_have_text("ada is looking at this", timeout=SOON_MS)
    photograph(ada, "desk-presence")
    # Ada gives it back in another window, and still has it before her in this one.
    other = ada.context.new_page()
    other.goto(address)
    other.get_by_role("button", name="Give it back").click()
    other.wait_for_url(f"**{QUEUE}**")
    ben.goto(address)
    press(ben, "a", "1", "a")
    ben.wait_for_url(lambda url: url != address)
    expect(ada.locator("[data-changed]")).to_contain_text("decided it", timeout=SOON_MS)
    photograph(ada, "desk-decided-by-another")
    press(ada, "r", "1", "r")
    expect(ada.get_by_text("Nothing was decided.")).to_be_visible(timeout=SOON_MS)
    expect(ada.get_by_text("ben has decided: allow.")).to_be_visible()
    photograph(ada, "desk-conflict")


def test_an_edit_meanwhile_is_told_and_shown_word_by_word(
    person: Person, photograph: Photograph
) -> None:
    cy, ben = person("cy"), person("ben")
    compose(cy, title="Late evening", body=RUDE.format("Mr Edited"))
    cy.get_by_role("button", name="Post topic").click()
    cy.wait_for_url("**/t/*/")
    post_id = cy.url.rstrip("/").rpartition("/")[2]
    open_desk(ben, post_id)
    cy.goto(f"/p/{post_id}/edit/")
    cy.get_by_label("Text").fill("I like you all. Turn it down after eleven, Mr Edited.")
    cy.get_by_role("button", name="Send the new version").click()
    expect(ben.locator("[data-changed]")).to_contain_text("has just edited it", timeout=SOON_MS)
    ben.get_by_role("link", name="Show it anew").click()
    expect(ben.locator("del.gh-cut-out").first).to_contain_text("Nobody")
    expect(ben.locator("ins.gh-put-in").first).to_be_visible()
    photograph(ben, "desk-edited")


def test_a_video_is_shown_by_its_frames_and_jumps_to_them(
    person: Person, photograph: Photograph
) -> None:
    cy, ben = person("cy"), person("ben")
    compose(cy, title="Moves", body=RUDE.format("Mr Film"), board="town-square")
    cy.get_by_text("Add pictures").click()
    sent = film(form="webm", codec="libvpx", sound="libopus", seconds=6)
    cy.get_by_label("File 1").set_input_files(
        [{"name": "a.webm", "mimeType": "video/webm", "buffer": sent}]
    )
    cy.get_by_role("button", name="Post topic").click()
    cy.wait_for_url("**/t/*/")
    open_desk(ben, cy.url.rstrip("/").rpartition("/")[2])
    player = ben.locator("video.gh-veiled")
    assert player.evaluate("(it) => getComputedStyle(it).filter").startswith("blur(24px)")
    press(ben, "b", "g")
    expect(ben.get_by_label("Blur")).not_to_be_checked()
    jump = ben.locator("[data-seek]").nth(3)
    at = float(jump.get_attribute("data-seek") or 0)
    jump.click()
    ben.wait_for_function(
        "(at) => Math.abs(document.querySelector('video').currentTime - at) < 3", arg=at
    )
    assert player.evaluate("(it) => it.muted")
    assert ben.evaluate(_OVERFLOW) <= 0
    photograph(ben, "desk-video")
    # The post's own page shows it under the same veils.
    ben.get_by_role("link", name="topic", exact=True).click()
    ben.wait_for_url("**/post/**")
    assert player.evaluate("(it) => getComputedStyle(it).filter").startswith("blur(24px)")
    ben.locator("label", has_text="Blur").click()
    expect(player).to_have_css("filter", re.compile(r"^blur\(0(px)?\)"))


def test_keys_are_shown_moved_and_switched_off(
    person: Person, say: Say, accessible: Accessible, photograph: Photograph
) -> None:
    page = person("lena")
    address = open_desk(page, say(RUDE.format("with other keys")))
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys of this desk")
    expect(dialog).to_contain_text("Put before a lead")
    accessible(page)
    photograph(page, "desk-keys")
    press(page, "Escape")
    expect(dialog).to_be_hidden()
    page.goto(PREFERENCES)
    accessible(page)
    page.get_by_label("Reject").fill("x")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your desk is set up.")).to_be_visible()
    photograph(page, "desk-preferences")
    page.goto(address)
    press(page, "r")
    expect(page.locator("[data-decision][data-armed]")).to_have_count(0)
    press(page, "x")
    expect(page.locator("[data-decision][data-armed=block]")).to_have_count(1)
    page.goto(PREFERENCES)
    page.get_by_label("Use single keys on the desk").uncheck()
    page.get_by_role("button", name="Save").click()
    page.goto(address)
    press(page, "x", "a", "1", "s")
    expect(page.locator("[data-armed]")).to_have_count(0)
    expect(page.locator("kbd.gh-kbd")).to_have_count(0)
    assert page.url == address
    page.goto(PREFERENCES)
    page.get_by_label("Use single keys on the desk").check()
    page.get_by_label("Reject").fill("r")
    page.get_by_role("button", name="Save").click()


def test_what_is_typed_is_text_and_no_key(person: Person, say: Say) -> None:
    page = person("ada")
    address = open_desk(page, say(RUDE.format("typed")))
    page.get_by_label("In your own words").click()
    page.keyboard.type("a rude skip? no 1 way")
    expect(page.get_by_label("In your own words")).to_have_value("a rude skip? no 1 way")
    assert page.url.partition("?")[0] == address


def test_focus_is_never_hidden_behind_something(person: Person, say: Say) -> None:
    page = person("ada", viewport={"width": 1280, "height": 720})
    open_desk(page, say(RUDE.format("with focus")))
    page.locator("[data-decision] input[name=picked]").first.focus()
    hidden = """() => {
      const it = document.activeElement, box = it.getBoundingClientRect();
      const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      return !(top && (it.contains(top) || top.contains(it))) && it.outerHTML.slice(0, 200);
    }"""
    for _ in range(14):
        assert page.evaluate(hidden) is False
        page.keyboard.press("Tab")


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}],
    ids=["light", "dark", "narrow"],
)
def test_everyone_can_use_the_desk(
    options: dict[str, Any],
    person: Person,
    say: Say,
    accessible: Accessible,
    photograph: Photograph,
) -> None:
    name = options.get("color_scheme") or ("narrow" if options else "light")
    page = person("lena", **options)
    open_desk(page, say(RUDE.format(f"for everyone, {name}")))
    accessible(page)
    for tab in ("Thread", "Author", "Reports", "Similar", "Timeline", "Rule", "Scores"):
        page.get_by_role("navigation", name="Context").get_by_role("link", name=tab).click()
        expect(page.locator(f"[data-panel][aria-label={tab}]:not([aria-busy])")).to_be_visible()
        accessible(page)
    press(page, "n")
    page.keyboard.type("Look at the other two as well.")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.get_by_text("Look at the other two as well.")).to_be_visible()
    page.locator("summary", has_text="What it brings the author").click()
    press(page, "r", "1")
    expect(page.locator("[data-preview]")).to_contain_text("The author reads", timeout=SOON_MS)
    accessible(page)
    photograph(page, f"desk-{name}")
    assert page.evaluate(_OVERFLOW) <= 0
    press(page, "r")
    expect(page.locator("[data-undo]")).to_be_visible(timeout=SOON_MS)
    accessible(page)


def test_leads_pages_of_the_desk_are_for_everyone(person: Person, accessible: Accessible) -> None:
    page = person("lena")
    for address in (
        "/admin/moderation/cannedreason/",
        "/admin/moderation/cannedreason/add/",
        PREFERENCES,
    ):
        page.goto(address)
        accessible(page)


def test_the_desk_works_without_scripts(person: Person, say: Say, photograph: Photograph) -> None:
    say(RUDE.format("after the plain one"))
    page = person("ben", java_script_enabled=False)
    open_desk(page, say(RUDE.format("plain")))
    page.get_by_role("link", name="Author", exact=True).click()
    expect(page.get_by_text("Their latest posts")).to_be_visible()
    page.get_by_text("It insults or harasses someone.").click()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="The author reads")).to_be_visible()
    photograph(page, "desk-without-scripts")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("[data-undo]")).to_contain_text("Rejected.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: nobody was told.")).to_be_visible()
    page.get_by_role("button", name="Give it back").click()
    page.wait_for_url(f"**{QUEUE}**")


def test_no_payload_opens_a_dialog(person: Person, say: Say) -> None:
    ids = [
        say(f"{RUDE.format(number)} {payload}", userId=f"{payload[:80]}{number}")
        for number, payload in enumerate(PAYLOADS[::4])
    ]
    page = person("ada")
    dialogs: list[str] = []

    def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    for post_id in ids:
        open_desk(page, post_id)
        for tab in ("Thread", "Author", "Similar", "Timeline", "Rule"):
            page.get_by_role("navigation", name="Context").get_by_role("link", name=tab).click()
            expect(page.locator(f"[data-panel][aria-label={tab}]:not([aria-busy])")).to_be_visible()
    assert dialogs == []
