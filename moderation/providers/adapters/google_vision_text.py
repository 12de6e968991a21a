"""Google Cloud Vision as a reader: the text in a picture, which is then judged as text."""

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
from moderation.providers.shared.service import kept
from moderation.vocabulary import Outcome


class GoogleVisionTextAdapter(VisionAdapter):
    """Judges nothing itself: its answers have a text, "" where it saw none, and no scores."""

    facts: ClassVar[Facts] = vision_facts("Google Cloud Vision text", "google_vision_text")
    feature: ClassVar[str] = "TEXT_DETECTION"

    def read(self, frames: Sequence[Frame]) -> Answer:
        codes = [frame.code for frame in frames if frame.code]
        # A frame after the other mostly repeats the text.
        texts = dict.fromkeys(_text_of(frame.said) for frame in frames if not frame.code)
        missing = failure(codes) if codes else None
        return Answer(
            missing.outcome if missing else Outcome.NOT_JUDGED,
            error=missing.error if missing else "",
            text="\n".join(filter(None, texts)),
            raw=kept({"frames": [_without_words(frame.said) for frame in frames]}),
            model_version=self.model_version,
            cost_micros=len(frames) * PICTURE_MICROS,
        )


def _text_of(said: Mapping[str, Any]) -> str:
    """Return what was read, "" where nothing is said: Google has no other word for no text."""
    found = said.get("textAnnotations") or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ProviderMalformed("The texts are no list of objects.")
    # The first is the whole text, those after it are its words.
    text = found[0].get("description") if found else ""
    if not isinstance(text, str):
        raise ProviderMalformed("A text is no text.")
    return text.strip()


def _without_words(said: Mapping[str, Any]) -> dict[str, object]:
    """Return the answer less what repeats each word with its place."""
    whole = {key: value for key, value in said.items() if key != "fullTextAnnotation"}
    return {**whole, "textAnnotations": (said.get("textAnnotations") or [])[:1]}
