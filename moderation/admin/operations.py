"""Long work that a lead starts and watches: its list with live progress, its start, its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST

from moderation.admin.scoped import own_communities
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, ModerationError, NotFound
from moderation.models import Community
from moderation.operations import ledger
from moderation.operations.export import open_export, start_export
from moderation.operations.rescan import start_rescan

PERMISSION = "moderation.reverse_enforcement"
_START: dict[str, Callable[..., str]] = {"rescan": start_rescan, "export": start_export}


class StartForm(forms.Form):
    """What to start, and on what: whole days, the last one included."""

    kind = forms.ChoiceField(
        choices=[("rescan", "Look at old posts again"), ("export", "Export decisions as CSV")],
        label="Operation",
    )
    community = forms.ModelChoiceField(Community.objects.none(), empty_label=None)
    first_day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any, request: HttpRequest) -> None:
        today = timezone.now().date()
        super().__init__(data, initial={"first_day": today - timedelta(days=30), "last_day": today})
        self.fields["community"].queryset = own_communities(request)  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and first > last:
            raise forms.ValidationError("The first day must not come after the last.")
        return cleaned

    def start(self, request: HttpRequest) -> str:
        asked = self.cleaned_data
        return _START[asked["kind"]](
            community=asked["community"],
            since=datetime.combine(asked["first_day"], time.min, UTC),
            until=datetime.combine(asked["last_day"], time.min, UTC) + timedelta(days=1),
            user=staff(request.user),
        )


def urls() -> list[URLPattern]:
    """Return the addresses of the operations' pages, below the admin's own."""
    view = admin.site.admin_view
    return [
        path("", view(list_view), name="moderation_operations"),
        path("list/", view(fragment_view), name="moderation_operations_list"),
        path(
            "<uuid:operation_id>/cancel/",
            view(require_POST(cancel_view)),
            name="moderation_operation_cancel",
        ),
        path(
            "<uuid:operation_id>/again/",
            view(require_POST(again_view)),
            name="moderation_operation_again",
        ),
        path("<uuid:operation_id>/file/", view(file_view), name="moderation_operation_file"),
    ]


def list_view(request: HttpRequest) -> HttpResponse:
    _must_lead(request)
    form = StartForm(request.POST or None, request)
    if request.method == "POST" and form.is_valid():
        try:
            form.start(request)
        except ModerationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Started. Its progress shows below.")
            return redirect("admin:moderation_operations")
    return TemplateResponse(
        request,
        "moderation/admin/operations.html",
        {
            **admin.site.each_context(request),
            "title": "Operations",
            "form": form,
            **_listed(request),
        },
    )


def fragment_view(request: HttpRequest) -> HttpResponse:
    """Answer with the list alone, which the page reads again while something runs."""
    _must_lead(request)
    return TemplateResponse(request, "moderation/admin/_operations.html", _listed(request))


def cancel_view(request: HttpRequest, operation_id: object) -> HttpResponse:
    _must_lead(request)
    try:
        ledger.cancel_operation(operation_id=str(operation_id), user=staff(request.user))
    except NotFound as error:
        raise Http404 from error
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "It stops after its current batch.")
    return redirect("admin:moderation_operations")


def again_view(request: HttpRequest, operation_id: object) -> HttpResponse:
    _must_lead(request)
    try:
        ledger.ring_again(operation_id=str(operation_id), user=staff(request.user))
    except NotFound as error:
        raise Http404 from error
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "A worker was asked again.")
    return redirect("admin:moderation_operations")


def file_view(request: HttpRequest, operation_id: object) -> FileResponse:
    _must_lead(request)
    try:
        file = open_export(operation_id=str(operation_id), user=staff(request.user))
    except NotFound as error:
        raise Http404 from error
    return FileResponse(
        file, as_attachment=True, filename="decisions.csv", content_type="text/csv; charset=utf-8"
    )


def _listed(request: HttpRequest) -> dict[str, Any]:
    operations = ledger.list_operations(staff(request.user))
    return {
        "operations": operations,
        "something_runs": any(not item.is_finished for item in operations),
        "reader_id": request.user.pk,
    }


def _must_lead(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
