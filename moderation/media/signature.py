"""What can be refused at once, from the first bytes alone, before anything is decoded."""

from __future__ import annotations

import filetype

from moderation.errors import MediaRefused

ACCEPTED_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})


def check_signature(data: bytes) -> None:
    """Raise `MediaRefused` unless the bytes begin as a picture of a kind that we accept."""
    found = filetype.guess_mime(data[:8192])
    if found not in ACCEPTED_TYPES:
        raise MediaRefused("Attach a JPEG, PNG, WebP or GIF picture; this is none of them.")
