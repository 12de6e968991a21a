"""The stream of events."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from moderation.api.serializers.shared import LIMIT_HEADERS, QUERY, answers, header

FOLLOW_EVENTS: dict[str, Any] = {
    "operation_id": "follow_events",
    "parameters": [
        header("Last-Event-ID", "Go on after this event; without it from now on."),
        OpenApiParameter("types", str, QUERY, description="`post.rejected,decision.*`"),
        OpenApiParameter("community", str, QUERY, description="One of an organisation's."),
        *LIMIT_HEADERS,
    ],
    "responses": answers(
        {(200, "text/event-stream"): OpenApiTypes.STR}, 400, 401, 403, 404, 429, 503
    ),
}
