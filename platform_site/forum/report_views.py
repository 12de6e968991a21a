"""Pages on which readers report, hear what became of it, and give notice of illegal content."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from moderation.errors import ModerationError
from moderation.pipeline.reports.report import Reported
from platform_site.forum import queries, reporting
from platform_site.forum.report_forms import NoticeForm, ReportForm
from platform_site.forum.reporting import Typed
from platform_site.forum.views import page, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def report(request: HttpRequest, post_id: UUID) -> HttpResponse:
    card = queries.card(request.user, post_id)
    if card.is_own:
        return redirect("forum:post", post_id=post_id)
    form = ReportForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                stored = reporting.report(
                    signed_in(request),
                    card.post,
                    category=form.cleaned_data["category"],
                    explanation=form.cleaned_data["explanation"],
                )
            except ModerationError as error:
                status = form.refuse(error)
            else:
                _tell(request, stored)
                return redirect("forum:my_reports")
    context = {"card": card, "form": form, "address": queries.address_of(card.post)}
    return render(request, "forum/report.html", context, status=status)


def _tell(request: HttpRequest, stored: Reported) -> None:
    if stored.is_new:
        messages.success(request, "Thank you. Your report has arrived.")
    else:
        messages.info(request, "You have reported this already. Here is where it stands.")


@require_safe
@login_required
@page
def my_reports(request: HttpRequest) -> HttpResponse:
    found = queries.reports_page(signed_in(request), _before(request))
    return render(request, "forum/my_reports.html", {"page": found})


def _before(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("before is not a place in a list.")
    return int(text)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def notice(request: HttpRequest) -> HttpResponse:
    """The form that the law asks for: open to everybody, without an account."""
    form = NoticeForm(request.POST or None, initial=_known_of(request))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                reports = reporting.notify(request, Typed(**form.cleaned_data))
            except ModerationError as error:
                status = form.refuse(error)
            else:
                numbers = ",".join(item.number for item in reports)
                return redirect(f"{reverse('forum:notice_received')}?numbers={numbers}")
    return render(request, "forum/notice.html", {"form": form}, status=status)


def _known_of(request: HttpRequest) -> dict[str, str]:
    """Return what the form need not ask: where the reader came from, and who is signed in."""
    known = {"locations": request.GET.get("at", "")[:2_000]}
    if isinstance(request.user, User):
        known |= {"name": request.user.get_full_name(), "email": request.user.email}
    return known


@require_safe
@page
def notice_received(request: HttpRequest) -> HttpResponse:
    numbers = reporting.numbers_in(request.GET.get("numbers", ""))
    entries = [queries.notice_entry(number) for number in numbers]
    return render(request, "forum/notice_received.html", {"entries": entries})


@require_safe
@page
def notice_status(request: HttpRequest, number: str) -> HttpResponse:
    """What became of one notice, to whoever has its number."""
    return render(request, "forum/notice_status.html", {"entry": queries.notice_entry(number)})
