"""Draws the demo's pictures: busy enough to have a perceptual hash, small enough to make fast."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

SIZE = (640, 480)


def draw(name: str) -> bytes:
    """Return a picture as JPEG."""
    out = io.BytesIO()
    _DRAWN[name]().save(out, "JPEG", quality=85)
    return out.getvalue()


def _beds() -> Image.Image:
    image = Image.new("RGB", SIZE, "#7a5c3e")
    pen = ImageDraw.Draw(image)
    chance = random.Random(7)  # noqa: S311  the same beds in every demo
    colours = ("#4f8a3d", "#86b049", "#c9d36b", "#c4513a", "#5b6fb3", "#e3b23c", "#2f6b4f")
    for left in range(20, 600, 78):
        for top in range(18, 440, 76):
            pen.rectangle((left, top, left + 64, top + 62), fill=chance.choice(colours))
            for _ in range(9):
                x, y = left + chance.randint(6, 54), top + chance.randint(6, 52)
                pen.ellipse((x, y, x + 8, y + 8), fill=chance.choice(colours))
    return image


def _bug() -> Image.Image:
    image = Image.new("RGB", SIZE, "#8fbf5a")
    pen = ImageDraw.Draw(image)
    for step in range(-480, 640, 56):
        pen.line((step, 480, step + 300, 0), fill="#6ea03c", width=10)
    pen.ellipse((190, 120, 450, 380), fill="#c8402c", outline="#2a1a14", width=8)
    pen.line((320, 122, 320, 378), fill="#2a1a14", width=8)
    pen.pieslice((235, 60, 405, 220), 180, 360, fill="#2a1a14")
    for x, y in ((235, 190), (225, 270), (265, 325), (370, 190), (385, 270), (345, 325)):
        pen.ellipse((x, y, x + 40, y + 40), fill="#2a1a14")
    return image


def _poster() -> Image.Image:
    image = Image.new("RGB", SIZE, "#f0e6d2")
    pen = ImageDraw.Draw(image)
    for ray in range(0, 360, 15):
        angle = math.radians(ray)
        tip = (320 + 420 * math.cos(angle), 240 + 420 * math.sin(angle))
        side = math.radians(ray + 7)
        pen.polygon(
            [(320, 240), tip, (320 + 420 * math.cos(side), 240 + 420 * math.sin(side))],
            fill="#b03a2e" if ray % 30 else "#22303c",
        )
    pen.ellipse((210, 130, 430, 350), fill="#22303c")
    pen.rectangle((250, 300, 480, 420), fill="#e2a93b")
    pen.polygon([(320, 160), (390, 290), (250, 290)], fill="#f0e6d2")
    return image


_DRAWN: dict[str, Callable[[], Image.Image]] = {"beds": _beds, "bug": _bug, "poster": _poster}
