"""Addresses that lead nowhere, and those that explain a problem."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import ApiView
from moderation.api.errors import KINDS


class Nowhere(ApiView):
    """Whatever else is asked for under /api/: a problem, not a page."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise Http404("There is no such address; /api/v1/docs lists those that exist.")


class ExplainProblem(ApiView):
    """Where a problem's `type` leads."""

    authentication_classes = []
    permission_classes = []

    @extend_schema(exclude=True)
    def get(self, request: Request, code: str) -> Response:
        kind = KINDS.get(code)
        if kind is None:
            raise Http404("There is no such problem.")
        return Response(
            {"code": code, "status": kind.status, "title": kind.title, "advice": kind.advice}
        )
