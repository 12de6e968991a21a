"""5 · One verdict a revision: compare-and-swap on (post, revision, lease token), then all at once.

Status, effects, review item, the author's standing and the audit event stand or fall together.
A verdict whose lease was lost or whose post moved on changes nothing and is counted.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from moderation import queries
from moderation.coordination.own_process import own_name
from moderation.delivery.hints import Hint
from moderation.errors import ProviderRejected
from moderation.models import (
    Community,
    Effect,
    Enforcement,
    ExperimentOutcome,
    Post,
    ProviderResult,
    Reevaluation,
    Review,
    Submission,
    VerdictRecord,
)
from moderation.models.posts import is_media_key
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.pipeline.enforcement import standing, statement
from moderation.pipeline.enforcement.queueing import language_found, queue_facts
from moderation.pipeline.judging.judge import Judged
from moderation.pipeline.known.reposts import is_known_repost, remember_rejected
from moderation.policy import risk
from moderation.policy.fold import Enforced, fold
from moderation.policy.reasons import Facts
from moderation.policy.verdict import EDITED_AFTER_REJECTION, NOT_JUDGED, Verdict
from moderation.queries.appeals import appeal_until
from moderation.vocabulary import (
    Action,
    Category,
    EffectKind,
    Reason,
    ReportSource,
    ReviewLane,
    ReviewState,
    Standing,
    Status,
    SubmissionState,
    Visibility,
)

logger = logging.getLogger(__name__)

_EVENT_OF_STATUS = {
    Status.APPROVED: "post.approved",
    Status.IN_REVIEW: "post.queued",
    Status.REJECTED: "post.rejected",
}


@dataclass(slots=True)
class _Case:
    """One surviving verdict on its way through the tables."""

    judged: Judged
    post: Post
    action: Action
    record: VerdictRecord
    people_spoke: bool = False
    # A person rejected the revision before: what the policy finds clean, a person looks at.
    is_after_rejection: bool = False
    effects: tuple[EffectKind, ...] = ()
    enforcement: Enforcement | None = None

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict

    @property
    def is_again(self) -> bool:
        """Whether this revision had a verdict before, so that its state is known."""
        return self.judged.screened.claim.submission.reason not in (Reason.NEW, Reason.EDIT)


def enforce(judged: Sequence[Judged]) -> list[Hint]:
    """Make verdicts effective; return what has changed, for those who watch."""
    with transaction.atomic():
        now = queries.database_now()
        cases = _survivors(judged, now)
        if not cases:
            return []
        store_evidence([case.judged for case in cases], [case.record for case in cases], now)
        enforced = _store_enforcements(cases, now)
        _state_reasons(cases, now)
        _remember_rejected(cases)
        _note_reevaluations(cases, now)
        _note_trials(cases)
        _store_states(cases, enforced, now)
        _open_reviews(cases, now)
        _close_submissions(cases, now)
        _move_standings(cases)
        events = record_events([_event(case) for case in cases])
    return [
        Hint.of(case.post, event, queue_changed=_reaches_people(case))
        for case, event in zip(cases, events, strict=True)
    ]


def _survivors(judged: Sequence[Judged], now: datetime) -> list[_Case]:
    """Lock posts, then submissions, each in key order; keep what is still ours and current.

    No lock here is on a key: a worker that freezes now must not hold up the replies to these
    posts or what their authors write next, whose rows point at them.
    """
    post_ids = {item.screened.claim.post.pk for item in judged}
    posts = {
        post.pk: post
        for post in Post.objects.select_for_update(no_key=True)
        .filter(pk__in=post_ids)
        .order_by("pk")
    }
    held = set(
        Submission.objects.select_for_update()
        .filter(
            pk__in=[item.screened.claim.submission.pk for item in judged],
            lease_token__in={item.screened.claim.token for item in judged},
            state=SubmissionState.DUE,
        )
        .order_by("pk")
        .values_list("pk", "lease_token")
    )
    people_spoke = _decided_by_people(judged)
    rejected_before = _rejected_before(judged)
    cases = []
    for item in judged:
        claim = item.screened.claim
        post = posts.get(claim.post.pk)
        if (
            post is None
            or (claim.submission.pk, claim.token) not in held
            or post.revision != claim.submission.revision
            or post.content_hash != claim.submission.content_hash
        ):
            continue
        # The claim read the author; the lock above only had to be on the post.
        post.author = claim.post.author
        action = item.verdict.action
        if action is Action.BLOCK and post.pk in people_spoke:
            # A person has decided on this very revision: a machine may ask again, not overrule.
            action = Action.REVIEW
        is_after_rejection = post.pk in rejected_before and action in (Action.ALLOW, Action.WARN)
        if is_after_rejection:
            action = Action.REVIEW
        record = verdict_record(item, post, now)
        cases.append(_Case(item, post, action, record, post.pk in people_spoke, is_after_rejection))
    if len(cases) < len(judged):
        logger.warning("stale_verdicts_refused", extra={"count": len(judged) - len(cases)})
    return cases


def _decided_by_people(judged: Sequence[Judged]) -> set[UUID]:
    """Return the posts whose current revision stands by a person's decision."""
    again = [
        item.screened.claim.post.pk
        for item in judged
        if item.screened.claim.submission.reason not in (Reason.NEW, Reason.EDIT)
    ]
    if not again:
        return set()
    return {
        enforcement.post_id
        for enforcement in Enforcement.objects.filter(
            post_id__in=again, decision__isnull=False, reversed_at__isnull=True
        ).select_related("post")
        if enforcement.revision == enforcement.post.revision
    }


def _rejected_before(judged: Sequence[Judged]) -> set[UUID]:
    """Return the edited posts whose last decision by a person was to reject them."""
    edited = [
        item.screened.claim.post.pk
        for item in judged
        if item.screened.claim.submission.reason == Reason.EDIT
    ]
    if not edited:
        return set()
    decisions = Enforcement.objects.filter(
        post_id__in=edited, decision__isnull=False, reversed_at__isnull=True
    ).order_by("pk")
    last = dict(decisions.values_list("post_id", "action"))
    return {post_id for post_id, action in last.items() if action == Action.BLOCK}


def verdict_record(item: Judged, post: Post, now: datetime) -> VerdictRecord:
    """Return what was concluded of a post's revision as it was claimed; not saved."""
    verdict, submission = item.verdict, item.screened.claim.submission
    return VerdictRecord(
        submission=submission,
        post=post,
        revision=submission.revision,
        content_hash=submission.content_hash,
        policy_id=item.screened.policy_id,
        action=verdict.action,
        rule=verdict.rule,
        category=verdict.category,
        score=verdict.score,
        threshold=verdict.threshold,
        provider=verdict.provider,
        part_key=verdict.part,
        spans=[list(span) for span in verdict.spans],
        not_judged=list(verdict.not_judged),
        standing=item.screened.claim.post.author.standing,
        parts=[[part.key, part.kind] for part in item.screened.parts],
        language=item.screened.language,
        judged_at=now,
    )


def store_evidence(
    judged: Sequence[Judged], records: Sequence[VerdictRecord], now: datetime
) -> None:
    results = [row for item in judged for row in item.screened.results]
    for row in results:
        row.created_at = now
    parked = [
        item.screened.claim.submission.pk for item in judged if item.screened.claim.was_asked_before
    ]
    if parked:
        # While it waited, what services had said was kept: it is among the results again.
        ProviderResult.objects.filter(submission_id__in=parked).delete()
    ProviderResult.objects.bulk_create(results)
    VerdictRecord.objects.bulk_create(records)


def _effects_of(case: _Case) -> tuple[EffectKind, ...]:
    if case.action is Action.BLOCK:
        return (EffectKind.HIDE, EffectKind.STRIKE, EffectKind.NOTICE)
    if case.is_again and (case.people_spoke or case.post.visibility != Visibility.PUBLIC):
        return _effects_of_asking_again(case)
    if _is_failed_look(case):
        return ()
    if case.action is Action.WARN:
        return (EffectKind.PUBLISH, EffectKind.NOTICE)
    if case.action is Action.REVIEW:
        holds = case.verdict.holds or case.is_after_rejection
        shown = EffectKind.HOLD if holds else EffectKind.PUBLISH
        return (shown, EffectKind.QUEUE)
    return ()


def _is_failed_look(case: _Case) -> bool:
    """Whether a post that stands was to be looked at again, and nobody could: it stays as it is."""
    return (
        case.judged.screened.claim.submission.reason == Reason.RESCAN
        and case.verdict.rule == NOT_JUDGED
        and case.verdict.category is None
    )


def _effects_of_asking_again(case: _Case) -> tuple[EffectKind, ...]:
    """A second look shows nothing that is hidden and moves nothing that a person decided.

    It may put the post before a person; a rescan not even that if people rejected it already.
    """
    is_rescan = case.judged.screened.claim.submission.reason == Reason.RESCAN
    rejected = case.people_spoke and case.post.status == Status.REJECTED
    if case.action is not Action.REVIEW or (is_rescan and rejected):
        return ()
    return (EffectKind.QUEUE,)


def _store_enforcements(cases: Sequence[_Case], now: datetime) -> dict[UUID, list[Enforced]]:
    """Store what each verdict causes; return every post's unreversed enforcements, old and new."""
    enforced = {
        case.post.pk: queries.enforced_on(case.post.pk, case.post.revision)
        for case in cases
        if case.is_again
    }
    rows = []
    for case in cases:
        case.effects = _effects_of(case)
        if case.effects:
            rows.append(
                Enforcement(
                    post=case.post,
                    author_id=case.post.author_id,
                    revision=case.post.revision,
                    action=case.action,
                    verdict=case.record,
                    created_at=now,
                )
            )
            enforced.setdefault(case.post.pk, []).append(Enforced(case.action, case.effects))
    Enforcement.objects.bulk_create(rows)
    for case, row in zip([case for case in cases if case.effects], rows, strict=True):
        case.enforcement = row
    effects = {case.post.pk: case.effects for case in cases}
    Effect.objects.bulk_create(
        [Effect(enforcement=row, kind=kind) for row in rows for kind in effects[row.post_id]]
    )
    return enforced


def _state_reasons(cases: Sequence[_Case], now: datetime) -> None:
    """Issue a statement for every case that restricts; a batch without one costs nothing."""
    restricting = [case for case in cases if case.enforcement is not None and _restricts(case)]
    if not restricting:
        return
    reported = [
        case.post.pk
        for case in restricting
        if case.judged.screened.claim.submission.reason == Reason.REPORT
    ]
    reports = statement.reports_on(reported) if reported else {}
    names = dict(
        Community.objects.filter(
            pk__in={case.post.community_id for case in restricting}
        ).values_list("pk", "name")
    )
    statement.issue_statements(
        [
            (
                case.enforcement,
                _facts(case, names[case.post.community_id], reports.get(case.post.pk, ()), now),
            )
            for case in restricting
            if case.enforcement is not None
        ]
    )


def _restricts(case: _Case) -> bool:
    return case.action in (Action.BLOCK, Action.WARN) or _withdraws(case)


def _withdraws(case: _Case) -> bool:
    """Whether readers could see the post and no longer can, because something was found in it."""
    was_seen = case.post.visibility == Visibility.PUBLIC
    return (
        was_seen
        and EffectKind.HOLD in case.effects
        and (case.verdict.category is not None or case.is_after_rejection)
    )


def _facts(
    case: _Case, community: str, reported_by: Sequence[ReportSource], now: datetime
) -> Facts:
    verdict, screened = case.verdict, case.judged.screened
    kinds = {part.key: str(part.kind) for part in screened.parts}
    media = (kind for key, kind in kinds.items() if key.startswith("media:"))
    is_blocked = case.action is Action.BLOCK
    imposed = statement.by_verdict(now) if is_blocked else []
    return Facts(
        community=community,
        action=case.action,
        category=verdict.category,
        issued_at=now,
        appeal_until=appeal_until(now),
        decided_by_machine=True,
        found_by_machine=True,
        hides=is_blocked,
        holds=EffectKind.HOLD in case.effects,
        rule=verdict.rule,
        policy=queries.policy_number_of(screened.policy_id),
        source=statement.source_of(reported_by),
        part=statement.part_kind(verdict.part, kinds),
        content=statement.content_kinds(case.post, media),
        language=language_found(screened.results),
        posted_on=case.post.created_at.date(),
        sanctions=imposed,
        watched_until=statement.watched_until(imposed, now),
    )


def _remember_rejected(cases: Sequence[_Case]) -> None:
    blocked = [
        case
        for case in cases
        if case.action is Action.BLOCK and not is_known_repost(case.verdict.provider)
    ]
    if blocked:
        remember_rejected(
            [
                (case.enforcement, case.verdict.category or Category.OTHER)
                for case in blocked
                if case.enforcement is not None
            ],
            parts={case.post.pk: {case.verdict.part or ""} for case in blocked},
        )


def _note_reevaluations(cases: Sequence[_Case], now: datetime) -> None:
    """Note who could not judge: it is asked again once it has recovered.

    Not so what a provider cannot judge at all. In key order, as two workers may note the same.
    """
    noted = {
        (case.post.pk, row.provider): case.post.revision
        for case in cases
        for row in case.judged.screened.results
        if row.stood_in and not row.shadow and row.error != ProviderRejected.code
    }
    Reevaluation.objects.bulk_create(
        [
            Reevaluation(post_id=post_id, provider=provider, revision=revision, created_at=now)
            for (post_id, provider), revision in sorted(noted.items())
        ],
        update_conflicts=True,
        unique_fields=["post", "provider"],
        update_fields=["revision", "created_at"],
    )


def _note_trials(cases: Sequence[_Case]) -> None:
    ExperimentOutcome.objects.bulk_create(
        [_trial_outcome(case) for case in cases if case.judged.trial_verdict is not None]
    )


def _trial_outcome(case: _Case) -> ExperimentOutcome:
    trial, other = case.judged.screened.trial, case.judged.trial_verdict
    assert trial is not None
    assert other is not None
    incumbent, candidate = (case.verdict, other) if trial.is_candidate else (other, case.verdict)
    return ExperimentOutcome(
        experiment_id=trial.experiment_id,
        submission=case.judged.screened.claim.submission,
        incumbent_action=incumbent.action,
        incumbent_rule=incumbent.rule,
        candidate_action=candidate.action,
        candidate_rule=candidate.rule,
        candidate_category=candidate.category,
        candidate_score=candidate.score,
        extra_cost_micros=sum(
            row.cost_micros for row in case.judged.screened.results if row.shadow
        ),
    )


def _store_states(
    cases: Sequence[_Case], enforced: dict[UUID, list[Enforced]], now: datetime
) -> None:
    """Write every post's fold; posts that end alike share one update."""
    alike: dict[tuple[str, str], list[UUID]] = defaultdict(list)
    for case in cases:
        post = case.post
        state = fold(
            enforced.get(post.pk, []),
            judged=True,
            shown_before_verdict=post.shown_before_verdict,
            deleted=post.deleted_at is not None,
        )
        post.status, post.visibility, post.decided_at = state.status, state.visibility, now
        alike[post.status, post.visibility].append(post.pk)
    for (status, visibility), ids in alike.items():
        Post.objects.filter(pk__in=ids).update(status=status, visibility=visibility, decided_at=now)


def _open_reviews(cases: Sequence[_Case], now: datetime) -> None:
    wanted = [case for case in cases if _reaches_people(case)]
    if not wanted:
        return
    open_already = set(
        Review.objects.filter(
            post_id__in=[case.post.pk for case in wanted], state=ReviewState.OPEN
        ).values_list("post_id", flat=True)
    )
    Review.objects.bulk_create(
        [_review(case, now) for case in wanted if case.post.pk not in open_already]
    )


def _reaches_people(case: _Case) -> bool:
    return EffectKind.QUEUE in case.effects or case.verdict.sampled


def _review(case: _Case, now: datetime) -> Review:
    severity = risk.severity_of(case.verdict.category, case.action)
    reach = 1 if case.post.shown_before_verdict else 0
    lane, screened = _review_lane(case), case.judged.screened
    return Review(
        post=case.post,
        community_id=case.post.community_id,
        revision=case.post.revision,
        verdict=case.record,
        lane=lane,
        rule=EDITED_AFTER_REJECTION if case.is_after_rejection else case.verdict.rule,
        category=case.verdict.category,
        score=case.verdict.score,
        severity=severity,
        reach=reach,
        rank_at=now - timedelta(seconds=risk.review_bonus_seconds(severity, reach)),
        created_at=now,
        **queue_facts(
            title=case.post.title,
            body=case.post.body,
            lane=lane,
            minutes=screened.review_minutes,
            now=now,
            has_media=any(is_media_key(part.key) for part in screened.parts),
            language=language_found(screened.results),
        ),
    )


def _review_lane(case: _Case) -> ReviewLane:
    if case.action is not Action.REVIEW:
        return ReviewLane.SAMPLE
    is_reported = case.judged.screened.claim.submission.reason == Reason.REPORT
    return ReviewLane.REPORT if is_reported else ReviewLane.NEW


def _close_submissions(cases: Sequence[_Case], now: datetime) -> None:
    Submission.objects.filter(
        pk__in=[case.judged.screened.claim.submission.pk for case in cases]
    ).update(state=SubmissionState.DECIDED, decided_at=now, lease_token=None, lease_until=None)


def _move_standings(cases: Sequence[_Case]) -> None:
    struck = {case.post.author_id for case in cases if EffectKind.STRIKE in case.effects}
    approved: dict[Standing, set[int]] = defaultdict(set)
    for case in cases:
        if case.post.status == Status.APPROVED and case.post.author_id not in struck:
            approved[Standing(case.post.author.standing)].add(case.post.author_id)
    standing.follow_verdicts(struck=struck, approved=approved)


def _event(case: _Case) -> Event:
    verdict, submission = case.verdict, case.judged.screened.claim.submission
    return Event(
        kind=_EVENT_OF_STATUS[Status(case.post.status)],
        subject_kind="post",
        subject_id=str(case.post.pk),
        actor=MACHINE,
        community_id=case.post.community_id,
        revision=case.post.revision,
        facts={
            "submission": submission.pk,
            "attempts": submission.attempts,
            "policy": case.judged.screened.policy_id,
            "verdict": verdict.action,
            "action": case.action,
            "rule": verdict.rule,
            "category": verdict.category,
            "score": verdict.score,
            "threshold": verdict.threshold,
            "provider": verdict.provider,
            "not_judged": list(verdict.not_judged),
            "effects": list(case.effects),
            "status": case.post.status,
            "visibility": case.post.visibility,
            # Who was at work, for whoever looks into it at night; tests and commands have no name.
            **({"process": name} if (name := own_name()) else {}),
        },
    )
