"""`prepare_media`: bytes that anyone may have sent in, a file of our own making out."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from moderation.errors import MediaRefused
from moderation.media.children import Children
from moderation.media.limits import MediaLimits
from moderation.media.signature import check_picture, check_signature, sort_of
from moderation.vocabulary import MediaKind

# One for each core of a small machine; decoding is pure computing.
MAX_CHILDREN = 2
EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/webm": "webm",
    "audio/flac": "flac",
    "audio/wav": "wav",
}


@dataclass(frozen=True, slots=True)
class PreparedMedia:
    """A file that may be stored and shown once it is judged.

    `sha256` is of the bytes as they were sent, so that the same upload is known again.
    `perceptual_hash` is the PDQ hash of the first frame as 64 hex digits, "" for a picture too
    plain to have one, and for sounds. For an animation or a video, `frames` holds JPEGs of the
    sampled frames, in order, and `frame_hashes` the hash of each; `frame_seconds` says when a
    video shows them, `audio` is its sound alone, b"" where it has none. A sound has no width.
    """

    content: bytes
    content_type: str
    kind: MediaKind
    width: int
    height: int
    frame_count: int
    sha256: str
    perceptual_hash: str
    frames: tuple[bytes, ...] = ()
    frame_hashes: tuple[str, ...] = ()
    frame_seconds: tuple[float, ...] = ()
    duration_seconds: float | None = None
    audio: bytes = b""
    audio_type: str = ""

    @property
    def extension(self) -> str:
        return EXTENSIONS[self.content_type]


def prepare_media(data: bytes, *, limits: MediaLimits | None = None) -> PreparedMedia:
    """Make our own copy of `data` in a child process, without any metadata.

    Raises `MediaRefused`, with a sentence for the author, for whatever is no picture, video or
    sound that we accept within `limits`.
    """
    _check_not_empty(data)
    check_signature(data)
    if sort_of(data) == "picture":
        return prepare_image(data, limits=limits)
    return _prepare_streams(data, limits or MediaLimits())


def prepare_image(data: bytes, *, limits: MediaLimits | None = None) -> PreparedMedia:
    """As `prepare_media`, of JPEG, PNG, WebP and GIF only: decoded, and encoded anew."""
    limits = limits or MediaLimits()
    _check_not_empty(data)
    _check_size(data, limits.max_bytes)
    check_picture(data)
    header, (content, *frames) = _children().decode(data, limits)
    made = header["made"]
    return PreparedMedia(
        content=content,
        content_type=made["content_type"],
        kind=MediaKind(made["kind"]),
        width=made["width"],
        height=made["height"],
        frame_count=made["frame_count"],
        sha256=hashlib.sha256(data).hexdigest(),
        perceptual_hash=made["hashes"][0],
        frames=tuple(frames),
        frame_hashes=tuple(made["hashes"]) if frames else (),
    )


def can_read_streams() -> bool:
    """Whether FFmpeg's libraries are installed, without which there are only pictures."""
    return importlib.util.find_spec("av") is not None


def _prepare_streams(data: bytes, limits: MediaLimits) -> PreparedMedia:
    """Copy a video's or a sound's streams into a file of ours; sample what a video shows."""
    _check_size(data, limits.max_stream_bytes)
    if not can_read_streams():
        raise MediaRefused("This site cannot check videos and sounds.")
    header, (content, audio, *frames) = _children().decode(data, limits)
    made: dict[str, Any] = header["made"]
    hashes = tuple(made["hashes"])
    return PreparedMedia(
        content=content,
        content_type=made["content_type"],
        kind=MediaKind(made["kind"]),
        width=made["width"],
        height=made["height"],
        frame_count=made["frame_count"],
        sha256=hashlib.sha256(data).hexdigest(),
        perceptual_hash=hashes[0] if hashes else "",
        frames=tuple(frames),
        frame_hashes=hashes,
        frame_seconds=tuple(made["frame_seconds"]),
        duration_seconds=made["duration_seconds"],
        audio=audio,
        audio_type=made["audio_type"],
    )


def _check_not_empty(data: bytes) -> None:
    if not data:
        raise MediaRefused("The file is empty.")


def _check_size(data: bytes, most: int) -> None:
    if len(data) > most:
        raise MediaRefused(
            f"The file is too large; at most {most // 1_048_576} MB can be attached."
        )


@functools.cache
def _children() -> Children:
    return Children(MAX_CHILDREN)
