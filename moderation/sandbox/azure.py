"""Azure AI Content Safety: texts, images, prompt shields and blocklists."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import uuid4

from moderation.sandbox.marks import marked_scores, scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

MAX_CHARS = 10_000
MAX_IMAGE_BYTES = 4 * 1024 * 1024
MAX_ITEMS_AT_ONCE, MAX_ITEM_CHARS, MAX_NAME_CHARS = 100, 128, 64
LABELS = {"Hate": "hate", "SelfHarm": "self_harm", "Sexual": "sexual", "Violence": "violence"}
ATTACK = "prompt_attack"
_VERSIONS = frozenset({"2023-10-01", "2024-09-01"})
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_NAME = re.compile(rf"[0-9A-Za-z._~-]{{1,{MAX_NAME_CHARS}}}")
_LIST = re.compile(r"text/blocklists/(?P<name>[^/:]+)(?:(?P<rest>[/:].*))?")
_EIGHT, _FOUR = "EightSeverityLevels", "FourSeverityLevels"
_CODES = {404: "404", 429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}

Blocklist = dict[str, dict[str, str]]


class AzureService:
    """Keeps its blocklists as long as it lives; an edit takes effect at once."""

    prefix: ClassVar[str] = "azure"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptions: dict[str, str] = {}
        self._items: dict[str, Blocklist] = {}

    def answer(self, request: Request, desk: Desk) -> Reply:
        refused = _refusal(request)
        if refused is not None:
            return refused
        path = request.path.strip("/").removeprefix("contentsafety/")
        try:
            with self._lock:
                return self._route(request, path)
        except (ValueError, KeyError, TypeError, AttributeError):
            return _invalid("The request body is invalid.")

    def failure(self, status: int, retry_after: str | None) -> Reply:
        reply = _error(status, _CODES.get(status, str(status)), "This failure was asked for.")
        headers = {**reply.headers, "Retry-After": retry_after} if retry_after else reply.headers
        return Reply(reply.status, reply.body, headers)

    def _route(self, request: Request, path: str) -> Reply:
        acts: dict[tuple[str, str], Callable[[Any], Reply]] = {
            ("POST", "text:analyze"): self._analyze_text,
            ("POST", "text:shieldPrompt"): _shield,
            ("POST", "image:analyze"): _analyze_image,
        }
        act = acts.get((request.method, path))
        if act is not None:
            return act(request.json())
        if (request.method, path) == ("GET", "text/blocklists"):
            return Reply(body={"value": [self._told(name) for name in self._items]})
        named = _LIST.fullmatch(path)
        if named is None or not _NAME.fullmatch(named["name"]):
            return _error(404, "404", "Resource not found")
        if not named["rest"]:
            return self._blocklist(request, named["name"])
        return self._blocklist_items(request, named["name"], named["rest"])

    # --- texts ---------------------------------------------------------------------------------

    def _analyze_text(self, asked: Mapping[str, Any]) -> Reply:
        text = asked["text"]
        if not isinstance(text, str) or not text:
            return _invalid("The text is required.", target="text")
        if len(text) > MAX_CHARS:
            return _invalid(f"The text is longer than {MAX_CHARS} characters.", target="text")
        levels = asked.get("outputType", _FOUR)
        wanted = asked.get("categories") or list(LABELS)
        if levels not in (_EIGHT, _FOUR) or not set(wanted) <= set(LABELS):
            return _invalid("The categories or the output type are not known.")
        names = asked.get("blocklistNames", [])
        if not set(names) <= set(self._items):
            return _error(404, "ResourceNotFound", "The blocklist does not exist.")
        matches = [match for name in names for match in self._matches(name, text)]
        analysis = _analysis(text, wanted, levels)
        if matches and asked.get("haltOnBlocklistHit"):
            analysis = []
        return Reply(body={"blocklistsMatch": matches, "categoriesAnalysis": analysis})

    def _matches(self, name: str, text: str) -> list[dict[str, str]]:
        return [
            {
                "blocklistName": name,
                "blocklistItemId": item["blocklistItemId"],
                "blocklistItemText": item["text"],
            }
            for item in self._items[name].values()
            if item["text"].lower() in text.lower()
        ]

    # --- blocklists ----------------------------------------------------------------------------

    def _told(self, name: str) -> dict[str, str]:
        return {"blocklistName": name, "description": self._descriptions[name]}

    def _blocklist(self, request: Request, name: str) -> Reply:
        is_new = name not in self._items
        if request.method == "PATCH":
            self._items.setdefault(name, {})
            self._descriptions[name] = str(request.json().get("description") or "")
            return Reply(201 if is_new else 200, self._told(name))
        if is_new:
            return _error(404, "ResourceNotFound", "The blocklist does not exist.")
        if request.method == "DELETE":
            del self._items[name], self._descriptions[name]
            return Reply(204)
        return Reply(body=self._told(name))

    def _blocklist_items(self, request: Request, name: str, rest: str) -> Reply:
        items = self._items.get(name)
        if items is None:
            return _error(404, "ResourceNotFound", "The blocklist does not exist.")
        if rest == ":addOrUpdateBlocklistItems":
            return _add(items, request.json()["blocklistItems"])
        if rest == ":removeBlocklistItems":
            for item_id in request.json()["blocklistItemIds"]:
                items.pop(item_id, None)
            return Reply(204)
        if rest == "/blocklistItems":
            return Reply(body={"value": list(items.values())})
        item = items.get(rest.removeprefix("/blocklistItems/"))
        if item is None:
            return _error(404, "ResourceNotFound", "The item does not exist.")
        return Reply(body=item)


def _add(items: Blocklist, wanted: list[Mapping[str, str]]) -> Reply:
    texts = [one["text"] for one in wanted]
    if not 0 < len(texts) <= MAX_ITEMS_AT_ONCE or max(map(len, texts)) > MAX_ITEM_CHARS:
        return _invalid("There are too many items, or one is too long.")
    added: list[dict[str, str]] = []
    for one in wanted:
        known = next((item for item in items.values() if item["text"] == one["text"]), None)
        item_id = known["blocklistItemId"] if known else str(uuid4())
        item = {
            "blocklistItemId": item_id,
            "text": one["text"],
            "description": one.get("description", ""),
        }
        items[item_id] = item
        added.append(item)
    return Reply(body={"blocklistItems": added})


# --- the rest ----------------------------------------------------------------------------------


def _analyze_image(asked: Mapping[str, Any]) -> Reply:
    image = asked["image"]
    if "blobUrl" in image or "content" not in image:
        return _invalid("Send the image's content.", target="image")
    data = base64.b64decode(image["content"], validate=True)
    if len(data) > MAX_IMAGE_BYTES:
        return _invalid(f"The image is larger than {MAX_IMAGE_BYTES} bytes.", target="image")
    if not data.startswith(_SIGNATURES):
        return _invalid("The image's format is not supported.", target="image")
    if asked.get("outputType", _FOUR) != _FOUR:
        return _invalid("Images have four severity levels.", target="outputType")
    wanted = asked.get("categories") or list(LABELS)
    return Reply(body={"categoriesAnalysis": _analysis(data, wanted, _FOUR)})


def _shield(asked: Mapping[str, Any]) -> Reply:
    documents = asked.get("documents") or []
    prompt = asked["userPrompt"]
    if len(prompt) > MAX_CHARS or len(documents) > 5 or sum(map(len, documents)) > MAX_CHARS:
        return _invalid("The prompt or the documents are too long.")
    return Reply(
        body={
            "userPromptAnalysis": {"attackDetected": _is_attack(prompt)},
            "documentsAnalysis": [{"attackDetected": _is_attack(text)} for text in documents],
        }
    )


def _is_attack(text: str) -> bool:
    return marked_scores(text).get(ATTACK, 0.0) >= 0.5


def _analysis(content: str | bytes, wanted: list[str], levels: str) -> list[dict[str, object]]:
    scores = scores_of(content, LABELS)
    return [{"category": name, "severity": _severity(scores[name], levels)} for name in wanted]


def _severity(score: float, levels: str) -> int:
    severity = round(score * 7)
    return severity if levels == _EIGHT else severity // 2 * 2


def _refusal(request: Request) -> Reply | None:
    key = request.headers.get("ocp-apim-subscription-key", "")
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    if (key or bearer) in ("", "bad-key"):
        return _error(401, "401", "Access denied: the subscription key or the endpoint is wrong.")
    version = request.first("api-version")
    if version not in _VERSIONS:
        return _error(404, "404", "Resource not found")
    if version == "2023-10-01" and request.path.endswith("text:shieldPrompt"):
        return _error(404, "404", "Resource not found")
    return None


def _invalid(message: str, *, target: str = "") -> Reply:
    return _error(400, "InvalidRequestBody", message, target=target)


def _error(status: int, code: str, message: str, *, target: str = "") -> Reply:
    error: dict[str, object] = {"code": code, "message": message, "details": []}
    if target:
        error["target"] = target
    return Reply(status, {"error": error}, {"x-ms-error-code": code})
