"""OpenAI's moderation endpoint: texts by the array, pictures one a request."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import filetype

from moderation.errors import (
    ProviderAuthFailed,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.base import Answer, AnyPart, Facts, ImagePart, Setting, TextPart
from moderation.providers.shared.moderations import Labels, results_of, scores_in
from moderation.providers.shared.service import (
    ServiceAdapter,
    kept,
    not_judged,
    raise_for_status,
    read_json,
    retry_after_seconds,
)
from moderation.vocabulary import Category, Outcome, Part

DEFAULT_URL = "https://api.openai.com"
DEFAULT_MODEL = "omni-moderation-latest"
# Often named as its limit, never by OpenAI itself.
MAX_IMAGE_BYTES = 20 * 1024 * 1024

_LABELS: Labels = (
    (Category.HATE, {"hate": 1, "hate/threatening": 1}),
    (Category.HARASSMENT, {"harassment": 1, "harassment/threatening": 1}),
    (Category.THREAT, {"hate/threatening": 1, "harassment/threatening": 1}),
    (Category.ILLICIT, {"illicit": 1, "illicit/violent": 1}),
    (Category.WEAPONS, {"illicit/violent": 0.7}),
    (Category.SELF_HARM, {"self-harm": 1, "self-harm/intent": 1, "self-harm/instructions": 1}),
    (Category.SEXUAL, {"sexual": 1}),
    (Category.SEXUAL_MINORS, {"sexual/minors": 1}),
    (Category.VIOLENCE, {"violence": 1, "violence/graphic": 1}),
    (Category.GRAPHIC, {"violence/graphic": 1}),
)
# Documented so; an answer that says itself which labels it looked for is believed instead.
_SEEN_IN_IMAGES = frozenset(
    {
        "self-harm",
        "self-harm/intent",
        "self-harm/instructions",
        "sexual",
        "violence",
        "violence/graphic",
    }
)
_USED_UP = frozenset({"insufficient_quota", "credit_balance_exhausted"})
_WAIT = re.compile(r"try again in (?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")


class OpenAIAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="OpenAI",
        parts=frozenset({Part.TEXT, Part.IMAGE, Part.GIF}),
        doc="openai",
        settings=(
            Setting("api_key", "API key", is_secret=True, required=True, env="OPENAI_API_KEY"),
            Setting(
                "model",
                "Model",
                help="The text models are older and judge texts only.",
                default=DEFAULT_MODEL,
                choices=(
                    DEFAULT_MODEL,
                    "omni-moderation-2024-09-26",
                    "text-moderation-latest",
                    "text-moderation-stable",
                ),
            ),
            Setting("organization", "Organisation", help="Where a key has several."),
            Setting("project", "Project", help="Where a key has several."),
            Setting("base_url", "Address", default=DEFAULT_URL),
        ),
        batch_size=32,
        price="Free of charge.",
        max_bytes=MAX_IMAGE_BYTES,
        # What an account without a paid tier has: 250 a minute.
        per_second=4.0,
    )

    @property
    def model_version(self) -> str:
        return self.option("model") or DEFAULT_MODEL

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        if len(parts) == 1:
            return [self.judge_one(parts[0])]
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        judged = iter(self._judge_texts(texts))
        return [
            next(judged) if isinstance(part, TextPart) else self._judge_beside_others(part)
            for part in parts
        ]

    def judge_one(self, part: AnyPart) -> Answer:
        match part:
            case TextPart():
                return self._judge_texts([part.text])[0]
            case ImagePart():
                return self._judge_picture(part)
            case _:
                return super().judge_one(part)

    def _judge_beside_others(self, part: AnyPart) -> Answer:
        try:
            return self.judge_one(part)
        except ProviderRejected as refusal:
            return not_judged(str(refusal))

    def _judge_texts(self, texts: Sequence[str]) -> list[Answer]:
        if not texts:
            return []
        answer = self._ask(list(texts))
        return [
            self._answer(answer, result, _in_text(result))
            for result in results_of(answer, len(texts))
        ]

    def _judge_picture(self, part: ImagePart) -> Answer:
        """Return the worst of an animation's frames, each asked about by itself."""
        paths = part.frame_paths if part.kind == Part.GIF else (part.path,)
        if not paths:
            raise ProviderRejected("No frames of the animation are at hand.")
        return _worst([self._judge_image(path.read_bytes()) for path in paths])

    def _judge_image(self, content: bytes) -> Answer:
        if len(content) > MAX_IMAGE_BYTES:
            raise ProviderRejected("The picture is too large.")
        mime = filetype.guess_mime(content) or "image/jpeg"
        url = f"data:{mime};base64,{base64.b64encode(content).decode()}"
        answer = self._ask([{"type": "image_url", "image_url": {"url": url}}])
        result = results_of(answer, 1)[0]
        return self._answer(answer, result, _in_image(result))

    def _ask(self, given: object) -> Mapping[str, Any]:
        reply = self.send(
            "POST",
            f"{(self.option('base_url') or DEFAULT_URL).rstrip('/')}/v1/moderations",
            headers=self._headers(),
            json={"model": self.model_version, "input": given},
        )
        if reply.status != 200:
            _raise_for_error(reply)
        return read_json(reply)

    def _headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.secret('api_key')}"}
        for option, header in (
            ("organization", "OpenAI-Organization"),
            ("project", "OpenAI-Project"),
        ):
            if self.option(option):
                headers[header] = self.option(option)
        return headers

    def _answer(
        self,
        answer: Mapping[str, Any],
        result: Mapping[str, Any],
        scores: Mapping[Category, float],
    ) -> Answer:
        model = answer.get("model")
        return Answer(
            Outcome.JUDGED,
            scores=scores,
            raw=kept({"id": answer.get("id"), "model": model, "result": result}),
            model_version=model if isinstance(model, str) else self.model_version,
        )


def _worst(answers: Sequence[Answer]) -> Answer:
    """Return one answer for all frames: the highest score of each category."""
    first = answers[0]
    if any(answer.scores.keys() != first.scores.keys() for answer in answers):
        raise ProviderMalformed("Frames were judged by different categories.")
    if len(answers) == 1:
        return first
    return Answer(
        Outcome.JUDGED,
        scores={
            category: max(answer.scores[category] for answer in answers)
            for category in first.scores
        },
        raw=kept({"frames": [answer.raw for answer in answers]}),
        model_version=first.model_version,
    )


# --- reading an answer -------------------------------------------------------------------------


def _in_text(result: Mapping[str, Any]) -> dict[Category, float]:
    return scores_in(result, _LABELS)


def _in_image(result: Mapping[str, Any]) -> dict[Category, float]:
    return scores_in(result, _LABELS, applies=lambda label: _looked_for(label, result))


def _looked_for(label: str, result: Mapping[str, Any]) -> bool:
    """Whether the service looked for it in the image: others it scores 0 unlooked."""
    applied = result.get("category_applied_input_types")
    if not isinstance(applied, dict):
        return label in _SEEN_IN_IMAGES
    kinds = applied.get(label)
    return isinstance(kinds, list) and "image" in kinds


# --- reading an error --------------------------------------------------------------------------


def _raise_for_error(reply: Reply) -> None:
    error = _error_in(reply)
    says = {error.get("code"), error.get("type")}
    if says & _USED_UP:
        raise ProviderQuotaExhausted("The account's quota is used up.")
    if reply.status == 429 or "slow_down" in says:
        raise ProviderRateLimited("Asked to wait.", retry_after_seconds=_wait(reply, error))
    if "model_not_found" in says:
        raise ProviderAuthFailed("There is no such model for this key.")
    if reply.status == 409:
        raise ProviderUnavailable("Refused with 409.")
    raise_for_status(reply)
    raise ProviderMalformed(f"Answered with {reply.status}.")


def _error_in(reply: Reply) -> dict[str, str]:
    """Return the words of an error, none where the answer is of another shape."""
    try:
        error = json.loads(reply.content)["error"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}
    if not isinstance(error, dict):
        return {}
    return {key: value for key, value in error.items() if isinstance(value, str)}


def _wait(reply: Reply, error: Mapping[str, str]) -> float | None:
    told = retry_after_seconds(reply.headers)
    if told is not None:
        return told
    found = _WAIT.search(error.get("message", ""))
    if found is None or not any(found.groups()):
        return None
    try:
        minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    except ValueError:
        return None
    return minutes * 60 + seconds + milliseconds / 1000
