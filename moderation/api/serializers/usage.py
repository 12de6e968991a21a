"""How much was sent."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, QUERY, answers


class DayOut(serializers.Serializer[Any]):
    date = serializers.DateField()
    posts = serializers.IntegerField()
    checks = serializers.IntegerField(help_text="Those that were kept; others leave no record.")


class UsageOut(serializers.Serializer[Any]):
    results = DayOut(many=True)


GET_USAGE: dict[str, Any] = {
    "operation_id": "get_usage",
    "parameters": [
        OpenApiParameter("first", OpenApiTypes.DATE, QUERY, description="29 days before `last`."),
        OpenApiParameter("last", OpenApiTypes.DATE, QUERY, description="Today when absent."),
        OpenApiParameter("community", str, QUERY),
        OpenApiParameter("key", str, QUERY, description="A key's id: what it sent alone."),
        *LIMIT_HEADERS,
    ],
    "responses": answers({200: UsageOut}, 400, 401, 403, 404, 429, 503),
}
