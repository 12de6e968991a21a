"""Discuse's one method. Its errors and what it says of animations are not known: invented here.

Pictures are fetched by the real service. This one reads the marks in their addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from moderation.sandbox.marks import marked_scores, scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

SENTIMENT = {
    "toxic": "toxic",
    "profanity": "profanity",
    "threat": "threat",
    "insult": "harassment",
}
PICTURE = {"porn": "sexual", "sexual": "sexual_covered"}
# What a project's settings would say.
HIT_FROM = 0.5
EXPECTED_LANGUAGE = "en"
# The language that is detected in a text unless it says otherwise: `[[language=pl]]`.
_SAYS_LANGUAGE = re.compile(r"\[\[language=([a-z]{2})\]\]")
# "Coming soon": answered only where a mark asks, as `[[links=1]]`.
_ANNOUNCED = ("links", "badwords", "antivirus")


class DiscuseService:
    prefix: ClassVar[str] = "discuse"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if request.method != "POST" or request.path != "/api/v1/check":
            return self.failure(404, None)
        given = [request.headers.get(name, "") for name in ("x-client-id", "x-client-secret")]
        if not all(given) or "bad-key" in given:
            return self.failure(401, None)
        try:
            asked = request.json()
            media, project = asked["request"]["media"], asked["settings"]["project_id"]
        except (ValueError, KeyError, TypeError):
            return self.failure(400, None)
        if not isinstance(project, int) or not _is_media(media):
            return self.failure(400, None)
        return Reply(body=_checked(media))

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return Reply(status, {"detail": f"Invented error {status}."})


def _is_media(media: Any) -> bool:
    if not isinstance(media, dict) or not media or set(media) - {"text", "image_url", "gif_url"}:
        return False
    urls = [*media.get("image_url", ()), *media.get("gif_url", ())]
    public = all(isinstance(url, str) and urlsplit(url).scheme == "https" for url in urls)
    return public and isinstance(media.get("text", ""), str)


def _checked(media: Mapping[str, Any]) -> dict[str, object]:
    text = media.get("text", "")
    images, gifs = _names(media.get("image_url", ())), _names(media.get("gif_url", ()))
    found: dict[str, Any] = {"trace_context": None}
    for name in _ANNOUNCED:
        mark = marked_scores(text + images + gifs).get(name)
        found[name] = {"status": "" if mark is None else "ok", "hit": bool(mark)}
    found["language"] = _language(text)
    found["images"] = _picture(images) if images else {"result": {}}
    found["gifs"] = _picture(gifs) if gifs else {"result": {}}
    if text:
        scores = scores_of(text, SENTIMENT)
        found["sentiment"] = {**scores, "hit": max(scores.values()) >= HIT_FROM}
    found["hits"] = any(isinstance(part, dict) and part.get("hit") for part in found.values())
    return found


def _names(urls: Sequence[str]) -> str:
    return "\n".join(unquote(url) for url in urls)


def _language(text: str) -> dict[str, object]:
    says = _SAYS_LANGUAGE.search(text)
    detected = says[1] if says else EXPECTED_LANGUAGE
    return {
        "expected": EXPECTED_LANGUAGE,
        "detected": detected,
        "hit": detected != EXPECTED_LANGUAGE,
    }


def _picture(names: str) -> dict[str, object]:
    scores = scores_of(names, PICTURE)
    scores["neutral"] = round(1 - max(scores.values()), 6)
    first = max(scores, key=lambda name: scores[name])
    return {
        "result": {
            "category": "pornographic" if first == "porn" else first,
            "confidence": scores[first],
        },
        "status": "ok",
        **scores,
        "hit": max(scores["porn"], scores["sexual"]) >= HIT_FROM,
    }
