"""6c · Any enforcement, a machine's or a person's, can be undone: exactly what it caused.

What it changed is proven: the state before and after is returned and kept on the record. What it
will change can be looked at first; the same reading gives both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from moderation import queries
from moderation.delivery import websocket
from moderation.errors import InvalidSubmission, NotFound
from moderation.models import BankedHash, Effect, Enforcement, Post, Review
from moderation.pipeline.casework import by_moderator, lock_post, must_in, record
from moderation.pipeline.enforcement import standing
from moderation.pipeline.enforcement.folding import (
    LIMITING,
    limits_of,
    refold,
    refold_author,
    state_of,
)
from moderation.pipeline.review import reported
from moderation.policy.fold import Limits, PostState
from moderation.vocabulary import EffectKind, ReviewState, Standing, Status, Visibility


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a post and its author are at one moment, as far as enforcements make them so."""

    post: PostState
    standing: Standing
    limits: Limits

    def facts(self) -> dict[str, Any]:
        return {
            "status": str(self.post.status),
            "visibility": str(self.post.visibility),
            "standing": str(self.standing),
            "held_until": _iso(self.limits.held_until),
            "silenced_until": _iso(self.limits.silenced_until),
            "suspended_until": _iso(self.limits.suspended_until),
        }


@dataclass(frozen=True, slots=True)
class Proof:
    """What a reversal changes: each effect, and the state before and after.

    `forgotten` counts what was remembered so that it would be known again, `unbanked` what it had
    put into banks. `review_reopened` and `review_closed` say what became of the item before a
    person.
    """

    effects: Sequence[Effect]
    before: Snapshot
    after: Snapshot
    forgotten: int = 0
    unbanked: int = 0
    review_reopened: int | None = None
    review_closed: int | None = None

    def facts(self) -> dict[str, Any]:
        return {
            "effects": [
                {"kind": str(effect.kind), "expires_at": _iso(effect.expires_at)}
                for effect in self.effects
            ],
            "before": self.before.facts(),
            "after": self.after.facts(),
            "forgotten": self.forgotten,
            "unbanked": self.unbanked,
            "review_reopened": self.review_reopened,
            "review_closed": self.review_closed,
        }


@dataclass(frozen=True, slots=True)
class Reversal:
    enforcement: Enforcement
    proof: Proof


def foresee_reversal(enforcement: Enforcement) -> Proof:
    """Return what the reversal of an enforcement would change. Changes nothing."""
    post = enforcement.post
    effects = list(enforcement.effects.all())
    before = _snapshot(post)
    after = _foreseen(enforcement, effects, before)
    return Proof(
        effects,
        before,
        after,
        forgotten=enforcement.rejected_content.count(),
        unbanked=BankedHash.objects.filter(enforcement=enforcement).count(),
    )


def reverse_enforcement(*, enforcement_id: int, moderator: User, reason: str) -> Reversal:
    """Undo exactly what one enforcement caused, whatever has happened since.

    What the post and its author are then is the fold of the enforcements that stand. Raises
    `NotFound` when it is reversed already.
    """
    if not reason.strip():
        raise InvalidSubmission("State why it is reversed.")
    with transaction.atomic():
        found = Enforcement.objects.filter(pk=enforcement_id).first()
        if found is None:
            raise NotFound(f"There is no enforcement {enforcement_id}.")
        post = lock_post(found.post_id)
        must_in(moderator, "moderation.reverse_enforcement", post.community_id)
        proof = undo_effects(found, post, moderator, reason.strip())
        hint = record(
            "enforcement.reversed",
            post,
            moderator,
            {"enforcement": enforcement_id, "of_revision": found.revision, **proof.facts()},
            note=reason.strip(),
        )
    websocket.push([hint])
    found.refresh_from_db()
    return Reversal(found, proof)


def undo_effects(enforcement: Enforcement, post: Post, moderator: User, reason: str) -> Proof:
    """Reverse an enforcement of a post whose row the caller holds. Records nothing."""
    before = _snapshot(post)
    won = Enforcement.objects.filter(pk=enforcement.pk, reversed_at__isnull=True).update(
        reversed_at=Now(), reversed_by=moderator, reversal_reason=reason
    )
    if not won:
        raise NotFound("This enforcement is reversed already.")
    reported.lock_people(post)
    effects = list(enforcement.effects.all())
    kinds = {EffectKind(effect.kind) for effect in effects}
    refold(post)
    if EffectKind.STRIKE in kinds:
        standing.clear(post.author_id)
    if kinds.intersection(LIMITING):
        refold_author(post.author_id)
    closed = _close_needless_review(enforcement, post)
    reopened = _reopen_needed_review(post)
    reported.mend(post, enforcement, actor=by_moderator(moderator))
    post.author.refresh_from_db()
    return Proof(
        effects,
        before,
        _snapshot(post),
        # They count only while their enforcement stands.
        forgotten=enforcement.rejected_content.count(),
        unbanked=BankedHash.objects.filter(enforcement=enforcement).count(),
        review_reopened=reopened,
        review_closed=closed,
    )


def _snapshot(post: Post) -> Snapshot:
    author = post.author
    return Snapshot(
        PostState(Status(post.status), Visibility(post.visibility)),
        Standing(author.standing),
        _running(
            Limits(author.held_until, author.silenced_until, author.suspended_until),
            queries.database_now(),
        ),
    )


def _running(limits: Limits, now: datetime) -> Limits:
    """Leave out what has expired: it limits nobody, whether or not it was written over."""
    return Limits(
        *(
            until if until is not None and until > now else None
            for until in (limits.held_until, limits.silenced_until, limits.suspended_until)
        )
    )


def _foreseen(enforcement: Enforcement, effects: Sequence[Effect], before: Snapshot) -> Snapshot:
    kinds = {EffectKind(effect.kind) for effect in effects}
    author_id = enforcement.author_id
    limits = before.limits
    if kinds.intersection(LIMITING):
        limits = limits_of(author_id, without=enforcement.pk)
    standing_then = before.standing
    if EffectKind.STRIKE in kinds:
        standing_then = standing.without(enforcement)
    return Snapshot(state_of(enforcement.post, without=enforcement.pk), standing_then, limits)


# The item before a person


def _close_needless_review(enforcement: Enforcement, post: Post) -> int | None:
    """Close the item that this verdict alone put before a person; return its id."""
    if enforcement.verdict_id is None or post.status == Status.IN_REVIEW:
        return None
    asked = Review.objects.filter(
        verdict_id=enforcement.verdict_id,
        state=ReviewState.OPEN,
        reports__isnull=True,
        appeals__isnull=True,
    ).first()
    if asked is None:
        return None
    Review.objects.filter(pk=asked.pk).update(
        state=ReviewState.SUPERSEDED, closed_at=Now(), holder=None, lease_until=None
    )
    return asked.pk


def _reopen_needed_review(post: Post) -> int | None:
    """Put the post before a person again if what stands says that one must look at it."""
    reviews = Review.objects.filter(post=post)
    is_wanted = post.status == Status.IN_REVIEW and post.deleted_at is None
    if not is_wanted or reviews.filter(state=ReviewState.OPEN).exists():
        return None
    last = reviews.filter(revision=post.revision).order_by("-pk").first()
    if last is None:
        return None
    Review.objects.filter(pk=last.pk).update(
        state=ReviewState.OPEN, closed_at=None, holder=None, lease_until=None, held_since=None
    )
    return last.pk


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
