"""The back office's site: Unfold's, with the review queue as its first screen."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, include, path
from unfold.sites import UnfoldAdminSite


class GatehouseAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # Unfold is untyped
    """Opens with what waits for a person; whoever may not see that gets Django's own index."""

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.user.has_perm("moderation.view_review"):
            return redirect("admin:moderation_review_changelist")
        response: HttpResponse = super().index(request, extra_context)
        return response

    def extra_urls(self) -> list[URLPattern | URLResolver]:
        """Return the pages that belong to no model."""
        # The pages need the site, which needs Django's registry: imported once both are ready.
        from moderation.admin import audit, instance, operations, providers, quality, studio

        return [
            path("audit/", include(audit.urls())),
            path("instance/", include(instance.urls())),
            path("operations/", include(operations.urls())),
            path("providers/", include(providers.urls())),
            path("quality/", include(quality.urls())),
            path("studio/", include(studio.urls())),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from moderation.admin import instance, surroundings

        context: dict[str, Any] = super().each_context(request)
        # Unfold would write its colours into the page, which our content security policy refuses;
        # they come as a style sheet of ours.
        return {
            **context,
            "colors": None,
            "braked_here": surroundings.braked_here(request),
            "paused_lanes": instance.paused_for(request),
        }
