"""What readers have reported: the item in which it waits, and the answer that each report gets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Now

from moderation import queries
from moderation.models import Author, Decision, Enforcement, Post, Report, Review
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.pipeline.enforcement import standing
from moderation.pipeline.enforcement.queueing import queue_facts
from moderation.policy import reporting, risk
from moderation.policy.reporting import NEWCOMERS_WEIGHT, REPORTED, is_acted_on
from moderation.vocabulary import (
    Action,
    Category,
    ReportState,
    ReviewLane,
    ReviewState,
    Severity,
    Visibility,
)

_ANSWERED = (ReportState.ACTED_ON, ReportState.REFUSED, ReportState.MUTED)
# A report is muted by a decision that gave no reason to act, which is its answer.
_REFUSING = (ReportState.REFUSED, ReportState.MUTED)


# The item


def put_before_people(post: Post, reports: Sequence[Report]) -> Review:
    """Let open reports wait in the post's one open item, made where there is none.

    An item that waits already keeps its lane; it rises. The caller holds the post's row.
    """
    now = queries.database_now()
    rows = Review.objects.select_for_update(no_key=True)
    review = rows.filter(post=post, state=ReviewState.OPEN).first() or _new_item(post, reports, now)
    waiting = _open_reports(post).aggregate(count=Count("pk"), weight=Sum("weight"))
    weight = waiting["weight"] or 0.0
    severity = max([Severity(review.severity), *(_severity_of(report) for report in reports)])
    review.rank_at -= timedelta(
        seconds=reporting.bonus_seconds(weight)
        - reporting.bonus_seconds(review.report_weight)
        + risk.review_bonus_seconds(severity, 1)
        - risk.review_bonus_seconds(Severity(review.severity), 1)
    )
    review.severity = severity
    review.report_count, review.report_weight = waiting["count"], weight
    review.save()
    Report.objects.filter(pk__in=[report.pk for report in reports]).update(review=review)
    return review


def _new_item(post: Post, reports: Sequence[Report], now: datetime) -> Review:
    heaviest = max(reports, key=lambda report: report.weight)
    severity = _severity_of(heaviest)
    reach = 1 if post.visibility == Visibility.PUBLIC else 0
    verdicts = post.verdicts.filter(revision=post.revision).order_by("-pk")
    return Review(
        post=post,
        community_id=post.community_id,
        revision=post.revision,
        verdict=verdicts.first(),
        lane=ReviewLane.REPORT,
        rule=REPORTED,
        category=heaviest.category,
        severity=severity,
        reach=reach,
        **queue_facts(
            title=post.title,
            body=post.body,
            lane=ReviewLane.REPORT,
            minutes=post.community.review_minutes,
            now=now,
            has_media=queries.current_media(post).exists(),
        ),
        rank_at=now - timedelta(seconds=risk.review_bonus_seconds(severity, reach)),
        created_at=now,
    )


def _reopen_item(post: Post, reports: Sequence[Report]) -> None:
    """Open the item again in which reports of the present revision have waited."""
    if Review.objects.filter(post=post, state=ReviewState.OPEN).exists():
        return
    own = [report.review_id for report in reports if report.review_id is not None]
    closed = Review.objects.filter(pk__in=own, revision=post.revision, state=ReviewState.DECIDED)
    last = closed.order_by("-pk").first()
    if last is not None:
        Review.objects.filter(pk=last.pk).update(
            state=ReviewState.OPEN, closed_at=None, holder=None, lease_until=None, held_since=None
        )


def _severity_of(report: Report) -> Severity:
    """A word of alarm from somebody who is mostly wrong makes nothing more urgent."""
    if report.weight < NEWCOMERS_WEIGHT:
        return Severity.MEDIUM
    return risk.severity_of(Category(report.category), Action.REVIEW)


def follow_edit(post: Post) -> None:
    """What was reported of the revision that ended is looked at in the one that began."""
    waiting = list(_open_reports(post).order_by("pk"))
    if waiting:
        put_before_people(post, waiting)


def _open_reports(post: Post) -> QuerySet[Report]:
    return Report.objects.filter(post=post, state=ReportState.OPEN)


# Answers


def lock_people(post: Post) -> None:
    """Lock a post's author together with whoever reported it, before either of them changes.

    Two people who report each other may be decided about at the same moment. The caller holds the
    post's row.
    """
    found = Report.objects.filter(post=post, reporter__isnull=False)
    reporters = set(found.values_list("reporter_id", flat=True))
    if reporters:
        standing.lock(reporters | {post.author_id})


def settle(post: Post, decision: Decision, *, actor: Actor) -> None:
    """Answer a post's open reports by what a person decided, and mend what no longer holds.

    Earlier answers about this very content follow the new decision. The caller holds the post's
    row.
    """
    state = _state_for(Action(decision.action))
    same_content = _answered_otherwise(state) & Q(content_hash=post.content_hash)
    reports = Report.objects.filter(Q(state=ReportState.OPEN) | same_content, post=post)
    _answer(post, reports, state, decision=decision, actor=actor)


def mend(post: Post, enforcement: Enforcement, *, actor: Actor) -> None:
    """Let the answers to reports follow what stands after the reversal of an enforcement.

    Where nothing stands that answers them, or a person is to look again, they wait again.
    """
    enforced = queries.enforced_on(post.pk, enforcement.revision)
    last = enforced[-1].action if enforced else None
    if post.deleted_at is None and (
        last is Action.REVIEW or (last is None and enforcement.action == Action.ALLOW)
    ):
        state = ReportState.OPEN
    else:
        state = _state_for(last)
    reports = Report.objects.filter(
        _answered_otherwise(state), post=post, decision__revision=enforcement.revision
    )
    _answer(post, reports, state, actor=actor)


def reopen(post: Post, decision: Decision, *, actor: Actor) -> None:
    """A decision was taken back at once: the reports that it answered wait as they did."""
    reports = Report.objects.filter(post=post, decision=decision, state__in=_ANSWERED)
    _answer(post, reports, ReportState.OPEN, actor=actor)


def reopen_report(post: Post, report: Report, *, actor: Actor) -> None:
    """Its refusal was overturned on appeal: it waits for another answer."""
    _answer(post, Report.objects.filter(pk=report.pk), ReportState.OPEN, actor=actor)


def end_with_post(post: Post, *, actor: Actor) -> None:
    """The author took the post away: that ends its reports, and says nothing of who reported."""
    reports = Report.objects.filter(post=post, state=ReportState.OPEN)
    _answer(post, reports, ReportState.ACTED_ON, actor=actor, counts=False)


def _answered_otherwise(state: ReportState) -> Q:
    """Match what a person's decision has answered, and not as `state` does."""
    alike = _REFUSING if state in _REFUSING else (state,)
    return Q(state__in=_ANSWERED, decision__isnull=False) & ~Q(state__in=alike)


def _state_for(action: Action | None) -> ReportState:
    return ReportState.ACTED_ON if is_acted_on(action) else ReportState.REFUSED


def _answer(
    post: Post,
    reports: QuerySet[Report],
    state: ReportState,
    *,
    actor: Actor,
    decision: Decision | None = None,
    counts: bool = True,
) -> None:
    rows = list(reports.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if not rows:
        return
    settled = state is not ReportState.OPEN
    changed: dict[str, object] = {"state": state, "settled_at": Now() if settled else None}
    if decision is not None or not settled:
        changed["decision"] = decision
    Report.objects.filter(pk__in=[row.pk for row in rows]).update(**changed)
    if counts:
        _count(rows, state)
    if not settled:
        _reopen_item(post, rows)
        put_before_people(post, rows)
    record_events(
        [
            event_of("report.settled" if settled else "report.reopened", post, row, state, actor)
            for row in rows
        ]
    )


def _count(rows: Iterable[Report], state: ReportState) -> None:
    """Move reporters' counts from what each report was to what it is, in key order."""
    upheld: Counter[int] = Counter()
    refused: Counter[int] = Counter()
    for row in rows:
        if row.reporter_id is None:
            continue
        upheld[row.reporter_id] += _step(row.state, state, ReportState.ACTED_ON)
        refused[row.reporter_id] += _step(row.state, state, ReportState.REFUSED)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for pk in upheld:
        alike[upheld[pk], refused[pk]].append(pk)
    standing.lock(upheld)
    for (more_upheld, more_refused), ids in alike.items():
        Author.objects.filter(pk__in=ids).update(
            reports_upheld=F("reports_upheld") + more_upheld,
            reports_refused=F("reports_refused") + more_refused,
        )


def _step(before: str, after: ReportState, counted: ReportState) -> int:
    return int(after == counted) - int(before == counted)


def event_of(
    kind: str, post: Post, report: Report, state: ReportState | str, actor: Actor
) -> Event:
    """Return the audit event of a step with one report; it names nobody who reported."""
    return Event(
        kind=kind,
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts={
            "report": report.number,
            "category": str(report.category),
            "source": str(report.source),
            "state": str(state),
            "status": str(post.status),
            "visibility": str(post.visibility),
        },
    )
