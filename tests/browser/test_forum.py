"""The forum in a browser: what people see happen, and how soon."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

Person = Callable[..., Page]
Photograph = Callable[[Page, str], None]

SOON_MS = 2_000
NARROW = {"viewport": {"width": 390, "height": 844}}
THREAT = "I will kill you, you worthless idiot"
# The latter where a new or watched author's post waited for its verdict.
NOT_SEEN = re.compile("Taken down|Not published")
HARMLESS = "The tomatoes are finally ripe"


def compose(page: Page, *, title: str, body: str, board: str = "garden") -> None:
    page.goto(f"/b/{board}/new/")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Text").fill(body)


def post(page: Page, *, title: str, body: str, board: str = "garden") -> None:
    compose(page, title=title, body=body, board=board)
    page.get_by_role("button", name="Post topic").click()
    page.wait_for_url("**/t/*/")


def wait_until_live(page: Page) -> None:
    """An author whose other post was rejected just before is read by others only when approved."""
    expect(page.locator("[data-post][data-status=approved]").first).to_be_visible()


def drawing() -> bytes:
    image = Image.new("RGB", (320, 240), "#dcebf3")
    pen = ImageDraw.Draw(image)
    for step in range(0, 320, 20):
        pen.line((step, 0, 320 - step, 240), fill="#1d5270", width=4)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_threat_is_taken_down_before_its_authors_eyes(
    person: Person, photograph: Photograph
) -> None:
    page = person("bo")
    post(page, title="To my neighbour", body=THREAT)
    began = time.monotonic()
    story = page.get_by_role("region", name="Where your post stands")
    expect(story).to_contain_text(NOT_SEEN, timeout=SOON_MS)
    took = time.monotonic() - began
    expect(story).to_contain_text("What led there")
    expect(story).to_contain_text("Decided by: the automatic check")
    expect(page.get_by_role("button", name="Post reply")).to_be_hidden()
    photograph(page, "threat-taken-down")
    assert took < SOON_MS / 1000


def test_a_harmless_post_goes_live_without_reloading(
    person: Person, photograph: Photograph
) -> None:
    page = person("cy")
    post(page, title="Ripe at last", body=HARMLESS)
    page.evaluate("window.stillTheSamePage = true")
    card = page.get_by_role("article", name="Topic by cy")
    expect(card.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)
    assert page.evaluate("window.stillTheSamePage")
    photograph(page, "harmless-live")


def test_a_reader_sees_replies_come_and_go(person: Person) -> None:
    author, reader = person("cy"), person()
    post(author, title="Who has a ladder?", body="A long one, for the gutter.")
    wait_until_live(author)
    reader.goto(author.url)
    expect(reader.get_by_text("A long one, for the gutter.")).to_be_visible()
    # The reader's socket is open when the page has had its snapshot.
    reader.wait_for_timeout(500)
    author.get_by_label("Your reply").fill("Never mind, Edda has one.")
    author.get_by_role("button", name="Post reply").click()
    expect(reader.get_by_text("Never mind, Edda has one.")).to_be_visible(timeout=SOON_MS)
    author.get_by_role("link", name="Delete").last.click()
    author.get_by_role("button", name="Delete it").click()
    expect(reader.get_by_text("Never mind, Edda has one.")).to_be_hidden(timeout=SOON_MS)
    expect(
        reader.get_by_role("main").get_by_text("This post is no longer available.")
    ).to_be_visible()


def test_a_topic_that_is_taken_down_leaves_its_readers_pages(person: Person) -> None:
    author, reader = person("cy"), person()
    post(author, title="About the gate", body="Please keep it shut.")
    wait_until_live(author)
    reader.goto(author.url)
    expect(reader.get_by_text("Please keep it shut.")).to_be_visible()
    reader.wait_for_timeout(500)
    author.get_by_role("link", name="Edit").click()
    author.get_by_label("Text").fill(THREAT)
    author.get_by_role("button", name="Send the new version").click()
    expect(
        reader.get_by_role("main").get_by_text("This topic is no longer available.")
    ).to_be_visible(timeout=SOON_MS)
    expect(reader.get_by_text(THREAT)).to_be_hidden()


def test_a_picture_appears_when_it_has_been_prepared(
    person: Person, photograph: Photograph
) -> None:
    page = person("bo")
    compose(page, title="A drawing", body="Lines, lots of them.", board="town-square")
    page.get_by_text("Add pictures").click()
    page.get_by_label("File 1").set_input_files(
        {"name": "lines.png", "mimeType": "image/png", "buffer": drawing()}
    )
    expect(page.locator(".picture-row__preview").first).to_be_visible()
    expect(page.get_by_label("File 2")).to_be_visible()
    page.get_by_label("Description for those who cannot see it").first.fill("Crossing lines")
    photograph(page, "compose-with-picture")
    page.get_by_role("button", name="Post topic").click()
    picture = page.get_by_role("img", name="Crossing lines")
    expect(picture).to_be_visible(timeout=10_000)
    page.wait_for_function("document.querySelector('.picture img').naturalWidth === 320")
    photograph(page, "picture-posted")


def test_composing_warns_gently_and_lets_one_post(person: Person, photograph: Photograph) -> None:
    page = person("bo")
    compose(page, title="The band", body="Could somebody tell them to shut up?")
    advice = page.locator("#advice")
    expect(advice).to_contain_text("“shut up” may hurt or put off others here.")
    photograph(page, "compose-warning")
    page.get_by_label("Text").fill("Could somebody talk to them?")
    expect(advice).to_be_hidden()
    page.get_by_role("button", name="Post topic").click()
    page.wait_for_url("**/t/*/")


def test_a_word_that_is_not_allowed_is_refused_with_the_text_kept(person: Person) -> None:
    page = person("bo")
    compose(page, title="Lose weight", body="Try this miracle diet!")
    expect(page.locator("#advice")).to_contain_text("the post would be refused")
    page.get_by_role("button", name="Post topic").click()
    expect(page.get_by_role("alert")).to_contain_text("This community does not allow")
    expect(page.get_by_label("Text")).to_have_value("Try this miracle diet!")


def test_everything_works_without_javascript(person: Person, photograph: Photograph) -> None:
    page = person("cy", java_script_enabled=False, **NARROW)
    post(page, title="From an old telephone", body=THREAT)
    page.goto("/me/posts/")
    page.get_by_role("link", name="Open").first.click()
    # The page turns itself while the check runs.
    expect(page.get_by_text(NOT_SEEN)).to_be_visible(timeout=10_000)
    page.get_by_role("link", name="Change and send again").click()
    page.get_by_label("Text").fill("Greetings from an old telephone.")
    page.get_by_role("button", name="Send the new version").click()
    expect(page.get_by_text("Everyone can read it.")).to_be_visible(timeout=10_000)
    photograph(page, "without-javascript")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("Your post is deleted.")).to_be_visible()


def test_my_posts_keeps_itself_up_to_date(person: Person, photograph: Photograph) -> None:
    writing, watching = person("bo"), person("bo")
    post(writing, title="Watched from elsewhere", body="First.")
    watching.goto("/me/posts/")
    card = watching.get_by_role("article").filter(has_text="Watched from elsewhere")
    expect(card).to_contain_text("Everyone can read it.", timeout=SOON_MS)
    writing.get_by_role("link", name="Edit").click()
    writing.get_by_label("Text").fill(THREAT)
    writing.get_by_role("button", name="Send the new version").click()
    expect(card).to_contain_text("Only you can see it.", timeout=SOON_MS)
    photograph(watching, "my-posts")


PAGES = [
    ("home", "/"),
    ("board", "/b/garden/"),
    ("compose", "/b/garden/new/"),
    ("my-posts", "/me/posts/"),
    ("not-here", "/nowhere/"),
    ("login", "/accounts/login/"),
    ("signup", "/accounts/signup/"),
    ("password", "/accounts/password/change/"),
    ("e-mail", "/accounts/email/"),
    ("two-step", "/accounts/2fa/"),
]
PLAIN_ALSO = {"home", "board", "login", "signup", "not-here"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window_or_hard_to_hit(
    person: Person, photograph: Photograph, scheme: str, width: int
) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    member, visitor = person("cy", **options), person("", **options)
    for name, path in PAGES:
        page = visitor if name in PLAIN_ALSO else member
        page.goto(path)
        assert page.evaluate(_OVERFLOW) <= 0, f"{name} scrolls sideways"
        assert page.evaluate(_SMALL_TARGETS) == [], name
        assert page.evaluate(_LOW_CONTRAST) == [], name
        photograph(page, f"{name}-{width}-{scheme}")


_OVERFLOW = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""

# WCAG 2.2, 2.5.8: 24 px, except for links within a sentence.
_SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input, summary, textarea')]
  .filter((element) => element.checkVisibility() && element.type !== 'hidden')
  .filter((element) => !element.closest('.skip, p:not(.crumbs), time, .field__help'))
  .map((element) => [element, element.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
  .map(([element, box]) => `${element.outerHTML.slice(0, 80)} ${box.width}x${box.height}`)"""

# WCAG 2.2, 1.4.3: 4.5 to 1 for text on the nearest background that has a colour.
_LOW_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const isUnseen = !element.checkVisibility() || element.closest('.visually-hidden, script');
    if (!says || isUnseen) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
  }
  return found;
}"""
