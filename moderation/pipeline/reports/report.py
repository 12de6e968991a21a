"""6d · A reader reports a post: it waits for a person, unless one has looked at just that.

A report never hides anything by itself. Only where a community's policy names a weight does what
proven readers report stay hidden until a person has looked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, Sum

from moderation import queries
from moderation.coordination.report_limit import take_report_turn
from moderation.delivery import websocket
from moderation.delivery.hints import Hint, QueueHint
from moderation.errors import AuthorSuspended, InvalidFields, NotAllowed, NotFound
from moderation.identifiers import new_number
from moderation.models import (
    AuditEvent,
    Author,
    Decision,
    Effect,
    Enforcement,
    Post,
    PostRevision,
    Report,
    Review,
    Submission,
    TrustedFlagger,
    VerdictRecord,
)
from moderation.models.posts import INDEFINITELY
from moderation.pipeline.audit.record import MACHINE, SYSTEM, Actor, Event, record_events
from moderation.pipeline.enforcement.folding import refold
from moderation.pipeline.enforcement.statement import (
    content_kinds,
    issue_statements,
    reports_on,
    source_of,
)
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.intake.idempotency import (
    Idempotency,
    Reply,
    find_replies,
    keep_replies,
    running,
)
from moderation.pipeline.review.reported import event_of, put_before_people
from moderation.policy import reporting
from moderation.policy.reasons import Facts
from moderation.policy.reporting import HELD_BY_REPORTS, is_notice
from moderation.queries.appeals import appeal_until
from moderation.vocabulary import (
    Action,
    Category,
    EffectKind,
    Reason,
    ReportSource,
    ReportState,
    Status,
    SubmissionState,
    Visibility,
)

MOST_EXPLANATION_CHARS = 5_000

AnyHint = Hint | QueueHint


@dataclass(frozen=True, slots=True)
class NewReport:
    """What somebody objects to: a post that the edge has found for them.

    `source` is whose way it came; `actor` how the record names it.
    """

    post: Post
    reporter: Writer
    category: Category
    explanation: str = ""
    source: ReportSource = ReportSource.READER
    actor: Actor = SYSTEM


@dataclass(frozen=True, slots=True)
class Reported:
    """A report that is stored; `is_new` is false for one that was there already."""

    report: Report
    is_new: bool


def report_post(new: NewReport) -> Reported:
    """Store one reader's report of a post's present content, once.

    Raises `NotFound` for what the reader cannot see, `NotAllowed` for their own post,
    `AuthorSuspended`, `RateLimited`, `InvalidFields`.
    """
    explanation = _admit(new)
    with transaction.atomic():
        stored, hints = _store(new, explanation)
    websocket.push(hints)
    return stored


def answer_report(
    new: NewReport, answer: Callable[[Reported], Reply], idempotency: Idempotency | None
) -> Reply:
    """Store a client's report and return its answer; a repeated request gets the first one's."""
    if idempotency is None:
        return answer(report_post(new))
    explanation = _admit(new)
    with running(idempotency):
        try:
            return _answer_once(new, explanation, answer, idempotency)
        except IntegrityError:
            # Another process committed the same key first: this time it is found.
            return _answer_once(new, explanation, answer, idempotency)


def _admit(new: NewReport) -> str:
    explanation = check_explanation(new.explanation)
    take_report_turn(f"{new.post.community_id}:{new.reporter.external_id}")
    return explanation


def _answer_once(
    new: NewReport,
    explanation: str,
    answer: Callable[[Reported], Reply],
    idempotency: Idempotency,
) -> Reply:
    with transaction.atomic():
        known = find_replies([idempotency]).get(idempotency)
        if isinstance(known, Reply):
            return known
        if known is not None:
            raise known
        stored, hints = _store(new, explanation)
        reply = answer(stored)
        keep_replies([(idempotency, reply)])
    websocket.push(hints)
    return reply


def check_explanation(text: str) -> str:
    """Return what somebody explained, trimmed. Raises `InvalidFields`."""
    text = text.strip()
    if "\x00" in text:
        raise InvalidFields.of("explanation", "holds the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidFields.of("explanation", "holds half of a surrogate pair") from None
    if len(text) > MOST_EXPLANATION_CHARS:
        raise InvalidFields.of(
            "explanation", f"has at most {MOST_EXPLANATION_CHARS} characters, this has {len(text)}"
        )
    return text


def _store(new: NewReport, explanation: str) -> tuple[Reported, list[AnyHint]]:
    post = lock_reported(new.post.pk)
    reporter = _reporter(post, new.reporter)
    _refuse_what_may_not_be(post, reporter, new.source)
    known = Report.objects.filter(
        post=post, reporter=reporter, content_hash=post.content_hash
    ).first()
    if known is not None:
        return Reported(known, is_new=False), []
    report, hints = store_report(
        Report(
            post=post,
            reporter=reporter,
            source=_source_of(new, reporter),
            category=new.category,
            explanation=explanation,
        ),
        actor=new.actor,
    )
    return Reported(report, is_new=True), hints


def lock_reported(post_id: UUID) -> Post:
    """Lock a post that is to be reported. Raises `NotFound` for one that is gone."""
    rows = Post.objects.select_for_update(of=("self",), no_key=True)
    post = rows.select_related("author", "community").filter(pk=post_id).first()
    if post is None or post.visibility == Visibility.DELETED:
        raise NotFound("There is no such post.")
    return post


def store_report(report: Report, *, actor: Actor) -> tuple[Report, list[AnyHint]]:
    """Store a report of a post that the caller has locked, and put it where it belongs.

    Returns the report, answered already where a person has decided on this very content, and
    what watchers are to be told.
    """
    post, reporter = report.post, report.reporter
    report.number = new_number("R")
    report.community_id = post.community_id
    report.revision, report.content_hash = post.revision, post.content_hash
    report.weight = _weight_of(report)
    earlier = _earlier_decision(post, report)
    if earlier is not None or _is_muted(reporter):
        report.state, report.decision = ReportState.MUTED, earlier
        report.settled_at = queries.database_now()
    report.save()
    events = [event_of("report.created", post, report, report.state, actor)]
    if report.state == ReportState.MUTED:
        events.append(event_of("report.settled", post, report, report.state, SYSTEM))
        record_events(events)
        return report, []
    report.review = put_before_people(post, [report])
    record_events(events)
    held = _hold_if_policy_says(post, report.review, report)
    if held is not None:
        return report, [Hint.of(post, held)]
    # Readers, and the author among them, learn nothing of a report.
    return report, [QueueHint("report.created", post.pk, post.community_id, post.revision)]


def _reporter(post: Post, writer: Writer) -> Author:
    author, _ = Author.objects.get_or_create(
        community_id=post.community_id,
        external_id=writer.external_id,
        defaults={"user_id": writer.user_id, "name": writer.name},
    )
    return author


def _refuse_what_may_not_be(post: Post, reporter: Author, source: ReportSource) -> None:
    # A client knows itself what its people see.
    if source is ReportSource.READER and not queries.may_read_as(reporter.pk, post):
        raise NotFound("There is no such post.")
    if post.author_id == reporter.pk:
        raise NotAllowed("This is your own post: you can change it or delete it.")
    until = reporter.suspended_until
    if until is not None and until > queries.database_now():
        raise AuthorSuspended(
            "You cannot report posts while your account here is suspended.",
            until=None if until >= INDEFINITELY else until,
        )


def _source_of(new: NewReport, reporter: Author) -> ReportSource:
    return ReportSource.TRUSTED_FLAGGER if is_trusted(reporter) else new.source


def is_trusted(reporter: Author) -> bool:
    """Whether a lead has marked somebody as a trusted flagger of their community."""
    one = Q(external_id=reporter.external_id)
    if reporter.user_id is not None:
        one |= Q(user=reporter.user_id)
    return TrustedFlagger.objects.filter(one, community=reporter.community_id).exists()


def _weight_of(report: Report) -> float:
    if report.source == ReportSource.TRUSTED_FLAGGER:
        return reporting.TRUSTED_FLAGGERS_WEIGHT
    if report.reporter is None:
        return reporting.NEWCOMERS_WEIGHT
    return reporting.weight_of(report.reporter.reports_upheld, report.reporter.reports_refused)


def _is_muted(reporter: Author | None) -> bool:
    if reporter is None or reporter.reports_muted_until is None:
        return False
    return reporter.reports_muted_until > queries.database_now()


def _earlier_decision(post: Post, report: Report) -> Decision | None:
    """Return the standing decision of a person on this very content that answers a report.

    A decision by the community's rules does not answer a notice of illegal content, unless it
    was made with such a notice before the moderator's eyes.
    """
    revisions = PostRevision.objects.filter(post=post, content_hash=post.content_hash)
    same = [post.revision, *revisions.values_list("revision", flat=True)]
    decisions = Decision.objects.filter(
        post=post, revision__in=same, enforcement__reversed_at__isnull=True
    )
    if is_notice(report.source):
        decisions = decisions.filter(
            reports__source__in=(ReportSource.NOTICE, ReportSource.TRUSTED_FLAGGER),
            reports__content_hash=post.content_hash,
            reports__category=report.category,
        )
    return decisions.order_by("-pk").first()


# Held until a person looks


def _hold_if_policy_says(post: Post, review: Review, report: Report) -> AuditEvent | None:
    """Hold a public post that proven readers report, where the policy names their weight."""
    most = queries.policy_of(post.community.policy_id).hold_at_weight
    # What is still being checked is judged first; the next report looks again.
    if most is None or post.visibility != Visibility.PUBLIC or post.status == Status.PENDING:
        return None
    proven = Report.objects.filter(
        review=review, state=ReportState.OPEN, weight__gt=reporting.NEWCOMERS_WEIGHT
    )
    weight = proven.aggregate(sum=Sum("weight"))["sum"] or 0.0
    return None if weight < most else _hold(post, review, report, weight=weight, threshold=most)


def _hold(
    post: Post, review: Review, report: Report, *, weight: float, threshold: float
) -> AuditEvent:
    now = queries.database_now()
    submission = Submission.objects.create(
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        reason=Reason.REPORT,
        state=SubmissionState.DECIDED,
        created_at=now,
        decided_at=now,
    )
    verdict = VerdictRecord.objects.create(
        submission=submission,
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        policy_id=post.community.policy_id,
        action=Action.REVIEW,
        rule=HELD_BY_REPORTS,
        category=report.category,
        standing=post.author.standing,
        judged_at=now,
    )
    enforcement = Enforcement.objects.create(
        post=post,
        author_id=post.author_id,
        revision=post.revision,
        action=Action.REVIEW,
        verdict=verdict,
    )
    effects = (EffectKind.HOLD, EffectKind.QUEUE)
    Effect.objects.bulk_create([Effect(enforcement=enforcement, kind=kind) for kind in effects])
    issue_statements([(enforcement, _reasons(post, report, verdict, now))])
    refold(post)
    Review.objects.filter(pk=review.pk).update(verdict=verdict)
    facts = {
        "policy": post.community.policy_id,
        "verdict": str(Action.REVIEW),
        "action": str(Action.REVIEW),
        "rule": HELD_BY_REPORTS,
        "category": str(report.category),
        "score": weight,
        "threshold": threshold,
        "effects": [str(kind) for kind in effects],
        "status": str(post.status),
        "visibility": str(post.visibility),
    }
    (event,) = record_events(
        [
            Event(
                kind="post.queued",
                subject_kind="post",
                subject_id=str(post.pk),
                actor=MACHINE,
                community_id=post.community_id,
                revision=post.revision,
                facts=facts,
            )
        ]
    )
    return event


def _reasons(post: Post, report: Report, verdict: VerdictRecord, now: datetime) -> Facts:
    """Return what the author is told: what was reported, never by whom."""
    media = queries.media_of([post]).get(post.pk, ())
    return Facts(
        community=post.community.name,
        action=Action.REVIEW,
        category=Category(report.category),
        issued_at=now,
        appeal_until=appeal_until(now),
        decided_by_machine=True,
        found_by_machine=False,
        holds=True,
        rule=HELD_BY_REPORTS,
        policy=queries.policy_number_of(verdict.policy_id),
        source=source_of(reports_on([post.pk]).get(post.pk, ())),
        content=content_kinds(post, (item.kind for item in media)),
        posted_on=post.created_at.date(),
    )
