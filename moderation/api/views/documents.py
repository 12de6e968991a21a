"""The OpenAPI document, and the page that shows it without the internet."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import ApiView

CONTENT_TYPE = "application/vnd.oai.openapi+json"


@cache
def openapi_document() -> dict[str, Any]:
    # Takes a tenth of a second, and is the same for everyone until the next start.
    generator: Any = SchemaGenerator
    schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return schema


class OpenApiDocument(ApiView):
    """OpenAPI 3.1; open to all, as it says nothing about anyone."""

    authentication_classes = []
    permission_classes = []

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(openapi_document(), content_type=CONTENT_TYPE)


class DocsPage(SpectacularSwaggerSplitView):
    """Swagger's page. Nothing in it is inline, as the security policy asks."""

    authentication_classes = []
    permission_classes = []
    url_name = "api:openapi"
    template_name = "moderation/api_docs.html"
