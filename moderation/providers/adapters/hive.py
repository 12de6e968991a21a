"""Hive: texts, pictures and animations at once; videos later, told to an address nobody can guess.

Hive has a key for each project, and a project judges either texts or what is seen.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from moderation.errors import (
    CallbackRefused,
    ProviderError,
    ProviderMalformed,
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

# What one request takes: https://docs.thehive.ai/docs/text-moderation-api
CHUNK_CHARS = 1024
MAX_CHARS = 32 * CHUNK_CHARS
# Not documented. An upload is held in memory.
MAX_BYTES = 50_000_000
_SEVEREST = 3
# From here on a child and something sexual in one frame count as both together.
_TOGETHER = 0.5
_POLL_SECONDS, _GIVE_UP_SECONDS = 60.0, 1800.0

_Weights = tuple[tuple[Category, float], ...]

_SEXUAL: _Weights = ((Category.SEXUAL, 1.0),)
_SUGGESTIVE: _Weights = ((Category.SEXUAL, 0.5),)
_SCANTY: _Weights = ((Category.SEXUAL, 0.2),)
_HATEFUL: _Weights = ((Category.HATE, 1.0), (Category.EXTREMISM, 0.8))
_IN_HAND: _Weights = ((Category.WEAPONS, 1.0), (Category.VIOLENCE, 0.4))
_HANGING: _Weights = ((Category.SELF_HARM, 0.8), (Category.GRAPHIC, 0.8))

# A class that is not here says that something is not there, or counts for nothing.
_SEEN: Mapping[str, _Weights] = {
    "general_nsfw": _SEXUAL,
    "yes_sexual_activity": _SEXUAL,
    "yes_female_nudity": _SEXUAL,
    "yes_male_nudity": _SEXUAL,
    "yes_realistic_nsfw": _SEXUAL,
    "yes_sex_toy": _SEXUAL,
    "general_suggestive": _SUGGESTIVE,
    "yes_sexual_intent": _SUGGESTIVE,
    "yes_undressed": _SUGGESTIVE,
    "yes_female_underwear": _SCANTY,
    "yes_male_underwear": _SCANTY,
    "yes_female_swimwear": _SCANTY,
    "yes_male_shirtless": _SCANTY,
    "gun_in_hand": _IN_HAND,
    "knife_in_hand": _IN_HAND,
    "gun_not_in_hand": ((Category.WEAPONS, 0.9),),
    "knife_not_in_hand": ((Category.WEAPONS, 0.6),),
    "animated_gun": ((Category.WEAPONS, 0.3),),
    "very_bloody": ((Category.GRAPHIC, 1.0),),
    "a_little_bloody": ((Category.GRAPHIC, 0.5),),
    "other_blood": ((Category.GRAPHIC, 0.3),),
    "human_corpse": ((Category.GRAPHIC, 1.0),),
    "yes_emaciated_body": ((Category.GRAPHIC, 1.0),),
    "animated_corpse": ((Category.GRAPHIC, 0.4),),
    "hanging": _HANGING,
    "noose": _HANGING,
    "yes_self_harm": ((Category.SELF_HARM, 1.0),),
    "illicit_injectables": ((Category.DRUGS, 1.0),),
    "yes_pills": ((Category.DRUGS, 0.6),),
    "yes_smoking": ((Category.DRUGS, 0.3),),
    "yes_alcohol": ((Category.DRUGS, 0.3),),
    "yes_nazi": _HATEFUL,
    "yes_kkk": _HATEFUL,
    "yes_confederate": _HATEFUL,
    "yes_terrorist": ((Category.EXTREMISM, 1.0),),
    "yes_middle_finger": ((Category.PROFANITY, 0.8),),
}
_SAID: Mapping[str, _Weights] = {
    "sexual": _SEXUAL,
    "sexual_description": _SEXUAL,
    "hate": ((Category.HATE, 1.0),),
    "violence": ((Category.VIOLENCE, 1.0),),
    "violent_description": ((Category.VIOLENCE, 1.0),),
    "bullying": ((Category.HARASSMENT, 1.0),),
    "drugs": ((Category.DRUGS, 1.0),),
    "weapons": ((Category.WEAPONS, 1.0),),
    "child_exploitation": ((Category.SEXUAL_MINORS, 1.0),),
    "child_safety": ((Category.SEXUAL_MINORS, 1.0),),
    "self_harm": ((Category.SELF_HARM, 1.0),),
    "self_harm_intent": ((Category.SELF_HARM, 1.0),),
    "spam": ((Category.SPAM, 1.0),),
    "promotions": ((Category.SPAM, 0.7),),
    "redirection": ((Category.SPAM, 0.7),),
    "gibberish": ((Category.SPAM, 0.4),),
    "phone_number": ((Category.PERSONAL_INFO, 1.0),),
}
_MINOR_MENTIONED = frozenset({"minor_implicitly_mentioned", "minor_explicitly_mentioned"})


class HiveAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Hive",
        parts=frozenset({Part.TEXT, Part.IMAGE, Part.GIF, Part.VIDEO}),
        doc="hive",
        settings=(
            Setting(
                "text_key",
                "Key of the text project",
                help="Without it no texts are judged.",
                is_secret=True,
                env="HIVE_TEXT_API_KEY",
            ),
            Setting(
                "visual_key",
                "Key of the visual project",
                help="Without it no pictures and videos are judged.",
                is_secret=True,
                env="HIVE_VISUAL_API_KEY",
            ),
            Setting(
                "pictures",
                "Pictures are answered",
                help="Later: Hive calls back, as it does for videos.",
                default="at once",
                choices=("at once", "later"),
            ),
            Setting("base_url", "Address", default="https://api.thehive.ai"),
            Setting("sync_path", "Path of questions", default="/api/v2/task/sync"),
            Setting("async_path", "Path of jobs", default="/api/v2/task/async"),
            Setting(
                "status_path",
                "Path of a job's result",
                help="Not documented by Hive. A job that cannot be read waits for its callback.",
                default="/api/v2/task/{id}",
            ),
        ),
        cost_micros=3_000,
        price="As samples say: 0.003 USD a picture or second of video, 0.001 USD a text; "
        "by contract, not confirmed.",
        max_chars=MAX_CHARS,
        max_bytes=MAX_BYTES,
        concurrency=4,
        timeout_seconds=30.0,
        answers_later=True,
    )

    @property
    def parts(self) -> frozenset[Part]:
        texts = {Part.TEXT} if self.secret("text_key") else set()
        seen = {Part.IMAGE, Part.GIF, Part.VIDEO} if self.secret("visual_key") else set()
        return frozenset(texts | seen)

    def is_available(self) -> bool:
        return bool(self.parts)

    def judge_one(self, part: AnyPart) -> Answer:
        if part.kind not in self.parts:
            return super().judge_one(part)
        if isinstance(part, TextPart):
            return self._judge_text(part)
        if isinstance(part, VideoPart):
            return self._start(part.path)
        if isinstance(part, ImagePart):
            return self._judge_picture(part)
        return super().judge_one(part)

    def poll(self, job_id: str, kind: Part) -> Answer:
        """Return what became of a job, `PENDING` while it runs or cannot be read."""
        pending = Answer(Outcome.PENDING)
        path = self.option("status_path").replace("{id}", quote(job_id, safe=""))
        if not path:
            return pending
        reply = self.send("GET", self._address(path), headers=self._key(kind))
        # Where results are to be read is hearsay: a refusal says nothing of job or key.
        if 400 <= reply.status < 500 and reply.status != 429:
            return pending
        raise_for_status(reply)
        try:
            task = read_json(reply)
        except ProviderMalformed:
            return pending
        return self._settled(task) if _is_done(task) else pending

    def read_callback(self, callback: Callback) -> Notice:
        """Return what a message says that came to a job's own address; Hive signs nothing.

        Raises `CallbackRefused` for one that is no result.
        """
        if not callback.token:
            raise CallbackRefused("The address names no job.")
        try:
            task = json.loads(callback.body)
        except (ValueError, RecursionError) as error:
            raise CallbackRefused("The message is no JSON.") from error
        job_id = _task_id(task) if isinstance(task, dict) else ""
        if not job_id or not _is_done(task):
            raise CallbackRefused("The message is no result.")
        message_id = hashlib.sha256(callback.token.encode() + b"\n" + callback.body).hexdigest()
        try:
            return Notice(message_id, job_id, self._settled(task))
        except ProviderMalformed as error:
            raise CallbackRefused("The result means nothing.") from error

    # --- requests -------------------------------------------------------------------------------

    def _judge_text(self, part: TextPart) -> Answer:
        if len(part.text) > MAX_CHARS:
            raise ProviderRejected(f"The text is longer than {MAX_CHARS} characters.")
        heard = _Heard()
        for start, chunk in _chunks(part.text):
            reply = self.send(
                "POST",
                self._address(self.option("sync_path")),
                headers={
                    **self._key(Part.TEXT),
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                content=urlencode({"text_data": chunk}).encode(),
            )
            heard.add(_checked(reply), start, len(chunk))
        return heard.answer()

    def _judge_picture(self, part: ImagePart) -> Answer:
        files = files_to_send(part)
        if self.option("pictures") == "later" and len(files) == 1:
            return self._start(files[0])
        return _seen_answer([self._upload("sync_path", path, {}) for path in files])

    def _start(self, path: Path) -> Answer:
        token = secrets.token_urlsafe(32)
        address = self.account.callback_url(token)
        if not address:
            raise ProviderRejected("This site has no public address that Hive could call back.")
        job_id = _task_id(self._upload("async_path", path, {"callback_url": address}))
        if not job_id:
            raise ProviderMalformed("The answer names no job.")
        job = Job(job_id, token, _POLL_SECONDS, _GIVE_UP_SECONDS)
        return Answer(Outcome.PENDING, raw={"task_id": job_id}, job=job)

    def _upload(self, path_of: str, file: Path, fields: Mapping[str, str]) -> dict[str, Any]:
        form = build_form(fields, file_field="media", path=file, max_bytes=MAX_BYTES)
        reply = self.send(
            "POST",
            self._address(self.option(path_of)),
            headers={**self._key(Part.IMAGE), **form.headers},
            content=form.body,
        )
        return _checked(reply)

    def _settled(self, task: dict[str, Any]) -> Answer:
        """Return a finished job's answer, also when all it says is that it failed."""
        try:
            return _seen_answer([task])
        except ProviderMalformed:
            raise
        except ProviderError as error:
            return Answer(Outcome.FAILED, error=str(error), raw=kept(task))

    def _address(self, path: str) -> str:
        return self.option("base_url").rstrip("/") + path

    def _key(self, kind: Part) -> dict[str, str]:
        key = self.secret("text_key" if kind == Part.TEXT else "visual_key")
        return {"authorization": f"token {key}"}


# --- what is seen ---------------------------------------------------------------------------------


def _seen_answer(tasks: Sequence[dict[str, Any]]) -> Answer:
    """Return the highest scores of all frames; as evidence, the frames that have them."""
    responses = [response for task in tasks for response in _responses(task)]
    frames = [frame for response in responses for frame in as_objects(response.get("output"))]
    scores: dict[Category, float] = {}
    worst: dict[Category, int] = {}
    for number, frame in enumerate(frames):
        for category, value in _frame_scores(frame).items():
            if value > scores.get(category, -1.0):
                scores[category], worst[category] = value, number
    if not scores:
        raise ProviderMalformed("The answer holds no scores.")
    raw = {
        "inputs": [response.get("input") for response in responses],
        "frame_count": len(frames),
        "worst_frames": [frames[number] for number in sorted(set(worst.values()))],
    }
    return Answer(
        Outcome.JUDGED,
        scores=scores,
        raw=kept(raw),
        model_version=_model(responses),
        cost_micros=_charged(responses),
    )


def _frame_scores(frame: Mapping[str, Any]) -> dict[Category, float]:
    classes = {name: score(value) for name, value in _classes(frame) if value >= 0}
    found = highest(
        (category, weight * value)
        for name, value in classes.items()
        for category, weight in _SEEN.get(name, ())
    )
    sexual = found.get(Category.SEXUAL, 0.0)
    if classes.get("yes_child_present", 0.0) >= _TOGETHER and sexual >= _TOGETHER:
        found[Category.SEXUAL_MINORS] = sexual
    return found


# --- what is said ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    """What the pieces of a text were said to be, gathered into one answer."""

    scores: dict[Category, float] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    # Which categories were judged in every piece so far.
    throughout: frozenset[Category] = frozenset(Category)
    knows_language: bool = True

    def add(self, task: dict[str, Any], start: int, chars: int) -> None:
        """`start` and `chars` say which piece of the text the task is about."""
        judged: set[Category] = set()
        for response in _responses(task):
            self.responses.append(response)
            for output in as_objects(response.get("output")):
                # Samples have what is beside the classes in the response or in the output.
                both = {**response, **output}
                found = _text_scores(both)
                judged |= found.keys()
                self.knows_language &= both.get("moderated_classes") != []
                self.scores = highest([*self.scores.items(), *found.items()])
                self.spans += _spans(both, found, start, chars)
        self.throughout &= judged

    def answer(self) -> Answer:
        # A zero counts only if every piece was judged.
        scores = {
            category: value
            for category, value in self.scores.items()
            if value > 0 or category in self.throughout
        }
        raw = kept({"responses": self.responses})
        if not scores and not self.knows_language:
            return not_judged("language", raw=raw)
        if not scores:
            raise ProviderMalformed("The answer holds no scores.")
        return Answer(
            Outcome.JUDGED,
            scores=scores,
            spans=self.spans,
            raw=raw,
            model_version=_model(self.responses),
            cost_micros=_charged(self.responses),
        )


def _spans(
    output: Mapping[str, Any], found: Mapping[Category, float], start: int, chars: int
) -> Iterator[Span]:
    first, last = output.get("start_char_index"), output.get("end_char_index")
    if isinstance(first, int) and isinstance(last, int) and 0 <= first < last <= chars:
        for category, value in found.items():
            if value > 0:
                yield Span(start + first, start + last, category)


def _text_scores(output: Mapping[str, Any]) -> dict[Category, float]:
    judged = output.get("moderated_classes")
    if judged == []:
        return {}
    # A zero for a class that was not moderated says nothing.
    severities = {
        name: _severity(value)
        for name, value in _classes(output)
        if value > 0 or (value == 0 and (not isinstance(judged, list) or name in judged))
    }
    found = highest(
        (category, weight * value)
        for name, value in severities.items()
        for category, weight in _SAID.get(name, ())
    )
    if any(severities.get(name, 0) > 0 for name in _MINOR_MENTIONED):
        sexual = severities.get("sexual", 0)
        if sexual > 0:
            found[Category.SEXUAL_MINORS] = max(sexual, found.get(Category.SEXUAL_MINORS, 0.0))
    entities = output.get("pii_entities")
    if isinstance(entities, list):
        by_entity = 1.0 if entities else 0.0
        found[Category.PERSONAL_INFO] = max(by_entity, found.get(Category.PERSONAL_INFO, 0.0))
    return found


def _severity(value: float) -> float:
    # An integer of any length is JSON, and cannot always be divided.
    if value > _SEVEREST:
        raise ProviderMalformed("A severity is beyond the severest.")
    return score(value / _SEVEREST)


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text between words where it can be, with where each piece begins."""
    start = 0
    while len(text) - start > CHUNK_CHARS:
        cut = text.rfind(" ", start + 1, start + CHUNK_CHARS)
        stop = start + CHUNK_CHARS if cut < 0 else cut
        yield start, text[start:stop]
        start = stop
    yield start, text[start:]


# --- tasks ----------------------------------------------------------------------------------------


def _checked(reply: Reply) -> dict[str, Any]:
    """Return a task. Raises what a status means, of the answer or written into it."""
    raise_for_status(reply)
    found = read_json(reply)
    code = found.get("return_code")
    if isinstance(code, int) and code >= 400:
        raise_for_status(replace(reply, status=code))
    return found


def _task_id(task: Mapping[str, Any]) -> str:
    """Samples call it task_id, id or both."""
    found = task.get("task_id") or task.get("id")
    return found if isinstance(found, str) else ""


def _is_done(task: Mapping[str, Any]) -> bool:
    entries = task.get("status")
    return isinstance(entries, list) and any(
        isinstance(one, dict) and ("response" in one or _has_failed(_code(one))) for one in entries
    )


def _responses(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each model of a project answered. Raises what a failure of one means."""
    entries = as_objects(task.get("status"))
    if not entries:
        raise ProviderMalformed("The task has no result.")
    for entry in entries:
        code = _code(entry)
        if code == "1000":
            raise ProviderUnavailable("The task failed with 1000.")
        # The 2000s are files that could not be fetched or read.
        if _has_failed(code):
            raise ProviderRejected(f"The task failed with {code[:20]}.")
    return [as_object(entry.get("response")) for entry in entries]


def _has_failed(code: str) -> bool:
    return code.isdecimal() and code != "0"


def _code(entry: Mapping[str, Any]) -> str:
    status = entry.get("status")
    return str(status.get("code", "")) if isinstance(status, dict) else ""


def _classes(output: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for one in as_objects(output.get("classes")):
        name, value = one.get("class"), one.get("score")
        if not isinstance(name, str) or isinstance(value, bool):
            raise ProviderMalformed("A class has no name or no score.")
        if not isinstance(value, int | float):
            raise ProviderMalformed("A class has no score.")
        yield name, value


def _model(responses: Sequence[Mapping[str, Any]]) -> str:
    names = []
    for response in responses:
        about = response.get("input")
        if isinstance(about, dict) and about.get("model"):
            names.append(f"{about['model']}/{about.get('model_version', '')}")
    return "+".join(dict.fromkeys(names))[:100]


def _charged(responses: Sequence[Mapping[str, Any]]) -> int:
    """Return the sum in millionths of a dollar, as far as it is said."""
    micros = 0.0
    for response in responses:
        about = response.get("input")
        try:
            micros += float(about["charge"]) * 1_000_000 if isinstance(about, dict) else 0.0
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return round(micros) if 0 <= micros < float("inf") else 0
