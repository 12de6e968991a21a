"""A post's reports as its item shows them: how many of which kind, who says what, how it weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from moderation import queries
from moderation.admin.display import Piece, pieces
from moderation.models import Report, Review
from moderation.vocabulary import Category, ReportSource, ReportState


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One report as a moderator reads it beside its post. `notifier` is "" for readers."""

    report: Report
    explanation: tuple[Piece, ...]
    who: str
    is_first: bool
    is_open: bool
    reporter_url: str


@dataclass(frozen=True, slots=True)
class ReportsPanel:
    """A post's reports: how many of which category, the open and weightiest first.

    `weight` is that of the open ones; `more` are left out.
    """

    categories: Sequence[tuple[str, int]]
    weight: float
    lines: Sequence[ReportLine]
    more: int


def reports_panel(review: Review) -> ReportsPanel:
    """Return what `_reports.html` shows of an item's reports."""
    found = queries.reports_beside(review)
    counted = Counter(str(Category(report.category).label) for report in found.reports)
    by_weight = sorted(
        found.reports,
        key=lambda report: (report.state != ReportState.OPEN, -report.weight, report.pk),
    )
    return ReportsPanel(
        categories=counted.most_common(),
        weight=review.report_weight,
        lines=[_line(report) for report in by_weight],
        more=found.more,
    )


def _line(report: Report) -> ReportLine:
    reporter = report.reporter
    return ReportLine(
        report=report,
        explanation=pieces(report.explanation),
        who=_who(report),
        is_first=report.source == ReportSource.TRUSTED_FLAGGER,
        is_open=report.state == ReportState.OPEN,
        reporter_url=reporter_url(reporter.pk) if reporter else "",
    )


def _who(report: Report) -> str:
    named = report.notifier.get("name", "")
    if named:
        return named
    return str(report.reporter) if report.reporter else "Somebody who need not say who they are"


def reporter_url(author_id: int) -> str:
    return reverse("admin:moderation_reporter", args=[author_id])
