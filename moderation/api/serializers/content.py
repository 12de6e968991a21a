"""The owner's content service."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from moderation.api.serializers.posts import _LIMITS
from moderation.api.serializers.shared import LIMIT_HEADERS, detail_answers
from moderation.drafts import MAX_ID_CHARS


class ContentIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=_LIMITS.max_body_chars)
    userId = serializers.CharField(max_length=MAX_ID_CHARS)  # noqa: N815


class ContentAcceptedOut(serializers.Serializer[Any]):
    message = serializers.CharField()
    contentId = serializers.UUIDField()  # noqa: N815


class ContentStatusOut(serializers.Serializer[Any]):
    contentId = serializers.UUIDField()  # noqa: N815
    status = serializers.ChoiceField(["PENDING", "APPROVED", "REJECTED"])


SUBMIT_CONTENT: dict[str, Any] = {
    "operation_id": "submit_content",
    "request": ContentIn,
    "parameters": LIMIT_HEADERS,
    "responses": detail_answers({202: ContentAcceptedOut}, 400, 401, 429),
}
GET_CONTENT_STATUS: dict[str, Any] = {
    "operation_id": "get_content_status",
    "responses": detail_answers({200: ContentStatusOut}, 401, 404),
}
