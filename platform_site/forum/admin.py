"""Boards in the back office: for those who may change a community."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from moderation import queries
from moderation.models import Community
from platform_site.forum.models import Board


@admin.register(Board)
class BoardAdmin(ModelAdmin):  # type: ignore[misc]  # Unfold is untyped
    list_display = ("name", "community", "slug", "position")
    list_select_related = ("community",)
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Board]:
        boards: QuerySet[Board] = super().get_queryset(request)
        return boards.filter(community__in=_communities(request))

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "community":
            kwargs["queryset"] = _communities(request).filter(open_to_site_users=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_view_permission(self, request: HttpRequest, obj: Board | None = None) -> bool:
        return _may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may(request, None)

    def has_change_permission(self, request: HttpRequest, obj: Board | None = None) -> bool:
        return _may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Board | None = None) -> bool:
        return _may(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may(request, None)


def _may(request: HttpRequest, board: Board | None) -> bool:
    if not request.user.has_perm("moderation.change_community"):
        return False
    return board is None or _communities(request).filter(pk=board.community_id).exists()


def _communities(request: HttpRequest) -> QuerySet[Community]:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return queries.communities_moderated_by(request.user)
