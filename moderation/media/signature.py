"""What can be refused at once, from the first bytes alone, before anything is decoded."""

from __future__ import annotations

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


def check_signature(data: bytes) -> str:
    """Return the type that the bytes begin as. Raises `MediaRefused` for one we do not accept."""
    found = filetype.guess_mime(data[:8192])
    if found not in DECODERS:
        raise MediaRefused("Attach a JPEG, PNG, WebP or GIF picture; this is none of them.")
    return str(found)
