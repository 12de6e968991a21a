"""What all lists share: a moderator sees their own communities, and nothing is deleted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR
from django.db.models import Field, ForeignKey, JSONField, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from moderation import queries
from moderation.admin.surroundings import staff
from moderation.models import Community

_MOST_DIGITS = 18


def own_communities(request: HttpRequest) -> QuerySet[Community]:
    return queries.communities_moderated_by(staff(request.user)).order_by("name")


class CommunityFilter(admin.SimpleListFilter):
    """Offers only communities that the reader moderates."""

    title = "community"
    parameter_name = "in"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        return [(str(item.pk), item.name) for item in own_communities(request)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        if not value or not value.isdecimal() or len(value) > _MOST_DIGITS:
            return queryset
        path = getattr(self, "community_path", "community")
        return queryset.filter(**{f"{path}_id": int(value)})


def community_filter(path: str) -> type[CommunityFilter]:
    """Return the filter for rows that reach their community by `path`."""
    return type("CommunityFilter", (CommunityFilter,), {"community_path": path})


class ScopedAdmin(ModelAdmin):  # type: ignore[misc]  # Unfold is untyped
    """Rows of the reader's communities only. Evidence is never deleted here.

    `community_path` leads from a row to its community; None means that only superusers see it.
    """

    community_path: str | None = "community"
    show_full_result_count = False
    paginator = InfinitePaginator
    list_per_page = 50
    list_filter_submit = True
    # Filling in by hand what only the pipeline may write is never offered.
    actions = None

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        # Unfold colours JSON with inline styles, which our content security policy refuses.
        for field in model._meta.concrete_fields:
            if isinstance(field, JSONField):
                setattr(self, f"shown_{field.name}", _shown_json(field.name))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        user = staff(request.user)
        if user.is_superuser:
            return rows
        if self.community_path is None:
            return rows.none()
        own = list(own_communities(request).values_list("pk", flat=True))
        path = self.community_path
        return rows.filter(**({"pk__in": own} if path == "" else {f"{path}__in": own}))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if any(_is_no_key(name, str(value)) for name, value in request.GET.items()):
            # As Django answers what it cannot filter by.
            return redirect(f"{request.path}?{ERROR_FLAG}=1")
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if db_field.related_model is Community:
            kwargs["queryset"] = own_communities(request)
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(
            db_field, request, **kwargs
        )
        return field

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _is_no_key(name: str, value: str) -> bool:
    """Whether a filter is a number that no database looks for: it would be an error of ours."""
    return name != SEARCH_VAR and value.lstrip("-").isdecimal() and len(value) > _MOST_DIGITS


class ReadOnlyAdmin(ScopedAdmin):
    """Looks, and changes nothing: what it shows is written by the pipeline alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def field_names(model: type[Model], *, leave_out: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a model's own columns by name, for pages that show a row as it is.

    JSON goes by the name of the method that shows it: `shown_` and the column.
    """
    return tuple(
        f"shown_{field.name}" if isinstance(field, JSONField) else field.name
        for field in model._meta.get_fields()
        if isinstance(field, Field) and field.name not in leave_out
    )


def _shown_json(name: str) -> Callable[[Model], str]:
    @admin.display(description=name.replace("_", " "))
    def show(row: Model) -> str:
        text = json.dumps(getattr(row, name), indent=2, ensure_ascii=False)
        return format_html('<pre class="gh-document" tabindex="0">{}</pre>', text)

    return show
