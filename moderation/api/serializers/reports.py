"""Reports: what readers object to, and what they are answered."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, PAGING, QUERY, answers, header
from moderation.drafts import MAX_ID_CHARS
from moderation.pipeline.reports.report import MOST_EXPLANATION_CHARS
from moderation.vocabulary import Category, ReportSource, ReportState


class ReporterIn(serializers.Serializer[Any]):
    id = serializers.CharField(
        max_length=MAX_ID_CHARS, help_text="Your own id of the person; not beginning with `user:`."
    )
    name = serializers.CharField(max_length=MAX_ID_CHARS, required=False)


class ReportIn(serializers.Serializer[Any]):
    reporter = ReporterIn(
        required=False, help_text="Who reports: required with a key, ignored in a session."
    )
    category = serializers.ChoiceField(Category.choices)
    explanation = serializers.CharField(max_length=MOST_EXPLANATION_CHARS, required=False)


class ReporterOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class ReportAnswerOut(serializers.Serializer[Any]):
    """What to tell the reporter: nothing of the author's sanction, nor of other reporters."""

    text = serializers.CharField()
    decided_by = serializers.ChoiceField(
        ["", "person", "author"],
        help_text="Who decided; `author` took the post away; empty while nobody has.",
    )
    automated = serializers.BooleanField(help_text="Whether a machine had a part in the answer.")


class ReportLinksOut(serializers.Serializer[Any]):
    self = serializers.CharField()
    post = serializers.CharField()


class ReportOut(serializers.Serializer[Any]):
    number = serializers.CharField()
    post = serializers.UUIDField()
    revision = serializers.IntegerField(min_value=1, help_text="Which one was reported.")
    community = serializers.CharField()
    reporter = ReporterOut(allow_null=True, help_text="Null for a notice without an account.")
    source = serializers.ChoiceField(ReportSource.choices)  # type: ignore[assignment]
    category = serializers.ChoiceField(Category.choices)
    explanation = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(ReportState.choices)
    answer = ReportAnswerOut()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    links = ReportLinksOut()


class ReportPageOut(serializers.Serializer[Any]):
    results = ReportOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Where the following page is.")


_EXAMPLES = [
    OpenApiExample(
        "A reader objects to an insult",
        request_only=True,
        value={
            "reporter": {"id": "reader-7", "name": "Cy"},
            "category": "harassment",
            "explanation": "The second paragraph insults my sister by name.",
        },
    ),
    OpenApiExample(
        "It waits for a moderator",
        response_only=True,
        status_codes=["201"],
        value={
            "number": "R-8F3K-2M9Q-X7TD-4H6V",
            "post": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            "revision": 1,
            "community": "garden",
            "reporter": {"id": "reader-7", "name": "Cy"},
            "source": "client",
            "category": "harassment",
            "explanation": "The second paragraph insults my sister by name.",
            "state": "open",
            "answer": {
                "text": "A moderator will look at it.",
                "decided_by": "",
                "automated": False,
            },
            "created_at": "2026-03-01T09:30:00Z",
            "settled_at": None,
            "links": {
                "self": "/api/v1/reports/R-8F3K-2M9Q-X7TD-4H6V",
                "post": "/api/v1/posts/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            },
        },
    ),
]

REPORT_POST: dict[str, Any] = {
    "operation_id": "report_post",
    "request": ReportIn,
    "parameters": [
        header("Idempotency-Key", "Repeat a request with the same key: it is done once."),
        *LIMIT_HEADERS,
        header("Location", "Where the report is read.", response=[200, 201]),
    ],
    "responses": answers(
        {201: ReportOut, 200: ReportOut}, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503
    ),
    "examples": _EXAMPLES,
}
LIST_REPORTS: dict[str, Any] = {
    "operation_id": "list_reports",
    "parameters": [
        OpenApiParameter("state", str, QUERY, enum=ReportState.values),
        OpenApiParameter("post", str, QUERY, description="The reports of one post."),
        OpenApiParameter("reporter", str, QUERY, description="Your own id of the person."),
        *PAGING,
        *LIMIT_HEADERS,
    ],
    "responses": answers({200: ReportPageOut}, 400, 401, 403, 429, 503),
}
GET_REPORT: dict[str, Any] = {
    "operation_id": "get_report",
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: ReportOut}, 401, 403, 404, 429, 503),
}
