"""`prepare_image`: bytes that anyone may have sent in, a picture of our own making out."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from moderation.errors import MediaRefused
from moderation.media.children import Children
from moderation.media.limits import MediaLimits
from moderation.vocabulary import MediaKind

# One for each core of a small machine; decoding is pure computing.
MAX_CHILDREN = 2
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class PreparedMedia:
    """A picture that may be stored and shown once it is judged.

    `sha256` is of the bytes as they were sent, so that the same upload is known again.
    `perceptual_hash` is the PDQ hash of the first frame as 64 hex digits, "" for a picture too
    plain to have one. For an animation, `frames` holds JPEGs of the sampled frames, in order,
    and `frame_hashes` the hash of each.
    """

    content: bytes
    content_type: str
    extension: str
    kind: MediaKind
    width: int
    height: int
    frame_count: int
    sha256: str
    perceptual_hash: str
    frames: tuple[bytes, ...] = ()
    frame_hashes: tuple[str, ...] = ()


def prepare_image(data: bytes, *, limits: MediaLimits | None = None) -> PreparedMedia:
    """Decode `data` in a child process and encode it anew, without any metadata.

    Raises `MediaRefused`, with a sentence for the author, for whatever is not a JPEG, PNG,
    WebP or GIF within `limits`.
    """
    limits = limits or MediaLimits()
    if not data:
        raise MediaRefused("The file is empty.")
    if len(data) > limits.max_bytes:
        raise MediaRefused(
            f"The file is too large; at most {limits.max_bytes // 1_048_576} MB can be attached."
        )
    header, (content, *frames) = _children().decode(data, limits)
    made = header["made"]
    return PreparedMedia(
        content=content,
        content_type=made["content_type"],
        extension=_EXTENSIONS[made["content_type"]],
        kind=MediaKind(made["kind"]),
        width=made["width"],
        height=made["height"],
        frame_count=made["frame_count"],
        sha256=hashlib.sha256(data).hexdigest(),
        perceptual_hash=made["hashes"][0],
        frames=tuple(frames),
        frame_hashes=tuple(made["hashes"]) if frames else (),
    )


@functools.cache
def _children() -> Children:
    return Children(MAX_CHILDREN)
