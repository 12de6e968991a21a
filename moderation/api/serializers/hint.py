"""A word while somebody still writes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from moderation.api.serializers.posts import _LIMITS
from moderation.api.serializers.shared import LIMIT_HEADERS, answers
from moderation.drafts import MAX_ID_CHARS
from moderation.vocabulary import Category


class HintIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=_LIMITS.max_body_chars)
    community = serializers.CharField(max_length=MAX_ID_CHARS, required=False)


class WordOut(serializers.Serializer[Any]):
    """Characters `start` to `end` (exclusive) of the text."""

    start = serializers.IntegerField()
    end = serializers.IntegerField()
    term = serializers.CharField()


class GuessOut(serializers.Serializer[Any]):
    category = serializers.ChoiceField(Category.choices)
    text = serializers.CharField()


class HintOut(serializers.Serializer[Any]):
    advise = WordOut(many=True)
    block = WordOut(many=True)
    hints = GuessOut(many=True)


HINT: dict[str, Any] = {
    "operation_id": "hint",
    "request": HintIn,
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: HintOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
