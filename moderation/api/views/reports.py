"""Report a post, and read what was reported and answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import queries
from moderation.api import answers
from moderation.api.answers import post_path, time_of
from moderation.api.base import ApiView, caller_of
from moderation.api.bodies import read_idempotency, read_page_size
from moderation.api.callers import Caller
from moderation.api.limits import spend
from moderation.api.pages import Page, page_of
from moderation.api.serializers import reports as shapes
from moderation.api.views.posts import find_post
from moderation.drafts import MAX_ID_CHARS, read_person
from moderation.errors import NotFound
from moderation.fields import Fields
from moderation.models import Report
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.intake.idempotency import Reply
from moderation.pipeline.intake.submit import Writer
from moderation.pipeline.reports.report import (
    MOST_EXPLANATION_CHARS,
    NewReport,
    Reported,
    answer_report,
)
from moderation.vocabulary import Category, ReportSource, ReportState

_LONGEST_NUMBER = 32


class ReportPost(ApiView):
    @extend_schema(**shapes.REPORT_POST)
    def post(self, request: Request, post_id: str) -> Response:
        """Report a post as one of your people, or as yourself; the same reader's report is one."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        post = find_post(caller, post_id)
        fields = Fields(request.data)
        reporter = caller.writer() or _reporter(fields)
        category = fields.text("category", most=MAX_ID_CHARS, required=True)
        if category and category not in Category.values:
            fields.note("category", f"is one of {', '.join(Category.values)}")
        explanation = fields.text("explanation", most=MOST_EXPLANATION_CHARS)
        fields.finish()
        new = NewReport(
            post,
            reporter,
            Category(category),
            explanation,
            source=ReportSource.CLIENT if caller.speaks_for_others else ReportSource.READER,
            # The record names nobody who reported.
            actor=caller.actor if caller.speaks_for_others else SYSTEM,
        )
        reply = answer_report(new, _answer, read_idempotency(request, caller))
        return answers.answer(reply)


def _reporter(fields: Fields) -> Writer:
    reporter = fields.nested("reporter")
    if reporter is None:
        fields.note("reporter", "is required")
        return Writer("")
    return Writer(
        external_id=read_person(reporter, "id"), name=reporter.text("name", most=MAX_ID_CHARS)
    )


def _answer(stored: Reported) -> Reply:
    return Reply(201 if stored.is_new else 200, _written(stored.report))


class ListReports(ApiView):
    @extend_schema(**shapes.LIST_REPORTS)
    def get(self, request: Request) -> Response:
        """List reports, the newest first: your communities', or your own."""
        caller = _spend_reading(request)
        query = _read_query(request)
        found = caller.reports()
        if query.state:
            found = found.filter(state=query.state)
        if query.post:
            found = found.filter(post=query.post)
        if query.reporter:
            found = found.filter(reporter__external_id=query.reporter)
        if query.page.cursor:
            found = found.filter(pk__lt=query.page.number())
        return Response(page_of(request, query.page, found, lambda row: str(row.pk), _written))


class GetReport(ApiView):
    @extend_schema(**shapes.GET_REPORT)
    def get(self, request: Request, number: str) -> Response:
        """Return a report with its answer."""
        caller = _spend_reading(request)
        found = caller.reports().filter(number=number[: _LONGEST_NUMBER + 1])
        # The database takes no NUL.
        report = found.first() if "\x00" not in number else None
        if report is None:
            raise NotFound("There is no such report.")
        return Response(_written(report))


def _spend_reading(request: Request) -> Caller:
    caller = caller_of(request)
    own = caller.bucket()
    spend(request, replace(own, whose=f"{own.whose}:read"))
    return caller


@dataclass(frozen=True, slots=True)
class _Query:
    state: str
    post: UUID | None
    reporter: str
    page: Page


def _read_query(request: Request) -> _Query:
    fields = Fields(request.GET.dict())
    state = fields.text("state", most=MAX_ID_CHARS)
    if state and state not in ReportState.values:
        fields.note("state", f"is one of {', '.join(ReportState.values)}")
    query = _Query(
        state,
        fields.uuid("post"),
        fields.text("reporter", most=MAX_ID_CHARS),
        Page(fields.text("cursor", most=MAX_ID_CHARS), read_page_size(fields)),
    )
    fields.finish()
    return query


def _written(report: Report) -> dict[str, Any]:
    answer = queries.answer_of(report)
    reporter = report.reporter
    return {
        "number": report.number,
        "post": str(report.post_id),
        "revision": report.revision,
        "community": report.community.slug,
        "reporter": {"id": reporter.external_id, "name": reporter.name} if reporter else None,
        "source": report.source,
        "category": report.category,
        "explanation": report.explanation,
        "state": report.state,
        "answer": {"text": answer.text, "decided_by": answer.by, "automated": answer.automated},
        "created_at": time_of(report.created_at),
        "settled_at": time_of(report.settled_at),
        "links": {
            "self": reverse("api:report", args=[report.number]),
            "post": post_path(report.post_id),
        },
    }
