"""What the author of a post is told of what restricts it: for its community's programs alone."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.answers import time_of
from moderation.api.serializers import statements as shapes
from moderation.api.views.keyed import KeyedView, spend_reading
from moderation.api.views.posts import find_judged_post
from moderation.models import Statement
from moderation.queries.statements import statements_of
from moderation.vocabulary import Scope

_TOLD = ("restrictions", "facts", "ground", "content", "redress", "said")


class ListStatements(KeyedView):
    scope = Scope.READ

    @extend_schema(**shapes.LIST_STATEMENTS)
    def get(self, request: Request, post_id: str) -> Response:
        """List the statements of reasons about a post, the newest first, as they were issued."""
        post = find_judged_post(spend_reading(request), post_id)
        return Response({"results": [_body(statement) for statement in statements_of(post)]})


def _body(statement: Statement) -> dict[str, Any]:
    enforcement = statement.enforcement
    return {
        "number": statement.number,
        "issued_at": time_of(statement.issued_at),
        "revision": enforcement.revision,
        "reversed_at": time_of(enforcement.reversed_at),
        **{part: statement.document[part] for part in _TOLD},
    }
