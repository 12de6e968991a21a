"""Pictures and texts that are known already: the cheapest judge, asked first.

A match is as good as certain, unless the entry is in doubt: then it asks for a person. No match
says nothing: that is "not judged", never a score of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from PIL import Image, UnidentifiedImageError

from moderation.coordination.short_memory import Reloaded
from moderation.media.pdq import MIN_QUALITY, pdq_hash, uncut_hashes
from moderation.providers.base import Answer, AnyPart, ImagePart, TextPart, VideoPart
from moderation.providers.shared.bank import Match, Stock
from moderation.vocabulary import Category, Outcome, Part

# How long a change to the bank may take to be noticed by every process.
RELOAD_SECONDS = 5.0
# What hashes with edges put back are made from is scaled down to at most this much in any case.
_ENOUGH = (512, 512)
# More matches of one part tell a moderator nothing new.
_MAX_MATCHES = 20

Loader = Callable[[Stock | None], Stock]
"""The stock that is remembered in; what is known now out, the same object if nothing changed."""

Labels = Callable[[Collection[int]], Mapping[int, str]]
"""Entries in; what is written beside each of them."""


class _Found(NamedTuple):
    frame: int
    match: Match
    # Known only once its edges were guessed to have been cut off.
    is_cut: bool = False


class HashBankProvider:
    """Judges by looking up a text, a picture, and every sampled frame of what moves.

    `load` is called when the last copy is older than `reload_seconds`, `labels` when something
    matches.
    """

    name: ClassVar[str] = "hash_bank"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.TEXT, Part.IMAGE, Part.GIF, Part.VIDEO})
    is_local: ClassVar[bool] = True

    def __init__(
        self, load: Loader, labels: Labels, *, reload_seconds: float = RELOAD_SECONDS
    ) -> None:
        self._stock = Reloaded[Stock](load, seconds=reload_seconds)
        self._labels = labels

    @property
    def model_version(self) -> str:
        return f"pdq-2:{self._stock.get().version}"

    def is_available(self) -> bool:
        return True

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        stock = self._stock.get()
        found = [_look_up(part, stock) for part in parts]
        labels = self._labels_of(found)
        return [_answer(each, labels, f"pdq-2:{stock.version}") for each in found]

    def judge_texts(self, parts: Sequence[AnyPart]) -> list[Answer | None]:
        """Return what is known of those parts that are texts, None where nothing matches."""
        stock = self._stock.get()
        found = [_look_up(part, stock) if isinstance(part, TextPart) else [] for part in parts]
        labels = self._labels_of(found)
        return [_answer(each, labels, f"bank:{stock.version}") if each else None for each in found]

    def _labels_of(self, found: Sequence[Sequence[_Found]]) -> Mapping[int, str]:
        entries = {one.match.entry for each in found for one in each[:_MAX_MATCHES]}
        return self._labels(entries) if entries else {}


def _look_up(part: AnyPart, stock: Stock) -> list[_Found]:
    if isinstance(part, TextPart):
        return [_Found(0, match) for match in stock.like_text(part.text, part.scope)]
    found = [
        _Found(frame, match)
        for frame, wanted in enumerate(_hashes_of(part))
        if wanted
        for match in stock.like_picture(wanted, part.scope)
    ] or _look_up_uncut(part, stock)
    return sorted(found, key=lambda one: one.match.distance)


def _look_up_uncut(part: AnyPart, stock: Stock) -> list[_Found]:
    """Look up a still as it may have been before its edges were cut off; each entry once."""
    if not isinstance(part, ImagePart) or part.frame_paths:
        return []
    if not (part.perceptual_hash and stock.has_pictures):
        return []
    nearest: dict[int, Match] = {}
    for wanted in _uncut_hashes_of_file(part.path):
        for match in stock.like_picture(wanted, part.scope):
            known = nearest.get(match.entry)
            if known is None or match.distance < known.distance:
                nearest[match.entry] = match
    return [_Found(0, match, is_cut=True) for match in nearest.values()]


def _answer(found: Sequence[_Found], labels: Mapping[int, str], version: str) -> Answer:
    scores: dict[Category, float] = {
        one.match.category: 1.0 for one in found if not one.match.in_doubt
    }
    return Answer(
        outcome=Outcome.JUDGED if scores else Outcome.NOT_JUDGED,
        scores=scores,
        raw={"matches": [_told(one, labels) for one in found[:_MAX_MATCHES]]},
        model_version=version,
    )


def _told(found: _Found, labels: Mapping[int, str]) -> dict[str, object]:
    match = found.match
    told: dict[str, object] = {
        "entry": match.entry,
        "bank": match.place.name,
        "label": labels.get(match.entry, ""),
        "category": match.category.value,
        "distance": match.distance,
        "frame": found.frame,
    }
    if found.is_cut:
        told["cut"] = True
    if match.in_doubt:
        told["in_doubt"] = True
    return told


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


def _uncut_hashes_of_file(path: Path) -> list[str]:
    try:
        with Image.open(path) as image:
            # A large JPEG is decoded at a fraction of its size, in a quarter of the time.
            image.draft("RGB", _ENOUGH)
            return uncut_hashes(image.convert("RGB"))
    except (OSError, UnidentifiedImageError):
        return []
