"""6 · A moderator takes an item, decides with a reason; any enforcement can be reversed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from moderation import queries
from moderation.delivery import websocket
from moderation.delivery.hints import Hint
from moderation.errors import InvalidSubmission, NotAllowed, NotFound, ReviewTaken, StaleRevision
from moderation.models import Decision, Effect, Enforcement, Post, Review
from moderation.pipeline import standing
from moderation.pipeline.record import Actor, Event, record_events
from moderation.pipeline.reposts import remember_rejected
from moderation.policy.fold import fold
from moderation.vocabulary import (
    Action,
    ActorKind,
    Category,
    EffectKind,
    ReviewLane,
    ReviewState,
    Severity,
)

# Long enough to read a thread; a closed browser frees the item by itself.
HOLD_SECONDS = 300

_EFFECTS = {
    Action.ALLOW: (EffectKind.PUBLISH,),
    Action.WARN: (EffectKind.PUBLISH, EffectKind.NOTICE),
    Action.BLOCK: (EffectKind.HIDE, EffectKind.STRIKE, EffectKind.NOTICE),
}


def hold_review(*, review_id: int, moderator: User) -> Review:
    """Take an item for `HOLD_SECONDS`, or keep it. Raises `ReviewTaken` if someone else has it."""
    _must(moderator, "moderation.decide_review", review_id)
    taken = (
        Review.objects.filter(pk=review_id, state=ReviewState.OPEN)
        .filter(Q(holder__isnull=True) | Q(holder=moderator) | Q(lease_until__lt=Now()))
        .update(holder=moderator, lease_until=Now() + timedelta(seconds=HOLD_SECONDS))
    )
    review = Review.objects.select_related("post", "holder").filter(pk=review_id).first()
    if review is None:
        raise NotFound(f"There is no review {review_id}.")
    if not taken:
        raise ReviewTaken()
    return review


def free_review(*, review_id: int, moderator: User) -> None:
    """Give an item back undecided."""
    Review.objects.filter(pk=review_id, holder=moderator, state=ReviewState.OPEN).update(
        holder=None, lease_until=None
    )


def decide_review(
    *,
    review_id: int,
    moderator: User,
    action: Action,
    reason: str,
    seen_revision: int,
    category: Category | None = None,
) -> Decision:
    """Close an item and enforce what its moderator decided.

    `action` is allow, warn or block. Raises `ReviewTaken` when another moderator holds the item
    or it is closed, `StaleRevision` when the post is no longer at `seen_revision`; then nothing
    is written.
    """
    _must(moderator, "moderation.decide_review", review_id)
    if action not in _EFFECTS:
        raise InvalidSubmission("A decision allows, warns or blocks; to pass an item on, escalate.")
    if not reason.strip():
        raise InvalidSubmission("State the reason: the author will read it.")
    with transaction.atomic():
        post, review = _lock(review_id)
        if post.revision != seen_revision or review.revision != seen_revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        if review.lane == ReviewLane.ESCALATED and not moderator.has_perm(
            "moderation.decide_escalated"
        ):
            raise NotAllowed("This item was put before a lead.")
        _close(review, moderator)
        decision = Decision.objects.create(
            review=review,
            post=post,
            revision=post.revision,
            moderator=moderator,
            action=action,
            category=category or review.category,
            reason=reason.strip(),
        )
        _enforce_decision(decision, post)
        hint = _record(f"decision.{_VERB[action]}", post, moderator, {"decision": decision.pk})
    websocket.push([hint])
    return decision


_VERB = {Action.ALLOW: "approved", Action.WARN: "approved", Action.BLOCK: "rejected"}


def escalate_review(*, review_id: int, moderator: User, reason: str, seen_revision: int) -> Review:
    """Put an item before a lead: it leaves this moderator's hands and rises in the queue."""
    _must(moderator, "moderation.escalate_review", review_id)
    if not reason.strip():
        raise InvalidSubmission("Say what the lead should look at.")
    with transaction.atomic():
        post, review = _lock(review_id)
        if post.revision != seen_revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        _must_hold(review, moderator)
        review.lane = ReviewLane.ESCALATED
        review.rank_at -= timedelta(days=1)
        review.severity = max(review.severity, Severity.HIGH)
        review.holder, review.lease_until = None, None
        review.version += 1
        review.save()
        hint = _record(
            "review.escalated", post, moderator, {"review": review.pk}, note=reason.strip()
        )
    websocket.push([hint])
    return review


def reverse_enforcement(*, enforcement_id: int, moderator: User, reason: str) -> Enforcement:
    """Undo exactly what one enforcement caused, whatever has happened since.

    What the post is then is the fold of the enforcements that stand. Raises `NotFound` when it
    is reversed already.
    """
    if not reason.strip():
        raise InvalidSubmission("State why it is reversed.")
    with transaction.atomic():
        found = Enforcement.objects.filter(pk=enforcement_id).first()
        if found is None:
            raise NotFound(f"There is no enforcement {enforcement_id}.")
        post = _lock_post(found.post_id)
        _must_in(moderator, "moderation.reverse_enforcement", post.community_id)
        won = Enforcement.objects.filter(pk=enforcement_id, reversed_at__isnull=True).update(
            reversed_at=Now(), reversed_by=moderator, reversal_reason=reason.strip()
        )
        if not won:
            raise NotFound("This enforcement is reversed already.")
        _refold(post)
        if EffectKind.STRIKE in found.effects.values_list("kind", flat=True):
            standing.clear(post.author_id)
        hint = _record(
            "enforcement.reversed",
            post,
            moderator,
            {"enforcement": enforcement_id, "of_revision": found.revision},
            note=reason.strip(),
        )
    websocket.push([hint])
    found.refresh_from_db()
    return found


# Permission and locks


def _must(moderator: User, permission: str, review_id: int) -> None:
    community_id = (
        Review.objects.filter(pk=review_id).values_list("community_id", flat=True).first()
    )
    if community_id is None:
        raise NotFound(f"There is no review {review_id}.")
    _must_in(moderator, permission, community_id)


def _must_in(moderator: User, permission: str, community_id: int) -> None:
    if not (moderator.has_perm(permission) and queries.moderates(moderator, community_id)):
        raise NotAllowed()


def _lock_post(post_id: UUID) -> Post:
    return (
        Post.objects.select_for_update(of=("self",), no_key=True)
        .select_related("author")
        .get(pk=post_id)
    )


def _lock(review_id: int) -> tuple[Post, Review]:
    """Lock the post, then its review: the order that every stage keeps."""
    post_id = Review.objects.filter(pk=review_id).values_list("post_id", flat=True).get()
    post = _lock_post(post_id)
    return post, Review.objects.select_for_update().get(pk=review_id)


def _must_hold(review: Review, moderator: User) -> None:
    """Nobody else may hold the item; holding it oneself is not asked, so that a list can decide."""
    now = queries.database_now()
    held_by_other = (
        review.holder_id not in (None, moderator.pk)
        and review.lease_until is not None
        and review.lease_until > now
    )
    if review.state != ReviewState.OPEN or held_by_other:
        raise ReviewTaken()


def _close(review: Review, moderator: User) -> None:
    _must_hold(review, moderator)
    Review.objects.filter(pk=review.pk).update(
        state=ReviewState.DECIDED,
        closed_at=Now(),
        holder=moderator,
        lease_until=None,
        version=F("version") + 1,
    )


# Effects


def _enforce_decision(decision: Decision, post: Post) -> None:
    action = Action(decision.action)
    enforcement = Enforcement.objects.create(
        post=post,
        author_id=post.author_id,
        revision=post.revision,
        action=action,
        decision=decision,
    )
    Effect.objects.bulk_create(
        [Effect(enforcement=enforcement, kind=kind) for kind in _EFFECTS[action]]
    )
    _refold(post)
    if action is Action.BLOCK:
        standing.watch([post.author_id])
        # What a person takes down is not a matter of thresholds when it comes again.
        remember_rejected([(enforcement, Category.OTHER)])


def _refold(post: Post) -> None:
    """Write what the post is now. The caller holds its row."""
    state = fold(
        queries.enforced_on(post.pk, post.revision),
        judged=post.verdicts.filter(revision=post.revision).exists(),
        shown_before_verdict=post.shown_before_verdict,
        deleted=post.deleted_at is not None,
    )
    post.status, post.visibility = state.status, state.visibility
    Post.objects.filter(pk=post.pk).update(
        status=state.status, visibility=state.visibility, decided_at=Now()
    )


def _record(
    kind: str, post: Post, moderator: User, facts: dict[str, object], *, note: str = ""
) -> Hint:
    event = record_events(
        [
            Event(
                kind=kind,
                subject_kind="post",
                subject_id=str(post.pk),
                actor=Actor(ActorKind.MODERATOR, str(moderator.pk)),
                community_id=post.community_id,
                revision=post.revision,
                facts={**facts, "status": post.status, "visibility": post.visibility},
                personal={"note": note} if note else None,
                author=post.author,
            )
        ]
    )[0]
    return Hint.of(post, event)
