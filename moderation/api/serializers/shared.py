"""What the shapes of every resource are made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from moderation.api.errors import CONTENT_TYPE, KINDS


class FieldErrorOut(serializers.Serializer[Any]):
    field = serializers.CharField()
    message = serializers.CharField()


class ProblemOut(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; `type` leads to an explanation."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.ChoiceField(list(KINDS))
    request_id = serializers.CharField(
        required=False, help_text="As in the header `X-Request-ID`; name it when you ask us."
    )
    errors = FieldErrorOut(many=True, required=False)  # type: ignore[assignment]
    words = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Which words are refused."
    )


class DetailOut(serializers.Serializer[Any]):
    detail = serializers.CharField()


class PolicyOut(serializers.Serializer[Any]):
    revision = serializers.IntegerField(
        allow_null=True, help_text="Null for the policy that is built in."
    )


QUERY: Literal["query"] = "query"


def header(
    name: str, description: str, *, response: bool | Sequence[int | str] = False
) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, "header", description=description, response=response
    )


LIMIT_HEADERS = [
    header("RateLimit-Policy", "The bucket: size `q`, filled within `w` seconds.", response=True),
    header("RateLimit", "What is left (`r`) and when it is full again (`t`).", response=True),
]
PAGING = [
    OpenApiParameter("limit", int, QUERY, description="1 to 100; 50 when absent."),
    OpenApiParameter("cursor", str, QUERY, description="As `next` has it."),
]


def answers(
    good: Mapping[Any, Any], *problems: int, problem: type[serializers.Serializer[Any]] = ProblemOut
) -> dict[Any, Any]:
    listed: dict[Any, Any] = dict(good)
    for status in problems:
        codes = ", ".join(code for code, kind in KINDS.items() if kind.status == status)
        listed[status, CONTENT_TYPE] = OpenApiResponse(problem, description=codes)
    return listed


def detail_answers(good: dict[int, Any], *statuses: int) -> dict[Any, Any]:
    return good | dict.fromkeys(statuses, DetailOut)
