"""Statements of reasons as they were issued, and how far each is on its way into the register."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.views.decorators.http import require_POST

from moderation.admin.scoped import ReadOnlyAdmin, community_filter
from moderation.models import Statement
from moderation.transparency import export
from moderation.vocabulary import RegisterState


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin):
    """To read; what the register refused can be filed again once its cause is mended."""

    list_display = ("number", "community", "what", "decided", "registered", "issued_at")
    list_filter = ("register_entry__state", community_filter("community"))
    list_select_related = ("community", "register_entry", "enforcement")
    search_fields = ("=number", "=enforcement__post__id")
    ordering = ("-id",)
    fields = (
        "number",
        "community",
        "issued_at",
        "said",
        "registered",
        "register_name",
        "wrong",
        "shown_document",
    )
    readonly_fields = fields
    change_form_outer_before_template = "moderation/admin/_register.html"

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(require_POST(self.file_again_view))
        return [
            path("<int:statement_pk>/file-again/", again, name="moderation_statement_file_again"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        statement = self.get_object(request, object_id)
        may = request.user.has_perm("moderation.change_registerentry")
        is_refused = statement is not None and _state_of(statement) == RegisterState.INVALID
        context = {**(extra_context or {}), "may_file": may and is_refused}
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page

    def file_again_view(self, request: HttpRequest, statement_pk: int) -> HttpResponse:
        if not request.user.has_perm("moderation.change_registerentry"):
            raise PermissionDenied
        statement: Statement | None = self.get_queryset(request).filter(pk=statement_pk).first()
        if statement is None:
            raise Http404
        if export.file_again(statement_id=statement.pk):
            self.log_change(request, statement, "To be filed again.")
            messages.success(request, "It is filed within a minute.")
        else:
            messages.info(request, "Only what was refused is filed again.")
        return redirect("admin:moderation_statement_change", statement.pk)

    @admin.display(description="What was done")
    def what(self, statement: Statement) -> str:
        told = [str(one["decision"]) for one in statement.document["restrictions"]]
        return ", ".join(told).replace("_", " ")

    @admin.display(description="Decided by")
    def decided(self, statement: Statement) -> str:
        return "Machine" if statement.document["facts"]["decided"] == "fully" else "Person"

    @admin.display(description="Register")
    def registered(self, statement: Statement) -> str:
        state = _state_of(statement)
        return str(state.label) if state else "Not filed"

    @admin.display(description="What the author reads")
    def said(self, statement: Statement) -> str:
        lines = ((one["title"], one["text"]) for one in statement.document["said"])
        return format_html_join("", "<p><strong>{}.</strong> {}</p>", lines)

    @admin.display(description="Name in the register")
    def register_name(self, statement: Statement) -> str:
        entry = getattr(statement, "register_entry", None)
        return entry.uuid if entry else ""

    @admin.display(description="What the register refused")
    def wrong(self, statement: Statement) -> str:
        entry = getattr(statement, "register_entry", None)
        if entry is None:
            return ""
        told = [*entry.wrong, *([("last error", entry.last_error)] if entry.last_error else [])]
        return format_html_join("", "<p>{}: {}</p>", told)


def _state_of(statement: Statement) -> RegisterState | None:
    entry = getattr(statement, "register_entry", None)
    return RegisterState(entry.state) if entry is not None else None
