"""One picture, inside a child: check the header, decode, rebuild from pixels, encode anew.

Nothing of the sent file survives but its pixels: no metadata, no comment, no second file
hidden behind the first. Raises `MediaRefused` with a sentence for the author; the errors of
the decoder itself (`UNREADABLE`) are for the caller to translate.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from moderation.errors import MediaRefused
from moderation.media.gif import read_outline
from moderation.media.limits import MediaLimits
from moderation.media.signature import DECODERS, check_picture
from moderation.media.stills import (
    flatten,
    hash_of,
    signature,
    thumbnail,
    to_jpeg,
    unlikeness,
)

# What Pillow raises for files that are damaged or odd. Its warnings are errors here.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Warning)

# What a still becomes, by what it was; anything else becomes PNG.
_ENCODINGS = {"JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WEBP"}
# Pillow's own alarms stand at 89 and 179 megapixels; ours are lower, and say what is allowed.
_TOO_MANY_PIXELS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
_JPEG_QUALITY = 88
_WEBP_QUALITY = 88
# Half as large as 88 and three times as fast as Pillow's default method: nobody studies frames.
_ANIMATION_QUALITY = 75
_ORIENTATION_TAG = 0x0112
# What undoes each way of holding a camera; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Browsers show a frame without a time for 100 ms; a frame that flashes by in less than 20 ms
# or stands for minutes is no animation.
_DEFAULT_FRAME_MS, _MIN_FRAME_MS, _MAX_FRAME_MS = 100, 20, 60_000

Kind = Literal["image", "gif"]


@dataclass(frozen=True, slots=True)
class Rendition:
    """What we made. `frames` are JPEGs of the sampled frames, `hashes` one for each of them."""

    content: bytes
    content_type: str
    width: int
    height: int
    kind: Kind
    frame_count: int
    frames: tuple[bytes, ...]
    hashes: tuple[str, ...]


def render(data: bytes, limits: MediaLimits) -> Rendition:
    """Decode `data` within `limits` and encode it anew."""
    formats = DECODERS[check_picture(data)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if formats == ("GIF",):
            _check_gif(data, limits)
        try:
            image = Image.open(io.BytesIO(data), formats=formats)
        except _TOO_MANY_PIXELS as error:
            raise MediaRefused("The picture has too many pixels.") from error
        with image:
            _check_size(image.size, formats, limits)
            if formats in (("GIF",), ("WEBP",)) and getattr(image, "n_frames", 1) > 1:
                return _render_animation(image, limits)
            return _render_still(image, len(data), limits)


def _check_gif(data: bytes, limits: MediaLimits) -> None:
    outline = read_outline(data, max_frames=limits.max_frames)
    if outline.frames > 1:
        _check_animation(outline.frames, outline.width * outline.height, limits)
    elif outline.frames == 0:
        raise MediaRefused("The GIF holds no picture.")
    _check_size((outline.width, outline.height), ("GIF",), limits)


def _check_size(size: tuple[int, int], formats: tuple[str, ...], limits: MediaLimits) -> None:
    most = limits.max_webp_pixels if formats == ("WEBP",) else limits.max_pixels
    if size[0] * size[1] > most or max(size) > limits.max_side:
        raise MediaRefused(
            f"The picture is {size[0]} x {size[1]} pixels;"
            f" at most {most // 1_000_000} megapixels can be attached."
        )


def _check_animation(frames: int, pixels: int, limits: MediaLimits) -> None:
    if frames > limits.max_frames:
        raise MediaRefused(f"The animation has more than {limits.max_frames} frames.")
    if pixels > limits.max_frame_pixels or frames * pixels > limits.max_animation_pixels:
        raise MediaRefused("The animation is too large; make it smaller or shorter.")


# --- stills ------------------------------------------------------------------------------------


def _render_still(image: Image.Image, sent_bytes: int, limits: MediaLimits) -> Rendition:
    encoding = _ENCODINGS.get(image.format or "", "PNG")
    if encoding == "PNG" and sent_bytes > limits.max_png_bytes:
        encoding = "WEBP"
    orientation = _orientation(image)
    scale = math.sqrt(limits.output_pixels / (image.width * image.height))
    if scale < 1:
        # JPEG can be decoded at a half, quarter or eighth at once; others ignore this.
        image.draft("RGB", (int(image.width * scale), int(image.height * scale)))
    image.load()
    fitted = _fit(_to_8_bit(image), limits.output_pixels)
    picture = _bare(_turn(fitted, orientation))
    content, content_type = _encode_still(picture, encoding, limits)
    return Rendition(
        content=content,
        content_type=content_type,
        width=picture.width,
        height=picture.height,
        kind="image",
        frame_count=1,
        frames=(),
        hashes=(hash_of(flatten(picture)),),
    )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (*UNREADABLE, TypeError, KeyError):
        # Unreadable metadata is dropped like all metadata; the picture stands as it lies.
        return 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, or RGBA where anything may be transparent."""
    if image.mode.startswith("I"):
        high_bytes = np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(high_bytes).convert("RGB")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _fit(image: Image.Image, most_pixels: int) -> Image.Image:
    pixels = image.width * image.height
    if pixels <= most_pixels:
        return image
    scale = math.sqrt(most_pixels / pixels)
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _bare(image: Image.Image) -> Image.Image:
    """Copy the pixels alone: `save` would write comments and profiles out of `info`."""
    return Image.frombytes(image.mode, image.size, image.tobytes())


def _encode_still(image: Image.Image, encoding: str, limits: MediaLimits) -> tuple[bytes, str]:
    if encoding == "JPEG":
        return _saved(image, "JPEG", quality=_JPEG_QUALITY), "image/jpeg"
    if encoding == "PNG":
        # 3: a tenth larger than Pillow's default, in two thirds of the time.
        content = _saved(image, "PNG", compress_level=3)
        if len(content) <= limits.max_png_bytes:
            return content, "image/png"
    return _saved(image, "WEBP", quality=_WEBP_QUALITY, method=2), "image/webp"


def _saved(image: Image.Image, encoding: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, encoding, **options)
    return out.getvalue()


# --- animations --------------------------------------------------------------------------------


def _render_animation(image: Image.Image, limits: MediaLimits) -> Rendition:
    announced = int(getattr(image, "n_frames", 1))
    _check_animation(announced, image.width * image.height, limits)
    most_pixels = limits.output_animation_pixels // announced
    pictures: list[Image.Image] = []
    durations: list[int] = []
    for frame, duration in _frames_of(image, announced):
        pictures.append(_bare(_fit(frame, most_pixels)))
        durations.append(duration)
    if all(picture.getextrema()[-1] == (255, 255) for picture in pictures):
        pictures = [picture.convert("RGB") for picture in pictures]
    sampled = [
        thumbnail(flatten(pictures[number]), limits.sampled_frame_side)
        for number in _telling_frames(pictures, limits.sampled_frames)
    ]
    return Rendition(
        content=_saved(
            pictures[0],
            "WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
            quality=_ANIMATION_QUALITY,
            method=0,
        ),
        content_type="image/webp",
        width=pictures[0].width,
        height=pictures[0].height,
        kind="gif",
        frame_count=len(pictures),
        frames=tuple(map(to_jpeg, sampled)),
        hashes=tuple(map(hash_of, sampled)),
    )


def _frames_of(image: Image.Image, announced: int) -> Iterator[tuple[Image.Image, int]]:
    for number in range(announced):
        image.seek(number)
        image.load()
        shown_ms = int(image.info.get("duration", 0)) or _DEFAULT_FRAME_MS
        yield image.convert("RGBA"), min(max(shown_ms, _MIN_FRAME_MS), _MAX_FRAME_MS)


def _telling_frames(pictures: list[Image.Image], most: int) -> list[int]:
    """Choose the first, the last, those after the greatest changes, then those least like these.

    A frame that flashes by is a great change wherever it stands, also in a lively film; what
    creeps in slowly is no change, but in the end unlike everything else.
    """
    signatures = np.stack([signature(picture) for picture in pictures])
    chosen = [0, len(pictures) - 1]
    nearest = np.minimum(*(unlikeness(signatures, signatures[number]) for number in chosen))
    changes = np.append(0, unlikeness(signatures[1:], signatures[:-1]))
    by_change = (most - len(chosen)) // 2
    while len(chosen) < most and nearest.max() > 0:
        # The smaller of both, so that what was chosen already is not chosen again.
        wanted = np.minimum(changes, nearest) if by_change > 0 else nearest
        by_change -= 1
        if wanted.max() == 0:
            continue
        chosen.append(int(wanted.argmax()))
        nearest = np.minimum(nearest, unlikeness(signatures, signatures[chosen[-1]]))
    return sorted(set(chosen))
