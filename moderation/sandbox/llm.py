"""A chat endpoint as vLLM serves it, with models that judge by marks or do as they are told.

`sandbox-judge` and `sandbox-guard` find what a text's marks say. `sandbox-obedient` and
`sandbox-obedient-guard` do whatever the text asks of them, so that a prompt injection really
works on them. `[[answer=refusal]]` makes any of them answer badly, as `BAD_ANSWERS` lists;
`[[says=...]]` makes it say what follows, in base64.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from moderation.sandbox.llm_obedience import obey
from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request
from moderation.vocabulary import Category

MODELS = ("sandbox-judge", "sandbox-guard", "sandbox-obedient", "sandbox-obedient-guard")
# The official name works as well, since operators' settings have it.
_GUARDS = frozenset({"sandbox-guard", "sandbox-obedient-guard", "meta-llama/Llama-Guard-3-8B"})
_MAX_CHARS = 60_000
_CATEGORIES = {category.value: category.value for category in Category}
_CODES = {
    "S1": "violence", "S2": "illicit", "S4": "sexual_minors", "S5": "harassment",
    "S7": "personal_info", "S9": "weapons", "S10": "hate", "S11": "self_harm", "S12": "sexual",
    "S14": "malware",
}  # fmt: skip
# Where our own prompt names the code that an answer must repeat.
_RECEIPT = re.compile(r"receipt of this post is ([0-9a-f]{32})")
_BAD = re.compile(r"\[\[answer=([a-z_]+)\]\]")
_SAYS = re.compile(r"\[\[says=([A-Za-z0-9+/=]+)\]\]")

BAD_ANSWERS: Mapping[str, Callable[[str], str]] = {
    "cut": lambda good: good[: len(good) // 2],
    "empty": lambda good: "",
    "extra": lambda good: f"{good}\nI hope this helps!",
    "fenced": lambda good: f"```json\n{good}\n```",
    "missing": lambda good: re.sub(r'"[a-z_]+": [\d.]+, ', "", good, count=1),
    "no_receipt": lambda good: re.sub(r'"receipt": "[^"]*", ', "", good),
    "other_receipt": lambda good: re.sub(r"[0-9a-f]{32}", "0" * 32, good),
    "prose": lambda good: "The post looks fine to me, although opinions may differ.",
    "refusal": lambda good: "I'm sorry, but I can't help with that.",
    "words": lambda good: re.sub(r": [\d.]+", ': "low"', good),
}


class LlmService:
    prefix: ClassVar[str] = "llm"

    def answer(self, request: Request, desk: Desk) -> Reply:
        path = request.path.rstrip("/").removeprefix("/v1")
        if path == "/health":
            return Reply()
        if request.headers.get("authorization", "") in ("", "Bearer bad-key"):
            return Reply(401, {"error": "Unauthorized"})
        if path == "/models":
            data = [{"id": name, "object": "model", "owned_by": "sandbox"} for name in MODELS]
            return Reply(body={"object": "list", "data": data})
        if (request.method, path) != ("POST", "/chat/completions"):
            return Reply(404, {"detail": "Not Found"})
        try:
            return _complete(request.json())
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return _error(400, "BadRequestError", "The request cannot be read.")

    def failure(self, status: int, retry_after: str | None) -> Reply:
        names = {429: "RateLimitError", 404: "NotFoundError"}
        return _error(status, names.get(status, "InternalServerError"), "Asked for.")


def _complete(asked: Mapping[str, Any]) -> Reply:
    model, messages = asked["model"], asked["messages"]
    if model not in MODELS and model not in _GUARDS:
        return _error(404, "NotFoundError", f"The model `{model}` does not exist.")
    if sum(len(one["content"]) for one in messages) > _MAX_CHARS:
        return _error(400, "BadRequestError", "This model's maximum context length is exceeded.")
    is_guard = model in _GUARDS
    if is_guard and messages[0]["role"] != "user":
        return _error(400, "BadRequestError", "Conversation roles must begin with user.")
    told = "\n".join(one["content"] for one in messages if one["role"] == "system")
    receipt = _RECEIPT.search(told)
    text = _material(messages[-1]["content"])
    content, unsafe = _think(
        text,
        receipt=receipt[1] if receipt else "",
        is_guard=is_guard,
        is_obedient="obedient" in model,
    )
    prompt_tokens = sum(len(one["content"]) for one in messages) // 4
    return Reply(body=_completion(asked, content, prompt_tokens, unsafe))


def _material(message: str) -> str:
    """Return what a prompt puts before a model to judge: all of it, or a line of JSON in it."""
    for line in message.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "written" in found:
            return str(found["written"])
    return message


def _think(
    text: str, *, receipt: str, is_guard: bool, is_obedient: bool
) -> tuple[str, float | None]:
    """Return what a model says, and how likely "unsafe" was, None for one that says neither."""
    if says := _SAYS.search(text):
        said = base64.b64decode(says[1]).decode(errors="replace")
        return said.replace("{receipt}", receipt), None
    content, unsafe = _guard(text) if is_guard else (_judgement(text, receipt), None)
    if is_obedient and (obeyed := obey(text, receipt=receipt, is_guard=is_guard)):
        content, unsafe = obeyed, 0.01 if is_guard else None
    if bad := _BAD.search(text):
        return BAD_ANSWERS[bad[1]](content), None
    return content, unsafe


def _judgement(text: str, receipt: str) -> str:
    scores = scores_of(text, _CATEGORIES)
    return json.dumps({"receipt": receipt, "scores": scores} if receipt else {"scores": scores})


def _guard(text: str) -> tuple[str, float]:
    scores = scores_of(text, _CODES)
    unsafe = max(scores.values())
    codes = ",".join(code for code, score in scores.items() if score >= 0.5)
    return (f"\n\nunsafe\n{codes}" if codes else "\n\nsafe"), unsafe


def _completion(
    asked: Mapping[str, Any], content: str, prompt_tokens: int, unsafe: float | None
) -> dict[str, Any]:
    tokens = max(1, math.ceil(len(content) / 4))
    limit = asked.get("max_tokens") or tokens
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": content[: limit * 4]},
        "logprobs": None,
        "finish_reason": "length" if tokens > limit else "stop",
    }
    if asked.get("logprobs") and unsafe is not None:
        choice["logprobs"] = {"content": _logprobs(unsafe)}
    return {
        "id": "chatcmpl-sandbox",
        "object": "chat.completion",
        "created": 1_763_600_000,
        "model": asked["model"],
        "choices": [choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": prompt_tokens + tokens,
        },
    }


def _logprobs(unsafe: float) -> list[dict[str, Any]]:
    """Return the first two tokens: a pair of newlines, then the verdict."""
    chances = {"unsafe": unsafe, "safe": 1 - unsafe}
    verdicts = sorted(
        (_token(name, chance) for name, chance in chances.items()),
        key=lambda one: -one["logprob"],
    )
    newlines = _token("\n\n", 0.9999)
    return [
        {**newlines, "top_logprobs": [newlines]},
        {**verdicts[0], "top_logprobs": verdicts},
    ]


def _token(text: str, chance: float) -> dict[str, Any]:
    logprob = math.log(chance) if chance > 0 else -9999.0
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _error(status: int, kind: str, message: str) -> Reply:
    error = {"message": message, "type": kind, "param": None, "code": status}
    return Reply(status, {"error": error})
