"""Pages on which authors and reporters object, and read what became of it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from moderation.errors import ModerationError, RateLimited
from moderation.models import Appeal
from platform_site.forum import appealing
from platform_site.forum.appeal_forms import AppealForm, ReplyForm
from platform_site.forum.appealing import Ground
from platform_site.forum.views import page, signed_in

_ACTS = ["GET", "HEAD", "POST"]


@require_http_methods(_ACTS)
@login_required
@page
def appeal(request: HttpRequest, number: str) -> HttpResponse:
    """Object to what was decided; `number` is the statement's, or the decision's own."""
    enforcement = appealing.own_enforcement(signed_in(request), number)
    standing = appealing.appeal_about(enforcement=enforcement)
    if standing is not None:
        return redirect("forum:appeal_status", number=standing.number)
    return _object(
        request,
        appealing.ground_of(enforcement),
        lambda words: appealing.object_to(enforcement, words),
    )


@require_http_methods(_ACTS)
@page
def appeal_report(request: HttpRequest, number: str) -> HttpResponse:
    """Object to the refusal of a report."""
    report = appealing.reported_by(request.user, number)
    standing = appealing.appeal_about(report=report)
    if standing is not None:
        return redirect("forum:appeal_status", number=standing.number)
    return _object(
        request,
        appealing.ground_of_report(request.user, report),
        lambda words: appealing.object_to_refusal(report, words),
    )


@require_http_methods(_ACTS)
@page
def appeal_by_mail(request: HttpRequest, token: str) -> HttpResponse:
    """Object by a mail's link, without signing in: to one decision, and follow that appeal."""
    enforcement = appealing.enforcement_of(token)
    standing = appealing.appeal_about(enforcement=enforcement)
    if standing is not None:
        return _status(request, standing)
    return _object(
        request,
        appealing.ground_of(enforcement),
        lambda words: appealing.object_to(enforcement, words),
        stays_here=True,
    )


@require_http_methods(_ACTS)
@page
def appeal_status(request: HttpRequest, number: str) -> HttpResponse:
    return _status(request, appealing.get_appeal(request.user, number))


@require_safe
@login_required
@page
def my_appeals(request: HttpRequest) -> HttpResponse:
    found, next_cursor = appealing.own_appeals(signed_in(request), _before(request))
    entries = [(one, appealing.badge_of(one)) for one in found]
    return render(
        request, "forum/my_appeals.html", {"entries": entries, "next_cursor": next_cursor}
    )


def _before(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("before is not a place in a list.")
    return int(text) if text else None


def _object(
    request: HttpRequest,
    ground: Ground,
    act: Callable[[str], Appeal],
    *,
    stays_here: bool = False,
) -> HttpResponse:
    form = AppealForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made = act(form.cleaned_data["words"])
            except ModerationError as error:
                status = form.refuse(error)
            else:
                messages.success(request, "Your appeal has arrived.")
                if stays_here:
                    return redirect(request.path)
                return redirect("forum:appeal_status", number=made.number)
    return render(request, "forum/appeal.html", {"ground": ground, "form": form}, status=status)


def _status(request: HttpRequest, appeal: Appeal) -> HttpResponse:
    form = ReplyForm()
    status = 200
    if request.method == "POST":
        is_withdrawal = request.POST.get("act") == "withdraw"
        form = ReplyForm() if is_withdrawal else ReplyForm(request.POST)
        status = 422
        if is_withdrawal or form.is_valid():
            try:
                _act(appeal, "" if is_withdrawal else form.cleaned_data["words"])
            except ModerationError as error:
                messages.error(request, str(error))
                status = 429 if isinstance(error, RateLimited) else 409
                appeal.refresh_from_db()
            else:
                said = "Your appeal is withdrawn." if is_withdrawal else "Your message has arrived."
                messages.success(request, said)
                return redirect(request.path)
    whole = appealing.whole(request.user, appeal)
    return render(
        request, "forum/appeal_status.html", {"whole": whole, "form": form}, status=status
    )


def _act(appeal: Appeal, words: str) -> None:
    if words:
        appealing.reply(appeal, words)
    else:
        appealing.withdraw(appeal)
