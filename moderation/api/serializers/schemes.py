"""How a caller shows who they are, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "moderation.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "gate_…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "moderation.api.authentication.SiteSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class OpenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """No key at all: only where an operator opened the content service."""

    target_class = "moderation.api.authentication.OpenToAll"
    # An empty requirement is a way in without any scheme to describe.
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[Any]]:
        return {}

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return []
