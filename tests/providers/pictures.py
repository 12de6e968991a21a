"""Pictures that say by their bytes what the sandbox finds in them, and texts drawn as pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from moderation.providers.base import ImagePart
from moderation.vocabulary import Part


def write_picture(
    folder: Path, marks: str = "", *, size: tuple[int, int] = (64, 64), encoding: str = "PNG"
) -> Path:
    """Write a small picture with marks after its end, where no decoder looks."""
    out = io.BytesIO()
    Image.new("RGB", size, "steelblue").save(out, encoding)
    path = folder / f"{len(list(folder.iterdir()))}.{encoding.lower()}"
    path.write_bytes(out.getvalue() + marks.encode())
    return path


def still(folder: Path, marks: str = "", *, size: tuple[int, int] = (64, 64)) -> ImagePart:
    return ImagePart("media:1", write_picture(folder, marks, size=size))


def moving(folder: Path, frames: Sequence[str]) -> ImagePart:
    """Return an animation whose sampled frames have these marks."""
    paths = tuple(write_picture(folder, marks, encoding="JPEG") for marks in frames)
    return ImagePart("media:1", write_picture(folder), kind=Part.GIF, frame_paths=paths)


def drawn(folder: Path, text: str, *, encoding: str = "PNG", height: int = 32) -> Path:
    """Write a picture of a text, black on white."""
    font = ImageFont.load_default(size=height)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox(
        (0, 0), text, font=font
    )
    image = Image.new("RGB", (int(right - left) + 80, int(bottom - top) + 80), "white")
    ImageDraw.Draw(image).multiline_text((40, 40), text, fill="black", font=font)
    path = folder / f"{len(list(folder.iterdir()))}.{encoding.lower()}"
    image.save(path, encoding)
    return path
