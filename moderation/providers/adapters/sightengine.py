"""Sightengine: texts, pictures and animations at once, videos later.

A video is uploaded; its result comes to our callback address, signed, and can be read as well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from moderation.errors import (
    CallbackRefused,
    ProviderAuthFailed,
    ProviderGone,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.base import (
    Answer,
    AnyPart,
    Callback,
    Facts,
    ImagePart,
    Job,
    Notice,
    Setting,
    Span,
    TextPart,
    VideoPart,
)
from moderation.providers.shared.multipart import build_form, files_to_send
from moderation.providers.shared.reading import as_object, as_objects, highest
from moderation.providers.shared.service import (
    ServiceAdapter,
    kept,
    not_judged,
    raise_for_status,
    read_json,
    score,
)
from moderation.vocabulary import Category, Outcome, Part

# What they take in one request: https://sightengine.com/faq/recommended-video-dimensions-and-length
MAX_BYTES = 50_000_000
# They stop a video's moderation after half an hour.
_GIVE_UP_SECONDS = 2100.0
# They count polls and ask for callbacks instead: where one is due, polling only makes up for it.
_POLL_SECONDS, _POLL_BESIDE_CALLBACK_SECONDS = 20.0, 120.0
# A message older than this may be somebody's recording.
SIGNATURE_SECONDS = 300

_ML_LANGUAGES = frozenset({"en", "es", "fr", "it", "pt", "ru", "tr"})
_RULES_LANGUAGES = _ML_LANGUAGES | {"da", "de", "fi", "ko", "nl", "no", "pl", "sv", "tl", "zh"}
_VISUAL_MODELS = "nudity-2.1,weapon,gore-2.0,violence,self-harm,recreational_drug,offensive-2.0"

_Weights = tuple[tuple[Category, float], ...]

# Models of which single classes count: none of them is "how bad" as a whole.
_CLASSES: Mapping[str, Mapping[str, _Weights]] = {
    "nudity": {
        "sexual_activity": ((Category.SEXUAL, 1.0),),
        "sexual_display": ((Category.SEXUAL, 1.0),),
        "erotica": ((Category.SEXUAL, 1.0),),
        "very_suggestive": ((Category.SEXUAL, 0.6),),
        "suggestive": ((Category.SEXUAL, 0.3),),
        "mildly_suggestive": ((Category.SEXUAL, 0.15),),
    },
    "weapon": {
        "firearm": ((Category.WEAPONS, 1.0),),
        "knife": ((Category.WEAPONS, 1.0),),
        "firearm_toy": ((Category.WEAPONS, 0.3),),
        "firearm_gesture": ((Category.WEAPONS, 0.3),),
    },
    "offensive": {
        "nazi": ((Category.HATE, 1.0), (Category.EXTREMISM, 0.8)),
        "supremacist": ((Category.HATE, 1.0), (Category.EXTREMISM, 0.8)),
        "confederate": ((Category.HATE, 1.0), (Category.EXTREMISM, 0.8)),
        "terrorist": ((Category.EXTREMISM, 1.0),),
        "middle_finger": ((Category.PROFANITY, 0.8),),
    },
}
_MODELS: Mapping[str, _Weights] = {
    "gore": ((Category.GRAPHIC, 1.0),),
    "violence": ((Category.VIOLENCE, 1.0),),
    "self-harm": ((Category.SELF_HARM, 1.0),),
    "recreational_drug": ((Category.DRUGS, 1.0),),
    "medical": ((Category.DRUGS, 0.3),),
    "tobacco": ((Category.DRUGS, 0.3),),
    "alcohol": ((Category.DRUGS, 0.3),),
    "scam": ((Category.SPAM, 1.0),),
    "gambling": ((Category.OTHER, 0.5),),
    "money": ((Category.OTHER, 0.5),),
}
_TEXT: Mapping[str, _Weights] = {
    "sexual": ((Category.SEXUAL, 1.0),),
    "discriminatory": ((Category.HATE, 1.0),),
    "insulting": ((Category.HARASSMENT, 1.0),),
    "violent": ((Category.VIOLENCE, 1.0), (Category.THREAT, 0.8)),
    "toxic": ((Category.HARASSMENT, 0.8),),
    "self-harm": ((Category.SELF_HARM, 1.0),),
}
_INTENSITY = {"low": 0.4, "medium": 0.7, "high": 0.95}
# A match whose intensity is not said is taken for a middling one.
_RULES: Mapping[str, tuple[Category, float]] = {
    "profanity": (Category.PROFANITY, _INTENSITY["medium"]),
    "personal": (Category.PERSONAL_INFO, 1.0),
    "link": (Category.SPAM, 0.5),
}


class SightengineAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Sightengine",
        parts=frozenset({Part.TEXT, Part.IMAGE, Part.GIF, Part.VIDEO}),
        doc="sightengine",
        settings=(
            Setting("api_user", "API user", required=True, env="SIGHTENGINE_API_USER"),
            Setting(
                "api_secret",
                "API secret",
                is_secret=True,
                required=True,
                env="SIGHTENGINE_API_SECRET",
            ),
            Setting(
                "callback_secret",
                "Signing secret of callbacks",
                help="Begins with casec_. Without it nobody is called back and videos are polled.",
                is_secret=True,
                env="SIGHTENGINE_CALLBACK_SECRET",
            ),
            Setting(
                "text_mode",
                "How texts are judged",
                help="By their models (ml) or by their patterns (rules).",
                default="ml",
                choices=("ml", "rules"),
            ),
            Setting(
                "language",
                "Language",
                help="Said of texts of communities that expect none; ISO 639-1.",
                default="en",
            ),
            Setting(
                "image_models",
                "Models for pictures",
                help="With commas between; each is paid for.",
                default=_VISUAL_MODELS,
            ),
            Setting(
                "video_models",
                "Models for videos",
                help="With commas between; each is paid for, frame by frame.",
                default=_VISUAL_MODELS,
            ),
            Setting("base_url", "Address", default="https://api.sightengine.com"),
        ),
        price="By operations, one a model and picture or frame; amounts are not confirmed.",
        languages=_RULES_LANGUAGES,
        max_bytes=MAX_BYTES,
        # Uploads are held in memory, and take their time.
        concurrency=4,
        timeout_seconds=30.0,
        answers_later=True,
        signs_callbacks=True,
    )

    @property
    def model_version(self) -> str:
        asked = "|".join(
            self.option(name) for name in ("text_mode", "image_models", "video_models")
        )
        return f"sightengine-{self.revision}+{hashlib.sha256(asked.encode()).hexdigest()[:8]}"

    def judge_one(self, part: AnyPart) -> Answer:
        if isinstance(part, TextPart):
            return self._judge_text(part)
        if isinstance(part, ImagePart):
            return self._judge_picture(part)
        if isinstance(part, VideoPart):
            return self._start_video(part)
        return super().judge_one(part)

    def poll(self, job_id: str, kind: Part) -> Answer:
        """Return what became of a video, `PENDING` while it runs."""
        query = urlencode({"id": job_id, **self._credentials()})
        try:
            found = _checked(self.send("GET", f"{self._address('video/byid.json')}?{query}"))
        except ProviderGone:
            return Answer(Outcome.FAILED, error="job unknown")
        task = as_object(found.get("output", found))
        if as_object(task.get("media", {})).get("id", job_id) != job_id:
            raise ProviderMalformed("The answer is about another video.")
        return self._video_answer(task)

    def read_callback(self, callback: Callback) -> Notice:
        """Return what a signed message says. Raises `CallbackRefused` for any other."""
        self._check_signature(callback)
        try:
            said = json.loads(callback.body)
            job_id, data = said["media"]["id"], said["data"]
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise CallbackRefused("The message names no video.") from error
        if not isinstance(job_id, str) or not isinstance(data, dict):
            raise CallbackRefused("The message names no video.")
        # Messages have no ids of their own; a repeat is the same, letter by letter.
        message_id = hashlib.sha256(callback.token.encode() + b"\n" + callback.body).hexdigest()
        return Notice(message_id, job_id, self._final_answer(said))

    # --- requests -------------------------------------------------------------------------------

    def _judge_text(self, part: TextPart) -> Answer:
        by_rules = self.option("text_mode") == "rules"
        language = part.language or self.option("language")
        if language not in (_RULES_LANGUAGES if by_rules else _ML_LANGUAGES):
            return not_judged("language")
        mode = {"mode": "rules"} if by_rules else {"mode": "ml", "models": "general,self-harm"}
        form = {"text": part.text, "lang": language, **mode, **self._credentials()}
        reply = self.send(
            "POST",
            self._address("text/check.json"),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        found = _checked(reply)
        return self._rules_answer(found, part.text) if by_rules else self._text_answer(found)

    def _judge_picture(self, part: ImagePart) -> Answer:
        fields = {"models": self.option("image_models")}
        frames = [
            frame
            for path in files_to_send(part)
            for frame in _frames(self._upload("check.json", fields, path))
        ]
        return self._visual_answer(frames, {})

    def _start_video(self, part: VideoPart) -> Answer:
        token = secrets.token_urlsafe(32)
        address = self.account.callback_url(token) if self.secret("callback_secret") else ""
        fields = {"models": self.option("video_models")}
        if address:
            fields["callback_url"] = address
        found = self._upload("video/check.json", fields, part.path)
        job_id = as_object(found.get("media")).get("id")
        if not isinstance(job_id, str) or not job_id:
            raise ProviderMalformed("The answer names no video.")
        job = Job(
            job_id,
            token=token if address else "",
            poll_after_seconds=_POLL_BESIDE_CALLBACK_SECONDS if address else _POLL_SECONDS,
            give_up_after_seconds=_GIVE_UP_SECONDS,
        )
        # The whole answer repeats the callback's address, which nobody else is to know.
        raw: dict[str, object] = {
            name: found[name] for name in ("request", "media") if name in found
        }
        return Answer(Outcome.PENDING, raw=raw, model_version=self.model_version, job=job)

    def _upload(self, path: str, fields: Mapping[str, str], file: Path) -> dict[str, Any]:
        form = build_form(
            {**fields, **self._credentials()}, file_field="media", path=file, max_bytes=MAX_BYTES
        )
        return _checked(
            self.send("POST", self._address(path), headers=form.headers, content=form.body)
        )

    def _address(self, path: str) -> str:
        return f"{self.option('base_url').rstrip('/')}/1.0/{path}"

    def _credentials(self) -> dict[str, str]:
        return {"api_user": self.option("api_user"), "api_secret": self.secret("api_secret")}

    def _check_signature(self, callback: Callback) -> None:
        """https://sightengine.com/docs/callback-signature"""
        key = self.secret("callback_secret")
        if not key:
            raise CallbackRefused("No signing secret is set.")
        header = callback.headers.get("sightengine-signature", "")
        said = [part.strip().partition("=") for part in header.split(",")]
        at = next((value for name, _, value in said if name == "t"), "")
        if not (at.isdecimal() and len(at) <= 12) or abs(time.time() - int(at)) > SIGNATURE_SECONDS:
            raise CallbackRefused("The message is not of now.")
        signed = at.encode() + b"." + callback.body
        expected = hmac.new(key.encode(), signed, hashlib.sha256).hexdigest().encode()
        given = [value.encode() for name, _, value in said if name == "v1"]
        same = [hmac.compare_digest(expected, one) for one in given]
        if not any(same):
            raise CallbackRefused("The signature is not theirs.")

    # --- answers --------------------------------------------------------------------------------

    def _text_answer(self, found: dict[str, Any]) -> Answer:
        classes = as_object(found.get("moderation_classes"))
        weighed = (
            (category, weight * score(classes[label]))
            for label, weights in _TEXT.items()
            if label in classes
            for category, weight in weights
        )
        return self._judged(highest(weighed), kept(found))

    def _rules_answer(self, found: dict[str, Any], text: str) -> Answer:
        """A list that is there and empty says that nothing was found."""
        scores: dict[Category, float] = {}
        spans: list[Span] = []
        for name, (category, usual) in _RULES.items():
            if name not in found:
                continue
            matches = as_objects(as_object(found[name]).get("matches"))
            scores[category] = max(
                (_INTENSITY.get(str(one.get("intensity")), usual) for one in matches), default=0.0
            )
            spans.extend(_spans(matches, text, category))
        return self._judged(scores, kept(found), spans=spans)

    def _final_answer(self, task: Mapping[str, Any]) -> Answer | None:
        """Return None for a job that goes on, and for a result that has to be read again."""
        try:
            answer = self._video_answer(task)
        except ProviderMalformed:
            return None
        return None if answer.outcome == Outcome.PENDING else answer

    def _video_answer(self, task: Mapping[str, Any]) -> Answer:
        data = as_object(task.get("data"))
        status = data.get("status")
        about = {**task, "data": {name: data[name] for name in data if name != "frames"}}
        if status in ("failure", "stopped"):
            return Answer(
                Outcome.FAILED,
                error=str(status),
                raw=kept(about),
                model_version=self.model_version,
            )
        # Only what is known to be the end is taken for it.
        if status != "finished":
            return Answer(Outcome.PENDING, raw=kept(about), model_version=self.model_version)
        return self._visual_answer(as_objects(data.get("frames")), about)

    def _visual_answer(
        self, frames: Sequence[Mapping[str, Any]], about: Mapping[str, Any]
    ) -> Answer:
        """Return the highest scores of all frames; of the frames, the ones that have them."""
        scores: dict[Category, float] = {}
        worst: dict[Category, int] = {}
        for number, frame in enumerate(frames):
            for category, value in highest(_weighed(frame)).items():
                if value > scores.get(category, -1.0):
                    scores[category], worst[category] = value, number
        seen = [frames[number] for number in sorted(set(worst.values()))]
        return self._judged(
            scores, kept({**about, "frame_count": len(frames), "worst_frames": seen})
        )

    def _judged(
        self,
        scores: Mapping[Category, float],
        raw: Mapping[str, object],
        *,
        spans: Sequence[Span] = (),
    ) -> Answer:
        if not scores:
            raise ProviderMalformed("The answer holds no scores.")
        return Answer(
            Outcome.JUDGED, scores=scores, spans=spans, raw=raw, model_version=self.model_version
        )


# --- reading ------------------------------------------------------------------------------------


def _checked(reply: Reply) -> dict[str, Any]:
    """Return an answer that says it is one. Raises what a failure means, whatever its status."""
    try:
        found = read_json(reply)
    except ProviderMalformed:
        raise_for_status(reply)
        raise
    if reply.status < 300 and found.get("status") == "success":
        return found
    _raise_failure(found, reply)
    raise_for_status(reply)
    raise ProviderMalformed("The answer is neither a success nor a known failure.")


def _raise_failure(found: Mapping[str, Any], reply: Reply) -> None:
    """https://sightengine.com/docs/api-error-codes-and-responses"""
    error = found.get("error")
    kind, code = (error.get("type"), error.get("code")) if isinstance(error, dict) else ("", 0)
    if kind == "usage_limit":
        raise ProviderQuotaExhausted("The plan's operations are used up.")
    if reply.status == 429 or reply.status >= 500:
        raise_for_status(reply)
    # Code 1 of argument errors is a wrong user or secret.
    if kind in ("credentials_error", "plan_error") or (kind, code) == ("argument_error", 1):
        raise ProviderAuthFailed(f"Refused: {kind}.")
    if kind in ("api_error", "unknown_error"):
        raise ProviderUnavailable(f"Failed: {kind}.")
    if kind in ("argument_error", "callback_error", "media_error", "request_error"):
        raise ProviderRejected(f"Refused: {kind}.")


def _frames(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what an answer says of each frame: of a still there is one."""
    data = found.get("data")
    return [dict(found)] if data is None else as_objects(as_object(data).get("frames"))


def _weighed(frame: Mapping[str, Any]) -> Iterator[tuple[Category, float]]:
    for model, classes in _CLASSES.items():
        if model in frame:
            leaves = as_object(frame[model])
            # Which of both forms a model has differs between its versions.
            leaves = {**leaves, **as_object(leaves.get("classes", {}))}
            for label, weights in classes.items():
                if label in leaves:
                    yield from ((one, weight * score(leaves[label])) for one, weight in weights)
    for model, weights in _MODELS.items():
        if model in frame:
            value = _whole(as_object(frame[model]))
            yield from ((one, weight * value) for one, weight in weights)


def _whole(found: Mapping[str, Any]) -> float:
    """Return a model's own sum of its classes, or the highest of them."""
    if "prob" in found:
        return score(found["prob"])
    leaves = [
        score(value)
        for value in as_object(found.get("classes", found)).values()
        if not isinstance(value, dict)
    ]
    if not leaves:
        raise ProviderMalformed("A model has no score.")
    return max(leaves)


def _spans(matches: Iterable[Mapping[str, Any]], text: str, category: Category) -> Iterator[Span]:
    """Whether an end is inclusive is not documented: the match itself tells."""
    for one in matches:
        start, end, match = one.get("start"), one.get("end"), one.get("match")
        if isinstance(start, int) and isinstance(end, int):
            for stop in (end, end + 1):
                if text[start:stop] == match:
                    yield Span(start, stop, category)
