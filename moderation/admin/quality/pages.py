"""A lead reads a community's figures for a period, takes them along, and sees who disagreed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.response import TemplateResponse

from moderation.admin import words
from moderation.admin.display import Piece, excerpt
from moderation.admin.quality.tables import MADE_BY, Table
from moderation.admin.rescans import DaysForm
from moderation.admin.scoped import own_communities
from moderation.errors import InvalidFields
from moderation.models import BlindCheck, Community
from moderation.operations.export import safe_cell
from moderation.quality import figures
from moderation.quality.figures import Period

_READS: Final = "moderation.view_blindcheck"
_PAGE: Final = 50
_LAST_PAGE: Final = 200


def figures_view(request: HttpRequest) -> HttpResponse:
    form, community, period = _asked(request)
    shown: list[Table] = []
    if period is not None:
        for make in dict.fromkeys(MADE_BY.values()):
            shown += make(period)
    return _page(
        request,
        "figures.html",
        title="Quality",
        form=form,
        community=community,
        tables=shown,
        query=_query(form),
    )


def csv_view(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with one table as CSV. No cell is taken for a formula: rules and names are others'."""
    form, community, period = _asked(request)
    make = MADE_BY.get(name)
    if make is None:
        raise Http404("There is no such table.")
    if period is None or community is None:
        return HttpResponseBadRequest(_wrong(form), content_type="text/plain; charset=utf-8")
    [table] = [one for one in make(period) if one.name == name]
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(table.columns)
    writer.writerows([[safe_cell(value) for value in row.values] for row in table.rows])
    return HttpResponse(
        file.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}-{community.slug}.csv"',
            "Cache-Control": "private, no-store",
        },
    )


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two answers to one post. `reverses` says whether the first one can still be reversed."""

    check: BlindCheck
    excerpt: tuple[Piece, ...]
    first: str
    second: str
    category: str
    is_edited: bool
    reverses: bool


def disagreements_view(request: HttpRequest) -> HttpResponse:
    """List where the second answer was another one, so that a lead looks and may reverse."""
    form, community, period = _asked(request)
    number = _page_number(request)
    rows: list[BlindCheck] = []
    if period is not None:
        start = (number - 1) * _PAGE
        rows = list(figures.disagreements(period)[start : start + _PAGE + 1])
    may_reverse = request.user.has_perm("moderation.reverse_enforcement")
    return _page(
        request,
        "disagreements.html",
        title="Disagreements",
        form=form,
        community=community,
        rows=[_disagreement(row, may_reverse=may_reverse) for row in rows[:_PAGE]],
        next_page=number + 1 if len(rows) > _PAGE and number < _LAST_PAGE else None,
        number=number,
        query=_query(form),
    )


def _disagreement(check: BlindCheck, *, may_reverse: bool) -> Disagreement:
    decision = check.decision
    assert decision is not None
    enforcement = getattr(decision, "enforcement", None)
    stands = enforcement is not None and enforcement.reversed_at is None
    return Disagreement(
        check=check,
        excerpt=excerpt(decision.post.title, decision.post.body, limit=90),
        first=words.answer_label(decision.action),
        second=words.answer_label(check.answer),
        category=words.category_label(check.category),
        is_edited=decision.post.revision != decision.revision,
        reverses=may_reverse and stands,
    )


def _asked(request: HttpRequest) -> tuple[DaysForm, Community | None, Period | None]:
    """Return what was asked for: the last 30 days of one's first community, unless it is said."""
    if not request.user.has_perm(_READS):
        raise PermissionDenied
    form = DaysForm(request, request.GET if "first_day" in request.GET else None)
    if not form.is_bound:
        first = own_communities(request).first()
        usual = {**form.initial, "community": request.GET.get("community") or (first and first.pk)}
        form = DaysForm(request, usual)
    if not form.is_valid():
        return form, None, None
    community: Community = form.cleaned_data["community"]
    try:
        return form, community, Period(community.pk, form.since, form.until)
    except InvalidFields as error:
        form.add_error(None, error.errors[0][1])
        return form, community, None


def _query(form: DaysForm) -> str:
    """Return what leads to the same community and days."""
    if not form.is_valid():
        return ""
    said = form.cleaned_data
    return (
        f"community={said['community'].pk}"
        f"&first_day={said['first_day'].isoformat()}&last_day={said['last_day'].isoformat()}"
    )


def _wrong(form: DaysForm) -> str:
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def _page_number(request: HttpRequest) -> int:
    asked = request.GET.get("page", "1")
    number = int(asked) if asked.isdecimal() and len(asked) < 6 else 1
    return min(max(number, 1), _LAST_PAGE)


def _page(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/quality/{template}",
        {**admin.site.each_context(request), **context},
    )
