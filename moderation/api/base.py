"""What every view of the API shares."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar, cast

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from moderation.api.authentication import InScope, KeyAuthentication, SiteSession
from moderation.api.callers import Caller
from moderation.api.conditional import spare_what_is_known
from moderation.api.deprecation import Deprecation
from moderation.api.limits import HEADERS_ATTRIBUTE
from moderation.api.parsers import BoundedJSONParser
from moderation.vocabulary import Scope


class AlwaysJSON(BaseContentNegotiation):
    """Answers in JSON whatever the client says it accepts; there is nothing else."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        # A form's media type carries its boundary: only what stands before the semicolon counts.
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer: BaseRenderer = renderers[0]
        return renderer, "application/json"


class ApiView(APIView):
    """An act of the API. `scope` is what a key needs; None leaves it to the method."""

    authentication_classes = [KeyAuthentication, SiteSession]
    permission_classes = [InScope]
    parser_classes = [BoundedJSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJSON
    throttle_classes = []
    # Without OPTIONS, which would describe views by their docstrings.
    http_method_names = ["get", "head", "post", "patch", "delete"]
    scope: ClassVar[Scope | None] = None
    # Set where an act is going to end.
    deprecation: ClassVar[Deprecation | None] = None

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        # What is hidden later must not live on in a cache.
        final.headers["Cache-Control"] = "no-store"
        for name, value in getattr(request, HEADERS_ATTRIBUTE, {}).items():
            final.headers[name] = value
        if self.deprecation is not None:
            self.deprecation.tell(final)
        if request.method in SAFE_METHODS and final.status_code == HTTPStatus.OK:
            spare_what_is_known(request, final)
        return final


def caller_of(request: Request) -> Caller:
    return cast("Caller", request.auth)
