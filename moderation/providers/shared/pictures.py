"""Pictures as a service takes them: an animation's frames, and nothing too large or too small."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from moderation.errors import ProviderRejected
from moderation.providers.base import AnyPart, ImagePart

# Each step halves the area; from our largest picture, three are enough for any service's limit.
_SHRINK = 0.7
_QUALITY = 88
_TRIES = 4


def stills_of(part: AnyPart) -> tuple[Path, ...]:
    """Return every sampled frame of an animation, or the picture. Raises `ProviderRejected`."""
    if not isinstance(part, ImagePart):
        raise ProviderRejected(f"Only pictures are judged, no {part.kind}.")
    return part.frame_paths or (part.path,)


def read_fitting(
    path: Path,
    *,
    max_bytes: int,
    least_side: int = 1,
    most_side: int = 65_535,
    formats: frozenset[str] | None = None,
) -> bytes:
    """Return a still as it is, or made to fit where a service takes none so large or so small.

    `formats` are Pillow's names of those that it takes besides JPEG, None for any. Raises
    `ProviderRejected` for a file that is no picture.
    """
    try:
        with Image.open(path) as image:
            is_taken = formats is None or image.format in formats | {"JPEG"}
            fits = least_side <= min(image.size) and max(image.size) <= most_side
            if is_taken and fits and path.stat().st_size <= max_bytes:
                return path.read_bytes()
            return _fitted(image, max_bytes, least_side, most_side)
    except (OSError, ValueError) as error:
        raise ProviderRejected("The picture cannot be read.") from error


def _fitted(image: Image.Image, max_bytes: int, least_side: int, most_side: int) -> bytes:
    side = min(most_side, max(image.size))
    for _ in range(_TRIES):
        small = _flat(image, side, least_side)
        encoded = BytesIO()
        small.save(encoded, "JPEG", quality=_QUALITY)
        if encoded.tell() <= max_bytes:
            return encoded.getvalue()
        side = int(side * _SHRINK)
    raise ProviderRejected("The picture cannot be made small enough.")


def _flat(image: Image.Image, most_side: int, least_side: int) -> Image.Image:
    """Return it scaled down to one side, on white, with room around it up to the other."""
    shown = image.convert("RGBA")
    shown.thumbnail((most_side, most_side))
    canvas = Image.new(
        "RGB", (max(shown.width, least_side), max(shown.height, least_side)), "white"
    )
    canvas.paste(shown, mask=shown.getchannel("A"))
    return canvas
