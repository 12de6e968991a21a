"""Pictures that are known already, by perceptual hash: the cheapest judge, asked first.

A match is as good as certain. No match says nothing about a picture: that is "not judged",
never a score of 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from moderation.coordination.short_memory import Reloaded
from moderation.media.pdq import (
    DEFAULT_MAX_DISTANCE,
    MIN_QUALITY,
    Bank,
    bank_of,
    distances,
    pdq_hash,
)
from moderation.providers.base import Answer, AnyPart, ImagePart, VideoPart
from moderation.vocabulary import Category, Outcome, Part

# How long a change to the bank may take to be noticed by every process.
RELOAD_SECONDS = 5.0
# More matches of one picture tell a moderator nothing new.
_MAX_MATCHES = 20


class Banked(NamedTuple):
    """One known picture: its hash as 64 hex digits, and what it is known for.

    It applies to parts of the same `scope`; with "" to all.
    """

    perceptual_hash: str
    category: Category
    label: str
    max_distance: int = DEFAULT_MAX_DISTANCE
    scope: str = ""


@dataclass(frozen=True, slots=True)
class _Loaded:
    entries: Sequence[Banked]
    hashes: Bank
    max_distances: npt.NDArray[np.uint16]
    version: str


class HashBankProvider:
    """Judges by looking up a picture's hash, and that of every sampled frame of what moves.

    `load` returns the whole bank; it is called again when the last copy is older than
    `reload_seconds`.
    """

    name: ClassVar[str] = "hash_bank"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.IMAGE, Part.GIF, Part.VIDEO})
    is_local: ClassVar[bool] = True

    def __init__(
        self, load: Callable[[], Iterable[Banked]], *, reload_seconds: float = RELOAD_SECONDS
    ) -> None:
        self._bank = Reloaded[_Loaded](lambda _: _read(load()), seconds=reload_seconds)

    @property
    def model_version(self) -> str:
        return self._bank.get().version

    def is_available(self) -> bool:
        return True

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        bank = self._bank.get()
        return [_look_up(part, bank) for part in parts]


def _read(entries: Iterable[Banked]) -> _Loaded:
    # In one order always, so that the same bank has the same version in every process.
    ordered = sorted(entries)
    digest = hashlib.sha256(repr(ordered).encode()).hexdigest()
    return _Loaded(
        entries=ordered,
        hashes=bank_of([entry.perceptual_hash for entry in ordered]),
        max_distances=np.array([entry.max_distance for entry in ordered], dtype=np.uint16),
        version=f"pdq-1:{digest[:12]}",
    )


def _look_up(part: AnyPart, bank: _Loaded) -> Answer:
    matches: list[_Match] = []
    nearest: int | None = None
    for frame, wanted in enumerate(_hashes_of(part)):
        if wanted and bank.entries:
            far = distances(bank.hashes, wanted)
            nearest = min(int(far.min()), 256 if nearest is None else nearest)
            matches += _matches(far, frame, part.scope, bank)
    matches.sort(key=lambda match: match.distance)
    scores = {match.entry.category: 1.0 for match in matches}
    return Answer(
        outcome=Outcome.JUDGED if scores else Outcome.NOT_JUDGED,
        scores=scores,
        raw={"nearest": nearest, "matches": [match.told() for match in matches[:_MAX_MATCHES]]},
        model_version=bank.version,
    )


class _Match(NamedTuple):
    entry: Banked
    distance: int
    frame: int

    def told(self) -> dict[str, object]:
        return {
            "label": self.entry.label,
            "category": self.entry.category.value,
            "distance": self.distance,
            "frame": self.frame,
        }


def _matches(
    far: npt.NDArray[np.uint16], frame: int, scope: str, bank: _Loaded
) -> Iterator[_Match]:
    for row in np.flatnonzero(far <= bank.max_distances).tolist():
        entry = bank.entries[row]
        if entry.scope in ("", scope):
            yield _Match(entry, int(far[row]), frame)


def _hashes_of(part: AnyPart) -> list[str]:
    """Return the hash of a still, or of every sampled frame; "" where one has none."""
    if isinstance(part, VideoPart):
        return [_hash_of_file(path) for path in part.frame_paths]
    if not isinstance(part, ImagePart):
        return []
    if not part.frame_paths:
        return [part.perceptual_hash]
    # The first frame's hash is known; the others are made from the sampled frames.
    return [part.perceptual_hash, *map(_hash_of_file, part.frame_paths[1:])]


def _hash_of_file(path: Path) -> str:
    try:
        with Image.open(path) as image:
            hashed, quality = pdq_hash(image.convert("RGB"))
    except (OSError, UnidentifiedImageError):
        return ""
    return hashed if quality >= MIN_QUALITY else ""
