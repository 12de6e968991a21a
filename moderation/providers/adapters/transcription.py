"""What is said in a sound, as text, which is then judged as text.

This provider judges nothing itself, with one exception: where no word is said there is nothing to
judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from moderation.errors import ProviderMalformed, ProviderRejected
from moderation.providers.base import Answer, AnyPart, AudioPart, Facts, Setting
from moderation.providers.shared.multipart import build_form
from moderation.providers.shared.openai_errors import raise_for_error
from moderation.providers.shared.service import ServiceAdapter, kept, read_json
from moderation.vocabulary import Category, Outcome, Part

_MEGABYTE = 1024 * 1024


class TranscriptionAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Transcription",
        parts=frozenset({Part.AUDIO}),
        doc="transcription",
        settings=(
            Setting("base_url", "Address", default="https://api.openai.com/v1", required=True),
            Setting("key", "API key", is_secret=True, env="TRANSCRIPTION_API_KEY"),
            Setting("model", "Model", default="whisper-1", required=True),
            Setting("language", "Language", help="ISO 639-1; empty to let the model guess."),
            Setting("max_megabytes", "Largest file in megabytes", default="25"),
            Setting("price_minute", "US dollars per minute", default="0"),
        ),
        price="By the minute, as the service says.",
        concurrency=4,
        # Models hear some thirty times faster than people speak.
        timeout_seconds=60.0,
    )

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, AudioPart):
            raise ProviderRejected(f"{self.name} hears sounds only.")
        form = build_form(
            self._fields(),
            file_field="file",
            path=part.path,
            max_bytes=round(self._number("max_megabytes") * _MEGABYTE),
            kind=part.content_type,
        )
        key = self.secret("key")
        reply = self.send(
            "POST",
            f"{self.option('base_url').rstrip('/')}/audio/transcriptions",
            headers={**form.headers, **({"Authorization": f"Bearer {key}"} if key else {})},
            content=form.body,
        )
        raise_for_error(reply)
        found = read_json(reply)
        if not isinstance(found.get("text"), str):
            raise ProviderMalformed("The answer has no text.")
        cost_micros = round(self._number("price_minute") * 1_000_000 * part.duration_seconds / 60)
        return _answer(found["text"].strip(), found, cost_micros)

    def _fields(self) -> dict[str, str]:
        fields = {"model": self.option("model"), "response_format": "json", "temperature": "0"}
        language = self.option("language")
        return {**fields, "language": language} if language else fields

    def _number(self, name: str) -> float:
        try:
            return max(0.0, float(self.option(name)))
        except ValueError:
            return 0.0


def _answer(text: str, found: Mapping[str, object], cost_micros: int) -> Answer:
    if text:
        return Answer(Outcome.NOT_JUDGED, text=text, raw=kept(found), cost_micros=cost_micros)
    return Answer(
        Outcome.JUDGED,
        scores={Category.TOXIC: 0.0},
        raw={"heard": "no words"},
        cost_micros=cost_micros,
    )
