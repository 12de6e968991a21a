"""Pictures and hostile files for the tests of media, all generated here."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

_ZEROS = bytes(1_000_000)


def photo(seed: int = 1, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with enough going on in it for a perceptual hash."""
    random = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    pixels = np.full((height, width, 3), 128.0)
    for _ in range(12):
        fx, fy = random.normal(0, 9, 2)
        wave = np.sin(6.28 * (fx * x + fy * y) + random.uniform(0, 6.28))
        pixels += random.uniform(0, 60, 3) * wave[..., None]
    for _ in range(20):
        cx, cy, radius = random.uniform(0, 1, 3) * (1, 1, 0.3)
        pixels[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] += random.uniform(-120, 120, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, encoding: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, encoding, **options)
    return out.getvalue()


def animation(frames: Sequence[Image.Image], encoding: str = "GIF", **options: object) -> bytes:
    return encoded(frames[0], encoding, save_all=True, append_images=list(frames[1:]), **options)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack("!I", zlib.crc32(kind + body))
    return struct.pack("!I", len(body)) + kind + body + checksum


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 0,
    rows: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A PNG of zeros, packed as tightly as zlib can. `rows` of it are really there."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row_bytes = 1 + (width * channels * depth + 7) // 8
    whole, rest = divmod(row_bytes * (height if rows is None else rows), len(_ZEROS))
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(_ZEROS) for _ in range(whole))
    body += squeeze.compress(_ZEROS[:rest])
    header = struct.pack("!IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = png_chunk(b"PLTE", bytes(3)) if colour == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + palette
        + extra
        + png_chunk(b"IDAT", body + squeeze.flush())
        + png_chunk(b"IEND", b"")
    )


def gif(width: int, height: int, frames: int, frame: bytes | None = None) -> bytes:
    """A GIF of black frames; one byte holds hundreds of pixels. `frame` replaces the frame."""
    header = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return header + (frame or _black_frame(width, height)) * frames + b"\x3b"


def _black_frame(width: int, height: int) -> bytes:
    if max(width, height) > 2000:
        # Too large to be decoded by anyone: the data may end after the first pixel.
        where = struct.pack("<HHHHB", 0, 0, width, height, 0)
        return b"\x2c" + where + b"\x02\x02\x44\x01\x00"
    whole = encoded(Image.new("P", (width, height)), "GIF")
    return whole[whole.index(b"\x2c\x00\x00\x00\x00") : -1]


def webp_header(width: int, height: int) -> bytes:
    """A WebP that announces a canvas and holds nothing."""
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_header(width: int, height: int) -> bytes:
    """A valid small JPEG whose header was changed to announce another size."""
    data = bytearray(encoded(photo(size=(16, 16)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack("!HH", height, width)
    return bytes(data)
