"""The list of who was erased, kept apart from the database: a backup that is older than an
erasure brings the person back, and this says whom to erase again.

It names nobody. A line holds the digest of the random key that the erasure destroyed, so it fits
that one person in a backup, and nobody who is given the same number later.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from moderation.conf import get_conf
from moderation.errors import InvalidSubmission
from moderation.models import Author

_DIGEST_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person of one community. `key_digest` is the SHA-256 (hex) of their destroyed key."""

    author: int
    key_digest: str
    erased_at: str


def note_erasure(author: Author) -> None:
    """Add somebody whose key is about to be destroyed to the list.

    Raises `OSError` when it cannot be written: then nobody must be erased, as nobody would know.
    """
    path = get_conf().erasures_file
    if not path or author.personal_key is None:
        return
    made = Erasure(author.pk, _digest(author.personal_key), datetime.now(UTC).isoformat())
    append_erasures(Path(path), [made])


def append_erasures(path: Path, erasures: Iterable[Erasure]) -> None:
    """Add lines to a list; several processes may do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        for one in erasures:
            said = {
                "author": one.author,
                "key_digest": one.key_digest,
                "erased_at": one.erased_at,
            }
            # One write a line: the system keeps lines of several writers apart.
            file.write(json.dumps(said).encode() + b"\n")
            file.flush()
        os.fsync(file.fileno())


def read_erasures(path: Path) -> Iterator[Erasure]:
    """Yield a list's lines. Raises `InvalidSubmission` for what is none, `OSError` for no file."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parse(line, f"{path}, line {number}")


def _parse(line: str, where: str) -> Erasure:
    try:
        said = json.loads(line)
        found = Erasure(int(said["author"]), str(said["key_digest"]), str(said["erased_at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSubmission(f"{where}: this is no line of a list of erasures.") from error
    if len(found.key_digest) != _DIGEST_CHARS:
        raise InvalidSubmission(f"{where}: a digest has {_DIGEST_CHARS} hexadecimal digits.")
    return found


def come_back(erasures: Iterable[Erasure]) -> Iterator[Author]:
    """Yield those of the list who are there again with the key that was destroyed."""
    for one in erasures:
        author = Author.objects.select_related("user").filter(pk=one.author).first()
        if author is None or author.personal_key is None:
            continue
        if _digest(author.personal_key) == one.key_digest:
            yield author


def _digest(key: bytes | memoryview) -> str:
    return hashlib.sha256(bytes(key)).hexdigest()
