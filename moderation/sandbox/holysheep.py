"""HolySheep's text moderation. The bodies of its errors are not known: these are invented."""

from __future__ import annotations

from typing import ClassVar

from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

LABELS = {
    "hate_speech": "hate",
    "violence": "violence",
    "sexual_content": "sexual",
    "self_harm": "self_harm",
    "harassment": "harassment",
    "spam": "spam",
    "sensitive_topics": "other",
}


class HolySheepService:
    prefix: ClassVar[str] = "holysheep"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if request.method != "POST" or request.path != "/moderation/text":
            return self.failure(404, None)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key or key == "bad-key":
            return self.failure(401, None)
        if key == "empty-account":
            return self.failure(402, None)
        try:
            asked = request.json()
            text, wanted = asked["input"], asked["categories"]
        except (ValueError, KeyError, TypeError):
            return self.failure(400, None)
        if not isinstance(text, str) or not (wanted is None or set(wanted) <= set(LABELS)):
            return self.failure(400, None)
        scores = scores_of(text, {name: LABELS[name] for name in wanted or LABELS})
        return Reply(
            body={"categories": [{"name": name, "score": value} for name, value in scores.items()]}
        )

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return Reply(status, {"error": {"message": f"Invented error {status}.", "code": status}})
