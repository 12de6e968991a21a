"""Identifiers that sort by the time they were made."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import UTC, datetime


def new_id() -> uuid.UUID:
    """Return a version 7 UUID (RFC 9562): 48 bits of milliseconds, then random bits.

    Rows that arrive together stand together in the primary key's index, so that inserting into
    a large table costs what it costs in a small one.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def first_id_at(moment: datetime) -> uuid.UUID:
    """Return what sorts before every id that is made from this moment (aware) on."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def made_at(made: uuid.UUID) -> datetime:
    """Return when an id was made, by the clock of whoever made it."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)


# Crockford's: no letter that a digit can be taken for.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_number(prefix: str) -> str:
    """Return a number for people to read out, as `R-8F3K-2M9Q-X7TD-4H6V`; nobody can guess it."""
    signs = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join([prefix, *(signs[start : start + 4] for start in range(0, 16, 4))])
