"""Scores that clients suggested, and how often ours agree with them: to read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from moderation import labels
from moderation.admin.experiments import said_share
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin, field_names, own_communities
from moderation.labels import Quality
from moderation.models import SuggestedScore


@dataclass(frozen=True, slots=True)
class Figure:
    """One attribute's line above the list."""

    attribute: str
    suggested: int
    agreed: str
    distance: str


def _figure(quality: Quality) -> Figure:
    return Figure(
        attribute=quality.attribute,
        suggested=quality.suggested,
        agreed=said_share(quality.agreed),
        distance="–" if quality.mean_distance is None else f"{quality.mean_distance:.2f}",
    )


@admin.register(SuggestedScore)
class SuggestedScoreAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "attribute", "suggested", "ours", "community", "text")
    list_filter = (CommunityFilter, "attribute")
    list_select_related = ("community",)
    search_fields = ("=fingerprint",)
    search_help_text = "Fingerprint of the text"
    ordering = ("-created_at", "-id")
    fields = field_names(SuggestedScore)
    readonly_fields = fields
    list_before_template = "moderation/admin/_label_figures.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Put the figures of one's communities, or of the one that is filtered for, above."""
        own = own_communities(request)
        chosen = request.GET.get(CommunityFilter.parameter_name, "")
        if chosen.isdecimal():
            own = own.filter(pk=int(chosen))
        found = labels.quality_figures(list(own.values_list("pk", flat=True)))
        figures = [_figure(one) for one in found]
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "figures": figures}
        )
        return response

    @admin.display(description="Suggested", ordering="score")
    def suggested(self, row: SuggestedScore) -> str:
        return f"{row.score:.2f}"

    @admin.display(description="Ours then", ordering="our_score")
    def ours(self, row: SuggestedScore) -> str:
        return "not judged" if row.our_score is None else f"{row.our_score:.2f}"

    @admin.display(description="Text")
    def text(self, row: SuggestedScore) -> str:
        return row.fingerprint[:12]
