"""Long work that a lead starts and watches: its list with live progress, its start, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from moderation.admin import rescans
from moderation.admin.rescans import DaysForm, SelectionForm
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, ModerationError, NotFound
from moderation.operations import ledger
from moderation.operations.estimate import Estimate, estimate
from moderation.operations.export import open_export, start_export
from moderation.operations.rescan import start_rescan

PERMISSION = "moderation.reverse_enforcement"


def urls() -> list[URLPattern]:
    """Return the addresses of the operations' pages, below the admin's own."""
    view = admin.site.admin_view
    pages = [
        path("", view(list_view), name="moderation_operations"),
        path("list/", view(fragment_view), name="moderation_operations_list"),
        path("rescan/", view(rescan_view), name="moderation_rescan"),
        path("<uuid:operation_id>/file/", view(file_view), name="moderation_operation_file"),
    ]
    return pages + [
        path(
            f"<uuid:operation_id>/{name}/",
            view(require_POST(_button(do, said))),
            name=f"moderation_operation_{name}",
        )
        for name, do, said in (
            ("pause", ledger.pause_operation, "It is paused. What it has sent is still judged."),
            ("resume", ledger.resume_operation, "It goes on where it stopped."),
            ("cancel", ledger.cancel_operation, "It stops after its current batch."),
            ("again", ledger.ring_again, "A worker was asked again."),
        )
    ]


def list_view(request: HttpRequest) -> HttpResponse:
    """List operations, and start an export."""
    _must_lead(request)
    form = DaysForm(request, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            start_export(
                community=form.cleaned_data["community"],
                since=form.since,
                until=form.until,
                user=staff(request.user),
            )
        except ModerationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Started. Its progress shows below.")
            return redirect("admin:moderation_operations")
    return _page(request, "operations.html", title="Operations", form=form, **_listed(request))


def rescan_view(request: HttpRequest) -> HttpResponse:
    """Choose old posts, see what another look at them would take, then start it."""
    _must_lead(request)
    asked = request.POST if request.method == "POST" else request.GET
    form = SelectionForm(request, asked if "first_day" in asked else None)
    found: Estimate | None = None
    if form.is_valid() and request.method == "POST":
        try:
            start_rescan(selection=form.selection, user=staff(request.user))
        except ModerationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Started. Its progress shows below.")
            return redirect("admin:moderation_operations")
    elif form.is_valid():
        found = estimate(form.selection)
    return _page(
        request,
        "rescan.html",
        title="Look at old posts again",
        form=form,
        judges=rescans.judges(),
        estimate=_shown(found) if found else None,
    )


def _shown(found: Estimate) -> dict[str, Any]:
    about = "" if found.is_exact else "about "
    cost = rescans.dollars(found.cost_micros)
    return {
        "found": found,
        "posts": f"{about}{found.posts:,}" if found.posts or found.is_exact else "few, if any",
        "walked": f"{about}{found.walked:,}",
        "cost": f"{about}{cost}" if found.cost_micros else "nothing",
        "duration": f"about {rescans.duration(found.seconds)}",
        "uses": [(use, rescans.dollars(use.cost_micros)) for use in found.uses if use.is_set_up],
    }


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/{template}",
        {**admin.site.each_context(request), **context},
    )


def _button(do: Callable[..., None], said: str) -> Callable[..., HttpResponse]:
    """Return the view behind a button of one operation."""

    def press(request: HttpRequest, operation_id: object) -> HttpResponse:
        _must_lead(request)
        try:
            do(operation_id=str(operation_id), user=staff(request.user))
        except NotFound as error:
            raise Http404 from error
        except Conflict as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, said)
        return redirect("admin:moderation_operations")

    return press


def fragment_view(request: HttpRequest) -> HttpResponse:
    """Answer with the list alone, which the page reads again while something runs."""
    _must_lead(request)
    return TemplateResponse(request, "moderation/admin/_operations.html", _listed(request))


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
        "operations": [(item, _about(item)) for item in operations],
        "something_runs": any(not item.is_finished for item in operations),
        "reader_id": request.user.pk,
    }


def _about(operation: ledger.Operation) -> list[str]:
    return rescans.about(operation.facts) if operation.is_rescan else []


def _must_lead(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
