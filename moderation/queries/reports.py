"""Who may read which reports, and what each is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import QuerySet

from moderation.errors import NotFound
from moderation.models import Community, Organisation, Report, Review
from moderation.policy.reporting import Answer, answer_to
from moderation.vocabulary import Action, ReportState

# More than anybody reads beside one post.
MOST_BESIDE_AN_ITEM = 100


def reports_of(user: User) -> QuerySet[Report]:
    """Return what a user of this site has reported, the newest first."""
    return _with_answers(Report.objects.filter(reporter__user=user))


def reports_in(owner: Community | Organisation) -> QuerySet[Report]:
    """Return what was reported in an API client's community or communities, the newest first."""
    if isinstance(owner, Community):
        return _with_answers(Report.objects.filter(community=owner))
    return _with_answers(Report.objects.filter(community__organisation=owner))


def get_report(number: str) -> Report:
    """Return a report to whoever knows its number. Raises `NotFound`."""
    report = _with_answers(Report.objects.filter(number=number)).first()
    if report is None:
        raise NotFound("There is no such report.")
    return report


def _with_answers(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.select_related("post", "community", "reporter", "decision").order_by("-pk")


def answer_of(report: Report) -> Answer:
    """Return what a report is answered at present."""
    decision = report.decision
    return answer_to(
        ReportState(report.state), action=Action(decision.action) if decision else None
    )


@dataclass(frozen=True, slots=True)
class ReportsBeside:
    """The reports of a post; `more` open ones are left out."""

    reports: Sequence[Report]
    more: int


def reports_beside(review: Review) -> ReportsBeside:
    """Return the newest reports of an item's post, answered ones among them."""
    rows = Report.objects.filter(post=review.post_id).select_related("reporter").order_by("-pk")
    found = list(rows[:MOST_BESIDE_AN_ITEM])
    is_cut = len(found) == MOST_BESIDE_AN_ITEM
    return ReportsBeside(found, max(review.report_count - len(found), 0) if is_cut else 0)
