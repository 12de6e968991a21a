"""6c · A moderator takes a decision back before anybody outside has heard of it.

State and pages changed at once; only what goes out waits. Within that time a decision can end as
if it had never been made, apart from the record. Later it can be reversed, which others are told.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.delivery import outbox, websocket
from moderation.errors import NotAllowed, NotFound, UndoTooLate
from moderation.models import Appeal, AuditEvent, Decision, Enforcement, Post, Review
from moderation.models.enforcement import UNDONE
from moderation.pipeline.casework import by_moderator, lock_post, must, record
from moderation.pipeline.review import reported
from moderation.pipeline.review.holding import HOLD_SECONDS
from moderation.pipeline.review.reversal import Proof, Reversal, undo_effects
from moderation.vocabulary import ActorKind, AppealState, ReviewState


def undo_decision(*, decision_id: int, moderator: User) -> Reversal:
    """Take back a decision of one's own and hold its item again, in its old place.

    Raises `UndoTooLate` once others may have been told, `NotFound` when it no longer stands,
    `NotAllowed` for another's decision.
    """
    decision = Decision.objects.filter(pk=decision_id).first()
    if decision is None:
        raise NotFound(f"There is no decision {decision_id}.")
    must(moderator, "moderation.decide_review", decision.review_id)
    if decision.moderator_id != moderator.pk:
        raise NotAllowed("Only whoever decided can undo it; a lead can reverse it.")
    with transaction.atomic():
        post = lock_post(decision.post_id)
        enforcement = Enforcement.objects.filter(
            decision=decision, reversed_at__isnull=True
        ).first()
        if enforcement is None:
            raise NotFound("This decision no longer stands.")
        _must_be_in_time(decision)
        proof = undo_effects(enforcement, post, moderator, UNDONE)
        reported.reopen(post, decision, actor=by_moderator(moderator))
        _withdraw(decision, post)
        _hold_again(decision, post, moderator)
        hint = record("decision.undone", post, moderator, _facts(decision, enforcement, proof))
    websocket.push([hint])
    enforcement.refresh_from_db()
    return Reversal(enforcement, proof)


def _must_be_in_time(decision: Decision) -> None:
    window = timedelta(seconds=get_conf().undo_seconds)
    is_recent = Decision.objects.filter(pk=decision.pk, decided_at__gt=Now() - window).exists()
    answered = Appeal.objects.filter(review=decision.review_id).exclude(state=AppealState.OPEN)
    # Whoever objects to it has read of it.
    objected = Appeal.objects.filter(enforcement__decision=decision)
    if not is_recent or answered.exists() or objected.exists():
        raise UndoTooLate()


def _withdraw(decision: Decision, post: Post) -> None:
    """Let nobody outside hear of the decision, nor of what it said to reporters."""
    mine = AuditEvent.objects.filter(
        subject_kind="post",
        subject_id=str(post.pk),
        actor_kind=ActorKind.MODERATOR,
        actor_id=str(decision.moderator_id),
    )
    decided = [
        event
        for event in mine.filter(kind__startswith="decision.").order_by("-sequence")[:20]
        if event.facts.get("decision") == decision.pk
    ]
    answers = mine.filter(
        kind__in=("report.settled", "report.reopened"), sequence__gt=decided[0].sequence
    )
    told = [decided[0].pk, *answers.values_list("pk", flat=True)]
    if not outbox.withdraw(told):
        raise UndoTooLate()


def _hold_again(decision: Decision, post: Post, moderator: User) -> None:
    """Reopen the item for the same moderator, unless the post has moved on or another waits."""
    others = Review.objects.filter(post=post, state=ReviewState.OPEN).exclude(pk=decision.review_id)
    if decision.revision != post.revision or post.deleted_at or others.exists():
        return
    Review.objects.filter(pk=decision.review_id).update(
        state=ReviewState.OPEN,
        closed_at=None,
        holder=moderator,
        lease_until=Now() + timedelta(seconds=HOLD_SECONDS),
        held_since=Now(),
    )


def _facts(decision: Decision, enforcement: Enforcement, proof: Proof) -> dict[str, object]:
    return {"decision": decision.pk, "enforcement": enforcement.pk, **proof.facts()}
