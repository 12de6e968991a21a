"""A video of ours is played by a browser, from any place in it, under our content policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_forum import Photograph, compose
from tests.unit.stream_files import film, tone

Person = Callable[..., Page]
READY_MS = 15_000
# Played to its middle, and from there: the answer is where it is then.
SEEK = """async (player) => {
  const happened = (name) => new Promise((done) => player.addEventListener(name, done));
  if (player.readyState < 1) await happened("loadedmetadata");
  const seeked = happened("seeked");
  player.currentTime = 4;
  await seeked;
  return [Math.round(player.duration), player.currentTime, player.videoWidth ?? 0];
}"""


@pytest.mark.parametrize(
    ("element", "file", "width"),
    [
        ("video", {"name": "a.webm", "mimeType": "video/webm"}, 160),
        ("audio", {"name": "a.mp3", "mimeType": "audio/mpeg"}, 0),
    ],
)
def test_a_player_seeks(
    person: Person, photograph: Photograph, element: str, file: dict[str, str], width: int
) -> None:
    sent = (
        film(form="webm", codec="libvpx", sound="libopus", seconds=6) if width else tone(seconds=6)
    )
    page = person("bo")
    parts: list[int] = []
    page.on("response", lambda got: parts.append(got.status) if "/media/" in got.url else None)
    compose(page, title="Something that moves", body="Play it.", board="town-square")
    page.get_by_text("Add pictures").click()
    page.get_by_label("File 1").set_input_files([{**file, "buffer": sent}])
    expect(page.locator(".picture-row__preview").first).to_be_hidden()
    page.get_by_role("button", name="Post topic").click()
    player = page.locator(f"main {element}")
    expect(player).to_be_visible(timeout=READY_MS)
    assert player.evaluate(SEEK) == [6, 4, width]
    photograph(page, f"{element}-posted")
    assert 206 in parts
