"""Appeals: what people object to, what was said about it, and how it was answered."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, PAGING, QUERY, answers, header
from moderation.drafts import MAX_ID_CHARS
from moderation.pipeline.appeals.appeal import MAX_WORDS_CHARS
from moderation.vocabulary import AppealState


class AppellantIn(serializers.Serializer[Any]):
    id = serializers.CharField(max_length=MAX_ID_CHARS, help_text="Your own id of the person.")


class AppealIn(serializers.Serializer[Any]):
    text = serializers.CharField(
        max_length=MAX_WORDS_CHARS, help_text="Why they object, in their own words."
    )
    statement = serializers.CharField(
        required=False,
        help_text="Number of the statement of reasons; else the newest restriction of the post.",
    )
    report = serializers.CharField(
        required=False, help_text="Number of a refused report, to object to its refusal instead."
    )
    author = AppellantIn(
        required=False,
        help_text="Who objects, to be sure: the post's author, or whoever made the report.",
    )


class AppealMessageIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=MAX_WORDS_CHARS)


class AppellantOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class AppealLinksOut(serializers.Serializer[Any]):
    self = serializers.CharField()
    post = serializers.CharField()
    messages = serializers.CharField()
    withdraw = serializers.CharField()


class AppealOut(serializers.Serializer[Any]):
    number = serializers.CharField()
    post = serializers.UUIDField()
    community = serializers.CharField()
    appellant = AppellantOut(allow_null=True, help_text="Null for a notice without an account.")
    statement = serializers.CharField(
        allow_null=True, help_text="The statement of reasons that is objected to."
    )
    report = serializers.CharField(
        allow_null=True, help_text="The report whose refusal is objected to."
    )
    state = serializers.ChoiceField(AppealState.choices)
    answer = serializers.CharField(allow_blank=True, help_text="The reasons, once it is answered.")
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="When it should be answered by.")
    is_overdue = serializers.BooleanField()
    closed_at = serializers.DateTimeField(allow_null=True)
    links = AppealLinksOut()


class AppealMessageOut(serializers.Serializer[Any]):
    by = serializers.ChoiceField(
        ["author", "moderator"], help_text="Who wrote it; never which moderator."
    )
    text = serializers.CharField()
    at = serializers.DateTimeField()


class WholeAppealOut(AppealOut):
    messages = AppealMessageOut(many=True, help_text="The oldest first, which is the objection.")


class AppealPageOut(serializers.Serializer[Any]):
    results = AppealOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Where the following page is.")


_OPEN = {
    "number": "5f0c2a9be1d74c3386aa10f2",
    "post": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    "community": "garden",
    "appellant": {"id": "person-42", "name": "Bo"},
    "statement": "9b1deb4d3b7d4bad9bdd2b0d",
    "report": None,
    "state": "open",
    "answer": "",
    "created_at": "2026-03-01T09:30:00Z",
    "due_at": "2026-03-04T09:30:00Z",
    "is_overdue": False,
    "closed_at": None,
    "links": {
        "self": "/api/v1/appeals/5f0c2a9be1d74c3386aa10f2",
        "post": "/api/v1/posts/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "messages": "/api/v1/appeals/5f0c2a9be1d74c3386aa10f2/messages",
        "withdraw": "/api/v1/appeals/5f0c2a9be1d74c3386aa10f2/withdraw",
    },
    "messages": [
        {
            "by": "author",
            "text": "It is a line from the play that we rehearse.",
            "at": "2026-03-01T09:30:00Z",
        }
    ],
}
_ONCE = header("Idempotency-Key", "Repeat a request with the same key: it is done once.")

OPEN_APPEAL: dict[str, Any] = {
    "operation_id": "open_appeal",
    "request": AppealIn,
    "parameters": [
        _ONCE,
        *LIMIT_HEADERS,
        header("Location", "Where the appeal is read.", response=[200, 201]),
    ],
    "responses": answers(
        {201: WholeAppealOut, 200: WholeAppealOut}, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503
    ),
    "examples": [
        OpenApiExample(
            "An author objects",
            request_only=True,
            value={
                "text": "It is a line from the play that we rehearse.",
                "statement": "9b1deb4d3b7d4bad9bdd2b0d",
                "author": {"id": "person-42"},
            },
        ),
        OpenApiExample(
            "It waits for an answer", response_only=True, status_codes=["201"], value=_OPEN
        ),
    ],
}
LIST_APPEALS: dict[str, Any] = {
    "operation_id": "list_appeals",
    "parameters": [
        OpenApiParameter("state", str, QUERY, enum=AppealState.values),
        OpenApiParameter("post", str, QUERY, description="The appeals about one post."),
        *PAGING,
        *LIMIT_HEADERS,
    ],
    "responses": answers({200: AppealPageOut}, 400, 401, 403, 429, 503),
}
GET_APPEAL: dict[str, Any] = {
    "operation_id": "get_appeal",
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: WholeAppealOut}, 401, 403, 404, 429, 503),
    "examples": [
        OpenApiExample(
            "It was granted",
            response_only=True,
            status_codes=["200"],
            value={
                **_OPEN,
                "state": "overturned",
                "answer": "You are right: it is a quote, and everyone there knows the play.",
                "closed_at": "2026-03-02T14:10:00Z",
            },
        )
    ],
}
WRITE_TO_APPEAL: dict[str, Any] = {
    "operation_id": "write_to_appeal",
    "request": AppealMessageIn,
    "parameters": [_ONCE, *LIMIT_HEADERS],
    "responses": answers({201: WholeAppealOut}, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    "examples": [
        OpenApiExample(
            "Whoever objects answers a question",
            request_only=True,
            value={"text": "Hamlet, third act."},
        )
    ],
}
WITHDRAW_APPEAL: dict[str, Any] = {
    "operation_id": "withdraw_appeal",
    "request": None,
    "parameters": [_ONCE, *LIMIT_HEADERS],
    "responses": answers({200: WholeAppealOut}, 400, 401, 403, 404, 409, 422, 429, 503),
}
