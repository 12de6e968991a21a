"""A community's own sentences to pick from, for its leads to write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from moderation.admin.scoped import CommunityFilter, ScopedAdmin
from moderation.admin.surroundings import staff
from moderation.models import CannedReason
from moderation.pipeline.review import noting


@admin.register(CannedReason)
class CannedReasonAdmin(ScopedAdmin):
    """Those of one action take the place of the sentences that Gatehouse comes with."""

    list_display = ("text", "action", "category", "community", "position", "active")
    list_filter = (CommunityFilter, "action", "category", "active")
    list_select_related = ("community",)
    search_fields = ("text",)
    ordering = ("community__name", "action", "position", "pk")
    fields = ("community", "action", "category", "text", "position", "active")

    def get_readonly_fields(
        self, request: HttpRequest, obj: CannedReason | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("community",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Decisions keep the words that were chosen, not this row.
        return bool(request.user.has_perm("moderation.delete_cannedreason"))

    def save_model(self, request: HttpRequest, obj: CannedReason, form: Any, change: bool) -> None:
        noting.set_reason(reason=obj, user=staff(request.user))

    def delete_model(self, request: HttpRequest, obj: CannedReason) -> None:
        noting.drop_reason(reason=obj, user=staff(request.user))
