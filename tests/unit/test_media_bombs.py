"""Hostile files: each is refused or handled, quickly, in little memory, in a child."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from moderation.media.children import Child
from moderation.media.limits import MediaLimits
from tests.unit.media_files import (
    animation,
    encoded,
    gif,
    jpeg_header,
    photo,
    png,
    png_chunk,
    webp_header,
)

LIMITS = MediaLimits()
MEMORY_LIMIT_KB = 512 * 1024


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inside.html", "<script>alert(1)</script>")
    return out.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = len(mode)
    random = np.random.default_rng(3)
    return Image.fromarray(
        random.integers(0, 256, (height, width, channels), dtype=np.uint8), mode=None
    ).convert(mode)


def text_bomb() -> bytes:
    huge = zlib.compress(bytes(100_000_000), 9)
    return png(64, 64, extra=png_chunk(b"zTXt", b"key\x00\x00" + huge))


def profile_bomb() -> bytes:
    huge = zlib.compress(bytes(100_000_000), 9)
    return png(64, 64, extra=png_chunk(b"iCCP", b"icc\x00\x00" + huge))


def many_chunks() -> bytes:
    return png(64, 64, extra=png_chunk(b"tEXt", b"a\x00b") * 200_000)


def many_comments() -> bytes:
    return gif(64, 64, 1)[:-1] + b"\x21\xfe\x01a\x00" * 500_000 + b"\x3b"


def far_frame() -> bytes:
    """Two frames, the second of which lies far outside of the announced canvas."""
    small = b"\x2c" + bytes(4) + b"\x01\x00\x01\x00\x00" + b"\x02\x02\x44\x01\x00"
    far = b"\x2c\xff\xff\xff\xff" + b"\xff\xff\xff\xff\x00" + b"\x02\x02\x44\x01\x00"
    return gif(1, 1, 1, small + far)


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


REFUSED: dict[str, Callable[[], bytes]] = {
    # pixel floods, most of them in a few kilobytes
    "png 9000 x 9000": lambda: png(9000, 9000),
    "png 13377 x 13377": lambda: png(13377, 13377),
    "png 13377 x 13377, one bit": lambda: png(13377, 13377, depth=1),
    "png 30000 x 30000, one bit": lambda: png(30000, 30000, depth=1),
    "png 6400 x 6400 of 16-bit RGBA": lambda: png(6400, 6400, depth=16, colour=6),
    "png of 2 billion pixels a row": lambda: png(2_000_000_000, 1, rows=0),
    "png of the largest size": lambda: png(0x7FFFFFFF, 0x7FFFFFFF, rows=0),
    "png 1 x 40,000,000": lambda: png(1, 40_000_000),
    "png 40,000,000 x 1": lambda: png(40_000_000, 1),
    "jpeg of the largest size": lambda: jpeg_header(65500, 65500),
    "webp of the largest size": lambda: webp_header(16383, 16383),
    "webp 5000 x 5000": lambda: webp_header(5000, 5000),
    "gif of the largest size": lambda: gif(65535, 65535, 1),
    "gif 10000 x 10000, 2 frames": lambda: gif(10000, 10000, 2),
    # frames
    "gif 4000 x 4000, 200 frames": lambda: gif(4000, 4000, 200),
    "gif 4000 x 4000, 2000 frames": lambda: gif(4000, 4000, 2000),
    "gif 1 x 1, 300,000 frames": lambda: gif(1, 1, 300_000),
    "gif 1280 x 720, 300 frames": lambda: gif(1280, 720, 300),
    "gif with a frame far outside": far_frame,
    "gif without a frame": lambda: gif(10, 10, 0),
    "webp 1200 x 1200, 10 frames": lambda: animation(
        [noise(40, 40).resize((1200, 1200)).rotate(n) for n in range(10)], "WEBP", method=0
    ),
    # compressed chunks
    "text bomb": text_bomb,
    "profile bomb": profile_bomb,
    # damaged
    "nothing but a signature": lambda: b"\x89PNG\r\n\x1a\n",
    "png cut short": lambda: cut(encoded(photo(), "PNG"), 0.6),
    "jpeg cut short": lambda: cut(encoded(photo(), "JPEG"), 0.6),
    "webp cut short": lambda: cut(encoded(photo(), "WEBP"), 0.6),
    "gif cut short": lambda: cut(animation([photo(1), photo(2)]), 0.6),
    "png with a broken checksum": lambda: encoded(photo(), "PNG").replace(b"IDAT", b"IDAU", 1),
    "jpeg of random bytes": lambda: b"\xff\xd8\xff\xe0" + noise(100, 100).tobytes(),
    "gif of random bytes": lambda: b"GIF89a" + noise(100, 100).tobytes(),
    # something else
    "a byte": lambda: b"\x00",
    "a megabyte of zeros": lambda: bytes(1_000_000),
    "html": lambda: b"<html><script>alert(1)</script></html>",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "svg with an XML head": lambda: b'<?xml version="1.0"?><svg><script/></svg>',
    "zip": zipped,
    "pdf": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "bmp": lambda: encoded(photo(), "BMP"),
    "tiff": lambda: encoded(photo(), "TIFF"),
    "ico": lambda: encoded(photo(), "ICO"),
    "psd": lambda: b"8BPS\x00\x01" + bytes(6) + b"\x00\x03" + bytes(400),
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "playlist named as a picture": lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x\n",
    "mp4": lambda: b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
    "fits": lambda: b"SIMPLE  =                    T" + bytes(2850),
}

HANDLED: dict[str, Callable[[], bytes]] = {
    "png 1 x 1": lambda: png(1, 1),
    "gif 1 x 1": lambda: gif(1, 1, 1),
    "png 6300 x 6300": lambda: png(6300, 6300),
    "png 6300 x 6300 of RGB": lambda: png(6300, 6300, colour=2),
    "png 6300 x 6300 of RGBA": lambda: png(6300, 6300, colour=6),
    "png 6300 x 6300 of 16-bit grey": lambda: png(6300, 6300, depth=16),
    "png 6300 x 6300 of a palette": lambda: png(6300, 6300, colour=3),
    "png 19000 x 1": lambda: png(19_000, 1),
    "png 1 x 19000": lambda: png(1, 19_000),
    "png with 200,000 text chunks": many_chunks,
    "gif with 500,000 comments": many_comments,
    "gif 640 x 480, 600 frames": lambda: gif(640, 480, 600),
    "gif 16 x 16, 1000 frames": lambda: gif(16, 16, 1000),
    "jpeg of noise, 36 MP": lambda: encoded(
        noise(1000, 1000).resize((6000, 6000), Image.Resampling.NEAREST), "JPEG", quality=60
    ),
    "progressive jpeg of noise, 16 MP": lambda: encoded(
        noise(1000, 1000).resize((4000, 4000), Image.Resampling.NEAREST),
        "JPEG",
        quality=60,
        progressive=True,
    ),
    "png with missing rows": lambda: png(1000, 1000, rows=10),
    "zip behind a png": lambda: encoded(photo(), "PNG") + zipped(),
    "script behind a jpeg": lambda: encoded(photo(), "JPEG") + b"<script>alert(1)</script>",
    "script inside a png": lambda: png(
        64, 64, extra=png_chunk(b"tEXt", b"x\x00<script>alert(1)</script>")
    ),
    "animated png": lambda: animation([photo(1), photo(2)], "PNG"),
}


@pytest.fixture(scope="module")
def child() -> Iterator[list[Child]]:
    """One child for all files of this module, as in production; replaced only if it died."""
    kept = [Child()]
    yield kept
    kept[0].close()


def computed_seconds(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def ask(child: list[Child], data: bytes) -> tuple[dict[str, object], list[bytes]]:
    if child[0].files > 30 or not child[0].is_alive():
        child[0].close()
        child[0] = Child()
    began = computed_seconds(child[0].pid)
    header, blobs = child[0].ask(data, LIMITS)
    # Computing, not waiting: the machine may be busy with other tests.
    assert computed_seconds(child[0].pid) - began < 10
    assert header["peak_kb"] < MEMORY_LIMIT_KB
    return header, blobs


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_and_its_child_lives(child: list[Child], name: str) -> None:
    header, blobs = ask(child, REFUSED[name]())
    assert str(header["refused"]).endswith(".")
    assert blobs == []
    assert child[0].is_alive()


@pytest.mark.parametrize("name", HANDLED)
def test_an_odd_file_becomes_a_small_plain_one(child: list[Child], name: str) -> None:
    header, (content, *_) = ask(child, HANDLED[name]())
    made = header["made"]
    assert isinstance(made, dict)
    assert made["width"] * made["height"] <= LIMITS.output_pixels
    assert b"script" not in content
    assert b"inside.html" not in content


def test_the_corpus_has_at_least_forty_files() -> None:
    assert len(REFUSED) + len(HANDLED) >= 40


def test_pillow_would_have_read_the_text_that_must_not_survive() -> None:
    # Otherwise the corpus above would prove nothing.
    with Image.open(io.BytesIO(HANDLED["script inside a png"]())) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert "script" in image.text["x"]
