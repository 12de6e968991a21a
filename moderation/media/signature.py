"""What can be refused at once, from the first bytes alone, before anything is decoded."""

from __future__ import annotations

from typing import Literal

import filetype

from moderation.errors import MediaRefused

# By content, never by name: what may be opened, and with which of Pillow's decoders only.
# Telephones send several pictures in one JPEG (MPO); of an animated PNG we keep the first.
DECODERS: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/apng": ("PNG",),
    "image/webp": ("WEBP",),
    "image/gif": ("GIF",),
}
# The same for videos and sounds: FFmpeg opens each with this one of its demuxers.
DEMUXERS: dict[str, str] = {
    "video/mp4": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/flac": "flac",
}
Sort = Literal["picture", "video", "sound"]

_EBML = b"\x1a\x45\xdf\xa3"
_STARTS = {_EBML: "video/webm", b"OggS": "audio/ogg", b"fLaC": "audio/flac", b"ID3": "audio/mpeg"}
# Pictures that come in the same boxes as a video: no decoder of ours shows them.
_STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ")


def check_signature(data: bytes) -> str:
    """Return the type that the bytes begin as. Raises `MediaRefused` for one we do not accept."""
    found = filetype.guess_mime(data[:8192])
    if found in DECODERS:
        return str(found)
    stream_type = _stream_type(data[:16])
    if stream_type is None:
        raise MediaRefused(
            "Attach a JPEG, PNG, WebP or GIF picture, an MP4, MOV or WebM video, or an MP3, M4A,"
            " AAC, Ogg, WAV or FLAC sound; this is none of them."
        )
    return stream_type


def check_picture(data: bytes) -> str:
    """As `check_signature`, of pictures only."""
    found = filetype.guess_mime(data[:8192])
    if found not in DECODERS:
        raise MediaRefused("Attach a JPEG, PNG, WebP or GIF picture; this is none of them.")
    return str(found)


def sort_of(data: bytes) -> Sort:
    """Return what the bytes announce to be; an MP4 may turn out to hold a sound alone."""
    found = _stream_type(data[:16])
    if found is None:
        return "picture"
    return "video" if found.startswith("video/") else "sound"


def _stream_type(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _STILL_BRANDS:
            return None
        return "audio/mp4" if brand in _SOUND_BRANDS else "video/mp4"
    if head[:4] == b"RIFF":
        return "audio/wav" if head[8:12] == b"WAVE" else None
    for start, stream_type in _STARTS.items():
        if head.startswith(start):
            return stream_type
    return _frame_type(head)


def _frame_type(head: bytes) -> str | None:
    """Tell sounds that have no head at all by their first frame: twelve bits, then the layer."""
    if len(head) < 3 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    is_layer_3 = head[1] & 0xE6 == 0xE2
    return "audio/mpeg" if is_layer_3 and head[2] & 0xF0 != 0xF0 else None
