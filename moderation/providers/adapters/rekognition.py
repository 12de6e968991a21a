"""Amazon Rekognition: what a still, or an animation's sampled frames, shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from moderation.providers.base import Answer, AnyPart, Facts
from moderation.providers.shared.pictures import read_fitting, stills_of
from moderation.providers.shared.rekognition import (
    BASE_URL,
    KEYS,
    MIN_CONFIDENCE,
    REGION,
    RekognitionService,
    read_label,
    read_list,
    scores_of,
    version_in,
)
from moderation.providers.shared.service import kept
from moderation.vocabulary import Outcome, Part

# What one call takes of a picture that comes with it.
MAX_BYTES = 5 * 1024 * 1024
LEAST_SIDE, MOST_SIDE = 80, 10_000
FORMATS = frozenset({"JPEG", "PNG"})
COST_MICROS = 1_000


class RekognitionAdapter(RekognitionService):
    """Asks DetectModerationLabels about each picture; an animation is as bad as its worst frame."""

    facts: ClassVar[Facts] = Facts(
        label="Amazon Rekognition (images)",
        parts=frozenset({Part.IMAGE, Part.GIF}),
        doc="rekognition",
        settings=(*KEYS, REGION, MIN_CONFIDENCE, BASE_URL),
        cost_micros=COST_MICROS,
        price="About 1 US dollar per 1,000 pictures; every sampled frame of an animation is one.",
        max_bytes=MAX_BYTES,
    )

    def judge_one(self, part: AnyPart) -> Answer:
        found = [self._look_at(path) for path in stills_of(part)]
        pictures = [
            [read_label(label) for label in read_list(body, "ModerationLabels")] for body in found
        ]
        return Answer(
            Outcome.JUDGED,
            scores=scores_of(pictures),
            raw=kept(found[0] if len(found) == 1 else {"frames": found}),
            model_version=version_in(found[-1]) or self.model_version,
            cost_micros=COST_MICROS * len(found),
        )

    def _look_at(self, path: Path) -> Mapping[str, Any]:
        picture = read_fitting(
            path,
            max_bytes=MAX_BYTES,
            least_side=LEAST_SIDE,
            most_side=MOST_SIDE,
            formats=FORMATS,
        )
        return self.call(
            "DetectModerationLabels",
            {
                "Image": {"Bytes": base64.b64encode(picture).decode()},
                "MinConfidence": self.min_confidence,
            },
        )
