"""A video or an animation moment by moment: its stills, and what was said of each of them.

Each service tells of moments in its own words, which are kept as they came; those that name one
are read here. What cannot be read is left out: the scores of the whole stand beside it anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from moderation.admin import words
from moderation.models import MediaItem, ProviderResult

# From here on a moment is told apart at a glance.
_STRIKING: Final = 0.5
_MOST_SAID = 3
MOST_MOMENTS: Final = 60


@dataclass(frozen=True, slots=True)
class Said:
    """What one moment was found to be. `value` is from 0.0 to 1.0."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Moment:
    """`number` is the still that shows it, None without one; `seconds` None where it is unknown."""

    number: int | None
    seconds: float | None
    said: tuple[Said, ...]

    @property
    def is_striking(self) -> bool:
        return any(said.value >= _STRIKING for said in self.said)

    @property
    def clock(self) -> str:
        if self.seconds is None:
            return ""
        minutes, seconds = divmod(self.seconds, 60)
        return f"{int(minutes)}:{seconds:04.1f}"


# A still's number or None, its second or None, what was said.
_Raw = tuple[int | None, float | None, Said]


def moments_of(item: MediaItem, results: list[ProviderResult]) -> tuple[Moment, ...]:
    """Return an item's stills and the moments that services name, in their order."""
    times = [float(at) for at in item.frame_seconds if isinstance(at, int | float)]
    told: dict[tuple[int | None, float | None], list[Said]] = {
        (number, times[number] if number < len(times) else None): []
        for number in range(len(item.frames))
    }
    stills = {key[0]: key for key in told}
    for row in results:
        for number, second, said in _told_by(row):
            key = stills.get(number, (None, second)) if number is not None else (None, second)
            if key != (None, None):
                told.setdefault(key, []).append(said)
    moments = [Moment(*key, _most_telling(found)) for key, found in told.items()]
    moments.sort(key=lambda one: (one.seconds is None, one.seconds or 0.0, one.number or 0))
    return tuple(moments[:MOST_MOMENTS])


def _most_telling(found: list[Said]) -> tuple[Said, ...]:
    highest: dict[str, float] = {}
    for said in found:
        highest[said.label] = max(said.value, highest.get(said.label, 0.0))
    ranked = sorted(highest.items(), key=lambda pair: -pair[1])
    return tuple(Said(label, value) for label, value in ranked[:_MOST_SAID])


def _told_by(row: ProviderResult) -> Iterator[_Raw]:
    read = _READERS.get(row.provider.partition(":")[0])
    if read is not None and isinstance(row.raw, dict):
        yield from read(row.raw)


def _local_video(raw: Mapping[str, Any]) -> Iterator[_Raw]:
    for number, frame in enumerate(_objects(raw.get("frames"))):
        scores = frame.get("scores")
        for category, value in scores.items() if isinstance(scores, dict) else ():
            if _is_number(value):
                # Its second is the still's own.
                yield number, None, Said(words.category_label(category), float(value))


def _local_image(raw: Mapping[str, Any]) -> Iterator[_Raw]:
    for found in _objects(raw.get("detections")):
        number, sure = found.get("frame"), found.get("confidence")
        if isinstance(number, int) and _is_number(sure):
            label = str(found.get("label", "")).replace("_", " ").capitalize()
            yield number, None, Said(label, float(sure))


def _rekognition(raw: Mapping[str, Any]) -> Iterator[_Raw]:
    for found in _objects(raw.get("ModerationLabels")):
        at, label = found.get("Timestamp"), found.get("ModerationLabel")
        sure = label.get("Confidence") if isinstance(label, dict) else None
        if _is_number(at) and isinstance(label, dict) and _is_number(sure):
            yield None, float(at) / 1000, Said(str(label.get("Name", "")), float(sure) / 100)


_LIKELIHOODS: Final = {"VERY_LIKELY": 0.95, "LIKELY": 0.8, "POSSIBLE": 0.5, "UNLIKELY": 0.2}


def _google_video(raw: Mapping[str, Any]) -> Iterator[_Raw]:
    for found in raw.get("worst_frames") or ():
        match found:
            case [str(likelihood), str(offset)] if likelihood in _LIKELIHOODS:
                try:
                    seconds = float(offset.rstrip("s"))
                except ValueError:
                    continue
                label = f"Explicit: {likelihood.replace('_', ' ').lower()}"
                yield None, seconds, Said(label, _LIKELIHOODS[likelihood])


def _hive(raw: Mapping[str, Any]) -> Iterator[_Raw]:
    for frame in _objects(raw.get("worst_frames")):
        at = frame.get("time")
        for found in _objects(frame.get("classes")):
            value = found.get("score")
            name = str(found.get("class", ""))
            if _is_number(at) and _is_number(value) and not name.startswith("no_"):
                yield None, float(at), Said(name.replace("_", " "), float(value))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[_Raw]]]] = {
    "local_video": _local_video,
    "local_image": _local_image,
    "rekognition_video": _rekognition,
    "google_video": _google_video,
    "hive": _hive,
}


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
