"""Videos, judged on this machine by what the local image model sees in their sampled frames.

The worst frame counts. What is said or sung in a video is not judged here, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from moderation.providers.base import Answer, AnyPart, ImagePart, Provider, VideoPart
from moderation.vocabulary import Category, Outcome, Part

# Changes with the way frames are put together.
_OUR_VERSION = 1


class LocalVideoProvider:
    """Scores what `images` scores, in the frame where it is worst."""

    name: ClassVar[str] = "local_video"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.VIDEO})
    is_local: ClassVar[bool] = True

    def __init__(self, images: Provider) -> None:
        self._images = images

    @property
    def model_version(self) -> str:
        version = self._images.model_version
        return f"{version}/frames-{_OUR_VERSION}" if version else ""

    def is_available(self) -> bool:
        return self._images.is_available()

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        # One video at a time: each has up to thirty frames.
        return [self._judge(part) for part in parts]

    def _judge(self, part: AnyPart) -> Answer:
        if not isinstance(part, VideoPart) or not part.frame_paths:
            return Answer(Outcome.NOT_JUDGED, error="no frames")
        seen = self._images.judge(
            [
                ImagePart(key=f"{part.key}#{number}", path=path, scope=part.scope)
                for number, path in enumerate(part.frame_paths)
            ]
        )
        missing = next((answer for answer in seen if answer.outcome is not Outcome.JUDGED), None)
        if missing is not None:
            # The one frame that nobody saw may be the one that mattered.
            return Answer(missing.outcome, error=missing.error, model_version=self.model_version)
        return self._worst(part, seen)

    def _worst(self, part: VideoPart, seen: Sequence[Answer]) -> Answer:
        judged = set.intersection(*(set(answer.scores) for answer in seen))
        worst = {
            category: max(range(len(seen)), key=lambda number: seen[number].scores[category])
            for category in sorted(judged)
        }
        worst_frames = sorted(set(worst.values()))
        return Answer(
            Outcome.JUDGED,
            scores={category: seen[number].scores[category] for category, number in worst.items()},
            regions=[region for number in worst_frames for region in seen[number].regions],
            raw={
                "sound": "not judged",
                "worst_second": {
                    category.value: _second(part, number) for category, number in worst.items()
                },
                "frames": [
                    {"second": _second(part, number), "scores": _named(answer.scores)}
                    for number, answer in enumerate(seen)
                ],
            },
            model_version=self.model_version,
        )


def _second(part: VideoPart, number: int) -> float | None:
    """Return when a frame is shown, None where that is not known."""
    return part.frame_seconds[number] if number < len(part.frame_seconds) else None


def _named(scores: Mapping[Category, float]) -> dict[str, float]:
    return {category.value: score for category, score in scores.items()}
