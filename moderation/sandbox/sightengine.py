"""Sightengine: texts and pictures at once, videos with signed callbacks and a poll.

Beside scores, a video may say `[[fail=1]]` or `[[stopped=1]]` for how its job ends, and
`[[event=1]]` for a callback before the end. The API secret `no-quota` has used up its plan.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from moderation.sandbox.forms import read_form
from moderation.sandbox.marks import marked_scores, scores_of
from moderation.sandbox.protocol import Desk, Outgoing, Reply, Request

# What callbacks are signed with.
SIGNING_SECRET = "casec_sandbox"  # noqa: S105
MAX_BYTES = 50_000_000
ML_LANGUAGES = frozenset({"en", "es", "fr", "it", "pt", "ru", "tr"})
TEXT = {
    "sexual": "sexual",
    "discriminatory": "hate",
    "insulting": "harassment",
    "violent": "violence",
    "toxic": "toxic",
}
SELF_HARM = {"self-harm": "self_harm"}
# What is said of a picture as a whole, by its model.
WHOLE = {
    "gore": "graphic",
    "violence": "violence",
    "self-harm": "self_harm",
    "recreational_drug": "drugs",
    "medical": "medical",
    "tobacco": "tobacco",
    "alcohol": "alcohol",
    "scam": "spam",
    "gambling": "gambling",
    "money": "money",
}
NUDITY = {
    "sexual_activity": "sexual",
    "sexual_display": "sexual",
    "erotica": "sexual",
    "very_suggestive": "very_suggestive",
    "suggestive": "suggestive",
    "mildly_suggestive": "mildly_suggestive",
}
WEAPON = {
    "firearm": "weapons",
    "firearm_gesture": "firearm_gesture",
    "firearm_toy": "firearm_toy",
    "knife": "knife",
}
OFFENSIVE = {
    "nazi": "hate",
    "confederate": "confederate",
    "supremacist": "supremacist",
    "terrorist": "extremism",
    "middle_finger": "profanity",
}
_VERSION = re.compile(r"-\d+(\.\d+)?$")
_RULES = {
    "profanity": (re.compile(r"\b(moron|idiot)s?\b", re.IGNORECASE), "insult"),
    "personal": (re.compile(r"[\w.]+@[\w.]+\w"), "email"),
    "link": (re.compile(r"https?://\S+"), "url"),
}
_ERROR_TYPES = {400: "argument_error", 401: "credentials_error", 403: "plan_error"}


@dataclass(slots=True)
class _Job:
    content: bytes
    models: tuple[str, ...]
    request_id: str
    polls: int = 0
    is_told: bool = False


class SightengineService:
    prefix: ClassVar[str] = "sightengine"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}

    def answer(self, request: Request, desk: Desk) -> Reply:
        form = read_form(request)
        refused = _refusal(form)
        if refused is not None:
            return refused
        match request.method, request.path:
            case "POST", "/1.0/text/check.json":
                return _check_text(form)
            case "GET" | "POST", "/1.0/check.json":
                return _check_media(form, is_video=False)
            case "GET" | "POST", "/1.0/video/check-sync.json":
                return _check_media(form, is_video=True)
            case "GET" | "POST", "/1.0/video/check.json":
                return self._start(form, desk)
            case "GET", "/1.0/video/byid.json":
                return self._read(form)
        return self.failure(404, None)

    def failure(self, status: int, retry_after: str | None) -> Reply:
        if status in (404, 410):
            return Reply(status, b"<html>Not here</html>", {"Content-Type": "text/html"})
        kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "request_error")
        return _error(status, kind, 99, "This failure was asked for")

    def _start(self, form: Mapping[str, bytes], desk: Desk) -> Reply:
        content, wrong = _content(form, "stream_url")
        models = _models(form)
        if wrong is not None:
            return wrong
        if not models:
            return _error(400, "argument_error", 7, "Unknown models")
        job_id = f"med_{secrets.token_hex(10)}"
        job = _Job(content, models, f"req_{secrets.token_hex(8)}")
        with self._lock:
            self._jobs[job_id] = job
        address = form.get("callback_url", b"").decode()
        if address:
            if marked_scores(content).get("event"):
                desk.call_back(lambda: _callback(address, job_id, job, desk, status="ongoing"))
            desk.call_back(lambda: _callback(address, job_id, job, desk))
        about = {"id": job_id, "uri": "video"}
        return _success({"media": about, "callback": address}, job.request_id)

    def _read(self, form: Mapping[str, bytes]) -> Reply:
        """A job that nobody was told of is still running when it is first asked about."""
        job_id = form.get("id", b"").decode()
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                return _error(400, "argument_error", 5, "Unknown media id")
            job.polls += 1
            is_done = job.is_told or job.polls > 1
        return _success({"output": _result(job_id, job, "" if is_done else "ongoing")})


def _refusal(form: Mapping[str, bytes]) -> Reply | None:
    user, secret = form.get("api_user"), form.get("api_secret")
    if not user or not secret or b"bad-key" in (user, secret):
        return _error(400, "argument_error", 1, "Incorrect API user or API secret")
    if secret == b"no-quota":
        return _error(429, "usage_limit", 32, "Daily usage limit reached")
    return None


# --- texts ----------------------------------------------------------------------------------------


def _check_text(form: Mapping[str, bytes]) -> Reply:
    text, mode = form.get("text", b"").decode(), form.get("mode", b"").decode()
    if not text or mode not in ("ml", "rules"):
        return _error(400, "argument_error", 3, "Missing text or unknown mode")
    if mode == "rules":
        return _success({name: {"matches": _matches(text, name)} for name in _RULES})
    languages = set(form.get("lang", b"en").decode().split(","))
    models = form.get("models", b"").decode().split(",")
    if not languages <= ML_LANGUAGES or not set(models) <= {"general", "self-harm"}:
        return _error(400, "argument_error", 4, "Unknown language or model")
    wanted = {
        **(TEXT if "general" in models else {}),
        **(SELF_HARM if "self-harm" in models else {}),
    }
    classes = scores_of(text, wanted)
    return _success({"moderation_classes": {"available": list(classes), **classes}})


def _matches(text: str, name: str) -> list[dict[str, object]]:
    pattern, kind = _RULES[name]
    return [
        {
            "type": kind,
            **({"intensity": "medium"} if name == "profanity" else {}),
            "match": found[0],
            "start": found.start(),
            "end": found.end() - 1,
        }
        for found in pattern.finditer(text)
    ]


# --- pictures and videos --------------------------------------------------------------------------


def _check_media(form: Mapping[str, bytes], *, is_video: bool) -> Reply:
    content, wrong = _content(form, "stream_url" if is_video else "url")
    models = _models(form)
    if wrong is not None:
        return wrong
    if not models:
        return _error(400, "argument_error", 7, "Unknown models")
    about = {"id": f"med_{secrets.token_hex(10)}", "uri": "media"}
    # Every frame of an animation is looked at.
    if is_video or content.startswith(b"GIF8"):
        frames = _frames(about["id"], content, models)
        return _success({"data": {"frames": frames}, "media": about})
    return _success({**_seen(content, models), "media": about})


def _content(form: Mapping[str, bytes], address_field: str) -> tuple[bytes, Reply | None]:
    """Return what is to be judged. Nothing is fetched: an address holds its own marks."""
    content = form.get("media") or form.get(address_field, b"")
    if not content:
        return b"", _error(400, "media_error", 11, "No media")
    if len(content) > MAX_BYTES:
        return b"", _error(400, "media_error", 12, "Media too large")
    return content, None


def _models(form: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names under which models answer, none where one is not known."""
    asked = form.get("models", b"").decode().split(",")
    names = tuple(_VERSION.sub("", name) for name in asked)
    return names if set(names) <= {"nudity", "weapon", "offensive", *WHOLE} else ()


def _seen(content: bytes, models: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for model in models:
        if model == "nudity":
            scores = scores_of(content, NUDITY)
            found[model] = {**scores, "none": round(1 - max(scores.values()), 6)}
        elif model == "weapon":
            found[model] = {"classes": scores_of(content, WEAPON)}
        elif model == "offensive":
            scores = scores_of(content, OFFENSIVE)
            found[model] = {"prob": max(scores.values()), **scores}
        else:
            found[model] = {"prob": scores_of(content, {model: WHOLE[model]})[model]}
    return found


def _frames(job_id: str, content: bytes, models: tuple[str, ...]) -> list[dict[str, object]]:
    """Return three frames, of which the last one shows what the content's marks ask for."""
    plain = hashlib.sha256(content).digest()
    return [
        {"info": {"id": f"{job_id}_{number}", "position": number * 1000}, **_seen(shown, models)}
        for number, shown in enumerate((plain, plain + b".", content))
    ]


def _result(job_id: str, job: _Job, status: str) -> dict[str, object]:
    marks = marked_scores(job.content)
    final = "failure" if marks.get("fail") else "stopped" if marks.get("stopped") else "finished"
    data: dict[str, object] = {"status": status or final, "frames": []}
    if data["status"] == "finished":
        data["frames"] = _frames(job_id, job.content, job.models)
    return {"media": {"id": job_id, "uri": "video"}, "request": job.request_id, "data": data}


def _callback(url: str, job_id: str, job: _Job, desk: Desk, status: str = "") -> Outgoing:
    job.is_told = job.is_told or not status
    body = json.dumps(_result(desk.job_to_name(job_id), job, status)).encode()
    at = int(desk.now())
    headers = {"Content-Type": "application/json", "Sightengine-Signature": sign(body, at)}
    return Outgoing(url, body, headers)


def sign(body: bytes, at: int, key: str = SIGNING_SECRET) -> str:
    """Return the header that goes with a callback; `at` is Unix time."""
    signature = hmac.new(key.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signature}"


# --- answers --------------------------------------------------------------------------------------


def _success(found: Mapping[str, object], request_id: str = "") -> Reply:
    return Reply(body={"status": "success", "request": _request(request_id), **found})


def _error(status: int, kind: str, code: int, message: str) -> Reply:
    return Reply(
        status,
        {
            "status": "failure",
            "request": {**_request(), "operations": 0},
            "error": {"type": kind, "code": code, "message": message},
        },
    )


def _request(request_id: str = "") -> dict[str, object]:
    return {
        "id": request_id or f"req_{secrets.token_hex(8)}",
        "timestamp": round(time.time(), 2),
        "operations": 1,
    }
