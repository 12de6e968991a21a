"""The reader of this machine, on texts that are drawn here. It needs the tesseract program."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from moderation.errors import ProviderRejected
from moderation.providers.base import ImagePart, TextPart
from moderation.providers.own import tesseract
from moderation.providers.own.tesseract import TesseractProvider
from moderation.vocabulary import Outcome, Part
from tests.providers.pictures import drawn, write_picture
from tests.unit.media_files import photo

installed = pytest.mark.skipif(
    shutil.which("tesseract") is None,
    reason="the program tesseract is not on the PATH, so there is nobody to read",
)


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    """Which programs there are differs from test to test."""
    tesseract._installed.cache_clear()
    yield
    tesseract._installed.cache_clear()


def picture(path: Path, *frames: Path) -> ImagePart:
    return ImagePart("media:1", path, Part.GIF if frames else Part.IMAGE, frame_paths=frames)


@installed
@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_text_is_read_and_not_judged(tmp_path: Path, encoding: str) -> None:
    path = drawn(tmp_path, "Buy cheap pills today\nat www.example.com", encoding=encoding)
    (answer,) = TesseractProvider().judge([picture(path)])
    assert (answer.outcome, answer.error, answer.scores) == (Outcome.NOT_JUDGED, "", {})
    assert answer.text == "Buy cheap pills today\nat www.example.com"
    assert answer.model_version.startswith("tesseract-")
    assert "+eng" in answer.model_version


@installed
@pytest.mark.parametrize("image", [Image.new("RGB", (300, 200), "teal"), photo(3)])
def test_a_picture_without_a_text_has_an_empty_one(tmp_path: Path, image: Image.Image) -> None:
    path = tmp_path / "picture.png"
    image.save(path)
    (answer,) = TesseractProvider().judge([picture(path)])
    assert (answer.outcome, answer.error, answer.text) == (Outcome.NOT_JUDGED, "", "")


@installed
def test_white_letters_on_a_photograph_are_read(tmp_path: Path) -> None:
    image = photo(6, (800, 600)).filter(ImageFilter.GaussianBlur(6))
    font = ImageFont.load_default(size=72)
    ImageDraw.Draw(image).text(
        (40, 30), "NOBODY LIKES YOU", "white", font, stroke_width=5, stroke_fill="black"
    )
    path = tmp_path / "meme.jpg"
    image.save(path, quality=85)
    (answer,) = TesseractProvider().judge([picture(path)])
    assert "LIKES YOU" in answer.text


@installed
def test_frames_are_read_in_order_and_repeat_nothing(tmp_path: Path) -> None:
    frames = [drawn(tmp_path, text) for text in ("First things", "First things", "Last words")]
    part = picture(write_picture(tmp_path), *frames)
    (answer,) = TesseractProvider().judge([part])
    assert answer.text == "First things\nLast words"


@installed
def test_each_part_is_answered_in_order(tmp_path: Path) -> None:
    parts = [picture(drawn(tmp_path, text)) for text in ("Second", "Hello")]
    answers = TesseractProvider().judge(parts)
    assert [answer.text for answer in answers] == ["Second", "Hello"]


@installed
def test_a_file_that_is_no_picture_was_not_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    gone = tmp_path / "gone.png"
    good = drawn(tmp_path, "Hello")
    provider = TesseractProvider()
    answers = provider.judge([picture(broken), picture(gone), picture(good)])
    assert [(answer.outcome, answer.error) for answer in answers] == [
        (Outcome.FAILED, "picture unreadable"),
        (Outcome.FAILED, "picture unreadable"),
        (Outcome.NOT_JUDGED, ""),
    ]


@installed
def test_a_frame_that_was_not_read_is_told_beside_the_others(tmp_path: Path) -> None:
    part = picture(write_picture(tmp_path), drawn(tmp_path, "Hello"), tmp_path / "gone.png")
    (answer,) = TesseractProvider().judge([part])
    assert (answer.outcome, answer.text) == (Outcome.FAILED, "Hello")


def noise(folder: Path) -> ImagePart:
    """Return a picture on which tesseract works for minutes."""
    pixels = np.random.default_rng(1).integers(0, 255, (1500, 2500), dtype=np.uint8)
    path = folder / "noise.png"
    Image.fromarray(pixels).save(path)
    return picture(path)


@installed
def test_it_is_stopped_when_its_time_is_over(tmp_path: Path) -> None:
    part = noise(tmp_path)
    began = time.monotonic()
    (answer,) = TesseractProvider(seconds=0.3).judge([part])
    assert (answer.outcome, answer.error) == (Outcome.FAILED, "timeout")
    assert time.monotonic() - began < 5
    mine = ["pgrep", "-P", str(os.getpid()), "-f", "tesseract"]
    left = subprocess.run(mine, capture_output=True, check=False)
    assert left.stdout == b""


@installed
def test_it_may_not_take_more_memory_than_it_is_given(tmp_path: Path) -> None:
    provider = TesseractProvider(memory_bytes=80 * 1024 * 1024)
    (answer,) = provider.judge([picture(drawn(tmp_path, "Hello"))])
    assert answer.outcome is Outcome.FAILED
    assert answer.text == ""


@installed
def test_a_text_is_rejected() -> None:
    with pytest.raises(ProviderRejected):
        TesseractProvider().judge([TextPart("text", "hello")])


def test_without_the_program_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    provider = TesseractProvider()
    assert not provider.is_available()
    assert provider.model_version == ""
    (answer,) = provider.judge([picture(write_picture(tmp_path))])
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "not installed")


@pytest.mark.parametrize(
    ("offered", "available"),
    [("eng\nosd", True), ("osd", False), ("nld\nfra\nequ", True)],
)
def test_it_needs_a_language_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: str, available: bool
) -> None:
    program = tmp_path / "tesseract"
    program.write_text(f"#!/bin/sh\necho 'tesseract 5.0.0'\necho '{offered}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert TesseractProvider().is_available() == available
