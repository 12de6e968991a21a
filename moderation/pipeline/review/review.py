"""6b · A moderator decides an item with a reason, or puts it before a lead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from moderation import queries
from moderation.delivery import websocket
from moderation.errors import InvalidSubmission, NotAllowed, StaleRevision
from moderation.models import Decision, DecisionBatch, Effect, Enforcement, Post, Review
from moderation.pipeline.casework import (
    by_moderator,
    lock,
    must,
    must_be_undisputed,
    must_hold,
    record,
)
from moderation.pipeline.enforcement import standing
from moderation.pipeline.enforcement.folding import LIMITING, refold, refold_author
from moderation.pipeline.enforcement.queueing import due_at
from moderation.pipeline.enforcement.statement import (
    facts_of_decision,
    imposed_by,
    issue_statements,
)
from moderation.pipeline.known.reposts import remember_rejected
from moderation.pipeline.review import reported
from moderation.policy.sanctions import MOST_DAYS, UNFITTING, Asked, default_for, fits
from moderation.vocabulary import (
    Action,
    Category,
    EffectKind,
    ReviewLane,
    ReviewState,
    Severity,
)

_EFFECTS = {
    Action.ALLOW: (EffectKind.PUBLISH,),
    Action.WARN: (EffectKind.PUBLISH, EffectKind.NOTICE),
    Action.BLOCK: (EffectKind.HIDE, EffectKind.NOTICE),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a moderator asks for, as it was checked."""

    action: Action
    reason: str
    category: Category | None
    sanction: Asked
    legal_ground: str


def decide_review(
    *,
    review_id: int,
    moderator: User,
    action: Action,
    reason: str,
    seen_revision: int,
    category: Category | None = None,
    sanction: Asked | None = None,
    legal_ground: str = "",
    batch: DecisionBatch | None = None,
) -> Decision:
    """Close an item and enforce what its moderator decided.

    `action` is allow, warn or block; `sanction` None brings what it always did: a strike for what
    is blocked. `legal_ground` names the law that the post breaks, "" for the community's own
    rules. Raises `ReviewTaken` when another moderator holds the item or it is closed,
    `StaleRevision` when the post is no longer at `seen_revision`; then nothing is written.
    """
    must(moderator, "moderation.decide_review", review_id)
    asked = _check(action, reason, category, sanction, legal_ground)
    with transaction.atomic():
        post, review = lock(review_id)
        must_be_undisputed(review)
        if post.revision != seen_revision or review.revision != seen_revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        if review.lane == ReviewLane.ESCALATED and not moderator.has_perm(
            "moderation.decide_escalated"
        ):
            raise NotAllowed("This item was put before a lead.")
        now = queries.database_now()
        _close(review, moderator)
        reported.lock_people(post)
        decision = Decision.objects.create(
            review=review,
            post=post,
            revision=post.revision,
            moderator=moderator,
            action=action,
            category=category or review.category,
            reason=asked.reason,
            batch=batch,
            seconds_spent=_seconds_spent(review, moderator, now),
            decided_at=now,
        )
        effects = _enforce_decision(decision, review, post, asked, now)
        hint = record(
            f"decision.{_VERB[action]}",
            post,
            moderator,
            {
                "decision": decision.pk,
                "effects": [str(effect.kind) for effect in effects],
                "sanction": str(asked.sanction.kind),
            },
        )
        reported.settle(post, decision, actor=by_moderator(moderator))
    websocket.push([hint])
    return decision


def _check(
    action: Action,
    reason: str,
    category: Category | None,
    sanction: Asked | None,
    legal_ground: str,
) -> _Asked:
    if action not in _EFFECTS:
        raise InvalidSubmission("A decision allows, warns or blocks; to pass an item on, escalate.")
    if not reason.strip():
        raise InvalidSubmission("State the reason: the author will read it.")
    sanction = sanction or default_for(action)
    if not fits(sanction, action):
        raise InvalidSubmission(UNFITTING)
    if sanction.duration is not None and not (
        timedelta(0) < sanction.duration <= timedelta(days=MOST_DAYS)
    ):
        raise InvalidSubmission(f"A sanction lasts up to {MOST_DAYS} days, or has no end.")
    return _Asked(action, reason.strip(), category, sanction, legal_ground.strip()[:500])


def _seconds_spent(review: Review, moderator: User, now: datetime) -> float | None:
    if review.held_since is None or review.holder_id != moderator.pk:
        return None
    return (now - review.held_since).total_seconds()


_VERB = {Action.ALLOW: "approved", Action.WARN: "approved", Action.BLOCK: "rejected"}


def escalate_review(*, review_id: int, moderator: User, reason: str, seen_revision: int) -> Review:
    """Put an item before a lead: it leaves this moderator's hands and rises in the queue."""
    must(moderator, "moderation.escalate_review", review_id)
    if not reason.strip():
        raise InvalidSubmission("Say what the lead should look at.")
    with transaction.atomic():
        post, review = lock(review_id)
        if post.revision != seen_revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        must_hold(review, moderator)
        review.lane = ReviewLane.ESCALATED
        due = due_at(ReviewLane.ESCALATED, post.community.review_minutes, queries.database_now())
        review.due_at = min(review.due_at or due, due)
        review.rank_at -= timedelta(days=1)
        review.severity = max(review.severity, Severity.HIGH)
        review.holder, review.lease_until, review.held_since = None, None, None
        review.save()
        hint = record(
            "review.escalated", post, moderator, {"review": review.pk}, note=reason.strip()
        )
    websocket.push([hint])
    return review


def _close(review: Review, moderator: User) -> None:
    must_hold(review, moderator)
    Review.objects.filter(pk=review.pk).update(
        state=ReviewState.DECIDED,
        closed_at=Now(),
        holder=moderator,
        lease_until=None,
    )


def _enforce_decision(
    decision: Decision, review: Review, post: Post, asked: _Asked, now: datetime
) -> list[Effect]:
    enforcement = Enforcement.objects.create(
        post=post,
        author_id=post.author_id,
        revision=post.revision,
        action=asked.action,
        decision=decision,
        created_at=now,
    )
    imposed = imposed_by(asked.sanction, now)
    effects = [Effect(enforcement=enforcement, kind=kind) for kind in _EFFECTS[asked.action]]
    effects += [
        Effect(enforcement=enforcement, kind=one.kind, expires_at=one.until) for one in imposed
    ]
    Effect.objects.bulk_create(effects)
    refold(post)
    kinds = {one.kind for one in imposed}
    if EffectKind.STRIKE in kinds:
        standing.watch([post.author_id])
    if kinds.intersection(LIMITING):
        refold_author(post.author_id)
    if asked.action is Action.BLOCK:
        # What a person takes down is not a matter of thresholds when it comes again.
        remember_rejected([(enforcement, Category.OTHER)])
    if asked.action is not Action.ALLOW:
        facts = facts_of_decision(
            review=review,
            post=post,
            action=asked.action,
            reason=asked.reason,
            category=asked.category,
            imposed=imposed,
            legal_ground=asked.legal_ground,
            now=now,
        )
        issue_statements([(enforcement, facts)])
    return effects
