"""A post before a moderator, as the pipeline leaves it: evidence, verdict, enforcement, review."""

from __future__ import annotations

from typing import Any

from moderation.models import (
    Community,
    Effect,
    Enforcement,
    Post,
    ProviderResult,
    Review,
    Submission,
    VerdictRecord,
)
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.vocabulary import (
    Action,
    EffectKind,
    Outcome,
    Part,
    Status,
    SubmissionState,
    Visibility,
)
from tests.factories import AuthorFactory, PostFactory

DECISION = {"action": "block", "picked": "insults", "own_words": "", "seen_revision": 1}


def queued(community: Community, **post_fields: Any) -> Review:
    """Return an open review of a post that is held for harassment."""
    fields = {
        "author": AuthorFactory(community=community),
        "title": "Roses",
        "body": "You idiot",
        "status": Status.IN_REVIEW,
        "visibility": Visibility.HELD,
        **post_fields,
    }
    post: Post = PostFactory(**fields)
    submission = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, state=SubmissionState.DECIDED
    )
    ProviderResult.objects.create(
        submission=submission,
        provider="local_text",
        model_version="test-1",
        part_kind=Part.TEXT,
        part_key="text",
        outcome=Outcome.JUDGED,
        scores={"harassment": 0.78, "toxic": 0.4},
        spans=[[10, 15, "harassment"]],
        latency_ms=1.5,
    )
    verdict = VerdictRecord.objects.create(
        submission=submission,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        policy=community.policy,
        action=Action.REVIEW,
        rule="harassment.review",
        category="harassment",
        score=0.78,
        threshold=0.7,
        provider="local_text",
        part_key="text",
        standing=post.author.standing,
    )
    enforcement = Enforcement.objects.create(
        post=post, author=post.author, revision=1, action=Action.REVIEW, verdict=verdict
    )
    Effect.objects.create(enforcement=enforcement, kind=EffectKind.HOLD)
    Effect.objects.create(enforcement=enforcement, kind=EffectKind.QUEUE)
    record_events(
        [
            Event(
                kind="post.queued",
                subject_kind="post",
                subject_id=str(post.pk),
                actor=MACHINE,
                community_id=community.pk,
                revision=1,
                facts={"category": "harassment", "status": post.status},
            )
        ]
    )
    return Review.objects.create(
        post=post,
        community=community,
        revision=1,
        verdict=verdict,
        rule="harassment.review",
        category="harassment",
        score=0.78,
    )
