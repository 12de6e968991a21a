"""What is held against an author, and their appeal: the smallest that stands in the tables."""

from __future__ import annotations

from moderation.models import Appeal, Effect, Enforcement, Post, Submission, VerdictRecord
from moderation.pipeline.appeals.appeal import open_appeal
from moderation.pipeline.audit.record import SYSTEM
from moderation.vocabulary import Action, Category, EffectKind, SubmissionState


def make_restriction(post: Post, *, action: Action = Action.REVIEW) -> Enforcement:
    """Hold or hide a post by a verdict, as the policy does."""
    submission = Submission.objects.create(
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        state=SubmissionState.DECIDED,
    )
    verdict = VerdictRecord.objects.create(
        submission=submission,
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        action=action,
        rule=f"threat.{action}",
        category=Category.THREAT,
        standing=post.author.standing,
    )
    enforcement = Enforcement.objects.create(
        post=post, author=post.author, revision=post.revision, action=action, verdict=verdict
    )
    kinds = {Action.REVIEW: [EffectKind.HOLD, EffectKind.QUEUE]}.get(
        action, [EffectKind.HIDE, EffectKind.STRIKE, EffectKind.NOTICE]
    )
    Effect.objects.bulk_create([Effect(enforcement=enforcement, kind=kind) for kind in kinds])
    return enforcement


def make_appeal(post: Post, *, number: str = "", action: Action = Action.REVIEW) -> Appeal:
    """Restrict a post and let its author object."""
    appeal = open_appeal(
        enforcement_id=make_restriction(post, action=action).pk,
        author_id=post.author_id,
        words="It is a line from a play that we rehearse.",
        actor=SYSTEM,
    )
    if number:
        Appeal.objects.filter(pk=appeal.pk).update(number=number)
        appeal.number = number
    return appeal
