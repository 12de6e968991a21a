"""Stills taken out of an animation or a video: made small, encoded, hashed, compared."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderation.media.pdq import MIN_QUALITY, pdq_hash

_QUALITY = 90
# What shows through transparency when a model or a hash looks: neither black nor white, so
# that neither black nor white writing disappears.
_BACKDROP = (128, 128, 128)
_SIGNATURE_SIDE = 32

Signatures = npt.NDArray[np.int64]


def flatten(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, seen on grey."""
    if image.mode == "RGB":
        return image
    flat = Image.new("RGB", image.size, _BACKDROP)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """Return a copy that fits into a square of `side` pixels."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.BOX)
    return small


def to_jpeg(image: Image.Image) -> bytes:
    """Return the picture as providers read it."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def hash_of(image: Image.Image) -> str:
    """Return the PDQ hash, "" for a picture too plain to have one."""
    hashed, quality = pdq_hash(image)
    return hashed if quality >= MIN_QUALITY else ""


def signature(picture: Image.Image) -> Signatures:
    """Return a few thousand numbers by which two stills are compared."""
    small = flatten(picture).resize(
        (_SIGNATURE_SIDE, _SIGNATURE_SIDE), Image.Resampling.BOX, reducing_gap=2.0
    )
    return np.asarray(small, dtype=np.int64).ravel()


def unlikeness(some: Signatures, others: Signatures) -> Signatures:
    """Return how unlike they are, row by row: the sum of squared differences."""
    summed: Signatures = np.square(some - others).sum(axis=-1)
    return summed
