"""Google Cloud Vision SafeSearch: how likely a picture is adult, racy, violent or medical."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moderation.errors import ProviderMalformed
from moderation.providers.base import Answer, Facts
from moderation.providers.shared.google_vision import (
    PICTURE_MICROS,
    Frame,
    VisionAdapter,
    failure,
    vision_facts,
)
from moderation.providers.shared.scores import Weights, scores_by_category, worst_by_category
from moderation.providers.shared.service import kept, not_judged
from moderation.vocabulary import Category, Outcome

# In the order of Google's enumeration, whose first (UNKNOWN) says nothing.
_LIKELIHOODS = {
    "VERY_UNLIKELY": 0.05,
    "UNLIKELY": 0.2,
    "POSSIBLE": 0.5,
    "LIKELY": 0.8,
    "VERY_LIKELY": 0.95,
}
_NAMES = ("UNKNOWN", *_LIKELIHOODS)
# `spoof` (a meme, a parody) violates nothing.
_LABELS = ("adult", "racy", "violence", "medical")
_WEIGHTS: Weights = {
    Category.SEXUAL: {"adult": 1.0, "racy": 0.5},
    Category.VIOLENCE: {"violence": 1.0},
    Category.GRAPHIC: {"violence": 0.6, "medical": 0.4},
}


class GoogleVisionAdapter(VisionAdapter):
    facts: ClassVar[Facts] = vision_facts("Google Cloud Vision SafeSearch", "google_vision")
    feature: ClassVar[str] = "SAFE_SEARCH_DETECTION"

    def read(self, frames: Sequence[Frame]) -> Answer:
        scores = worst_by_category(
            [
                {} if frame.code else scores_by_category(_likelihoods(frame.said), _WEIGHTS)
                for frame in frames
            ]
        )
        raw = kept({"frames": [frame.said for frame in frames]})
        codes = [frame.code for frame in frames if frame.code]
        if not scores:
            return failure(codes) if codes else not_judged("unknown", raw=raw)
        return Answer(
            Outcome.JUDGED,
            scores=scores,
            raw=raw,
            model_version=self.model_version,
            cost_micros=len(frames) * PICTURE_MICROS,
        )


def _likelihoods(said: Mapping[str, Any]) -> dict[str, float]:
    """Return the labels of which Google says how likely they are."""
    annotation = said.get("safeSearchAnnotation")
    if not isinstance(annotation, dict):
        raise ProviderMalformed("A picture has no SafeSearch annotation.")
    named = {label: _name(annotation[label]) for label in _LABELS if label in annotation}
    return {label: _LIKELIHOODS[name] for label, name in named.items() if name != "UNKNOWN"}


def _name(likelihood: object) -> str:
    """Return the name of a likelihood, which may come as its number."""
    if type(likelihood) is int and 0 <= likelihood < len(_NAMES):
        return _NAMES[likelihood]
    if isinstance(likelihood, str) and likelihood in _NAMES:
        return likelihood
    raise ProviderMalformed("A likelihood is none that Google has.")
