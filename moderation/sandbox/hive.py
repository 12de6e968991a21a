"""Hive: texts and pictures at once, videos by a callback that nothing but its address protects.

Beside scores, a text may say `[[language=xx]]`, and a file `[[fail=1]]` for a task that fails.
Refusals other than 429 are not documented: their bodies are invented here.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from moderation.sandbox.forms import read_form
from moderation.sandbox.marks import marked_scores, scores_of
from moderation.sandbox.protocol import Desk, Outgoing, Reply, Request

MAX_CHARS = 1024
# Some of the thirty or so that they know.
LANGUAGES = frozenset({"ar", "de", "en", "es", "fr", "it", "ja", "pt", "ru", "zh"})
# Severities 0 to 3.
GRADED = {
    "sexual": "sexual",
    "hate": "hate",
    "violence": "violence",
    "bullying": "harassment",
    "drugs": "drugs",
    "weapons": "weapons",
    "self_harm": "self_harm",
    "minor_explicitly_mentioned": "minor",
}
# 0 or 3.
TWO_LEVELS = {
    "spam": "spam",
    "promotions": "promotions",
    "gibberish": "gibberish",
    "child_exploitation": "sexual_minors",
    "phone_number": "personal_info",
}
# The classes of each head, of which the last one says that nothing is there.
HEADS: tuple[tuple[Mapping[str, str], str], ...] = (
    (
        {"general_nsfw": "sexual", "general_suggestive": "suggestive"},
        "general_not_nsfw_not_suggestive",
    ),
    ({"yes_female_swimwear": "swimwear"}, "no_female_swimwear"),
    (
        {"gun_in_hand": "weapons", "gun_not_in_hand": "gun", "animated_gun": "animated_gun"},
        "no_gun",
    ),
    ({"knife_in_hand": "violence", "culinary_knife_in_hand": "culinary_knife"}, "no_knife"),
    ({"very_bloody": "graphic", "a_little_bloody": "blood"}, "no_blood"),
    ({"yes_self_harm": "self_harm"}, "no_self_harm"),
    ({"yes_pills": "drugs"}, "no_pills"),
    ({"yes_nazi": "hate"}, "no_nazi"),
    ({"yes_terrorist": "extremism"}, "no_terrorist"),
    ({"yes_middle_finger": "profanity"}, "no_middle_finger"),
    ({"yes_child_present": "child"}, "no_child_present"),
)
_LANGUAGE = re.compile(r"\[\[language=([a-z]{2})\]\]")
_PATH = re.compile(r"/api/v[12]/task/(?:(?P<how>sync|async)|(?P<id>[0-9a-f-]{36}))")


@dataclass(slots=True)
class _Job:
    task: dict[str, object]
    polls: int = 0


class HiveService:
    prefix: ClassVar[str] = "hive"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}

    def answer(self, request: Request, desk: Desk) -> Reply:
        path = _PATH.fullmatch(request.path)
        if path is None:
            return self.failure(404, None)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "token" or key in ("", "bad-key"):
            return self.failure(401, None)
        if path["id"]:
            return self._read(path["id"])
        form = read_form(request)
        given = [name for name in ("url", "media", "text_data") if form.get(name)]
        is_long = len(form.get("text_data", b"").decode(errors="replace")) > MAX_CHARS
        if request.method != "POST" or len(given) != 1 or is_long:
            return self.failure(400, None)
        task = _task(form[given[0]], is_text=given[0] == "text_data")
        if path["how"] == "sync":
            return Reply(body=task)
        return self._start(task, form.get("callback_url", b"").decode(), desk)

    def failure(self, status: int, retry_after: str | None) -> Reply:
        message = "Project has been rate limited" if status == 429 else "Invented message"
        return Reply(status, {"return_code": status, "message": message})

    def _start(self, task: dict[str, object], address: str, desk: Desk) -> Reply:
        job_id = str(task["id"])
        with self._lock:
            self._jobs[job_id] = _Job(task)
        if address:
            desk.call_back(_make_callback(address, task, desk))
        return Reply(
            body={
                "id": job_id,
                "task_id": job_id,
                "message": "We received your task.",
                "project_id": 12345,
            }
        )

    def _read(self, job_id: str) -> Reply:
        """Invented, as far as Hive documents it: still running when it is first asked about."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                return self.failure(404, None)
            job.polls += 1
            if job.polls == 1:
                return Reply(body={"id": job_id, "status": []})
            return Reply(body=job.task)


def _make_callback(address: str, task: Mapping[str, object], desk: Desk) -> Callable[[], Outgoing]:
    def make() -> Outgoing:
        named = {**task, "id": desk.job_to_name(str(task["id"]))}
        return Outgoing(address, json.dumps(named).encode(), {"Content-Type": "application/json"})

    return make


def _task(content: bytes, *, is_text: bool) -> dict[str, object]:
    task_id = str(uuid.uuid4())
    made: dict[str, object] = {
        "id": task_id,
        "code": 200,
        "project_id": 12345,
        "user_id": 678,
        "created_on": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    if marked_scores(content).get("fail"):
        return {**made, "status": [{"status": {"code": "2000", "message": "DOWNLOAD_ERROR"}}]}
    response = _said(content.decode(errors="replace")) if is_text else _seen(content)
    entry = {"status": {"code": "0", "message": "SUCCESS"}, "response": response}
    return {**made, "status": [entry], "from_cache": False}


def _said(text: str) -> dict[str, object]:
    found = _LANGUAGE.search(text)
    language = found[1] if found else "en"
    graded = {name: round(3 * value) for name, value in scores_of(text, GRADED).items()}
    levels = {name: 3 * round(value) for name, value in scores_of(text, TWO_LEVELS).items()}
    severities = {**graded, **levels} if language in LANGUAGES else {}
    output = {
        "time": 0,
        "start_char_index": 0,
        "end_char_index": len(text),
        "classes": [{"class": name, "score": value} for name, value in severities.items()],
    }
    return {
        "input": {
            "text": text,
            "charge": 0.001,
            "model": "textmod_sandbox",
            "model_version": 1,
            "model_type": "TEXT_CLASSIFICATION",
        },
        "language": language.upper(),
        "moderated_classes": list(severities),
        "text_filters": [],
        "pii_entities": [],
        "urls": [],
        "output": [output],
    }


def _seen(content: bytes) -> dict[str, object]:
    """Return one frame of a still; of anything that moves three, the last one as marked."""
    shown = [content]
    if content.startswith(b"GIF8") or content[4:8] == b"ftyp" or content[:4] == b"\x1aE\xdf\xa3":
        plain = hashlib.sha256(content).digest()
        shown = [plain, plain + b".", content]
    return {
        "input": {
            "charge": 0.003,
            "model": "mod_sandbox",
            "model_version": 1,
            "model_type": "CATEGORIZATION",
            "media": {"num_frames": len(shown)},
        },
        "output": [{"time": at, "classes": _classes(one)} for at, one in enumerate(shown)],
    }


def _classes(content: bytes) -> list[dict[str, object]]:
    classes: list[dict[str, object]] = []
    for wanted, nothing in HEADS:
        scores = scores_of(content, wanted)
        rest = round(max(0.0, 1 - sum(scores.values())), 6)
        classes += [{"class": name, "score": value} for name, value in scores.items()]
        classes.append({"class": nothing, "score": rest})
    return classes
