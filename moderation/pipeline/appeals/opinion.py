"""A second opinion on what is appealed: the verdict is kept for whoever answers.

It changes nothing of the post, whatever it says: an appeal is answered by a person.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from moderation import queries
from moderation.delivery.hints import Hint
from moderation.models import Post, Submission
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.pipeline.enforcement.enforce import store_evidence, verdict_record
from moderation.pipeline.judging.judge import Judged
from moderation.vocabulary import SubmissionState


def keep_opinions(judged: Sequence[Judged]) -> list[Hint]:
    """Keep verdicts with their evidence; return what those who watch the queue are told."""
    if not judged:
        return []
    with transaction.atomic():
        now = queries.database_now()
        posts, held = _lock(judged)
        kept = [item for item in judged if item.screened.claim.submission.pk in held]
        records = [verdict_record(item, posts[item.screened.claim.post.pk], now) for item in kept]
        store_evidence(kept, records, now)
        Submission.objects.filter(pk__in=held).update(
            state=SubmissionState.DECIDED, decided_at=now, lease_token=None, lease_until=None
        )
        events = record_events(
            [
                _event(item, posts[item.screened.claim.post.pk], record.pk)
                for item, record in zip(kept, records, strict=True)
            ]
        )
    return [
        Hint.of(posts[item.screened.claim.post.pk], event)
        for item, event in zip(kept, events, strict=True)
    ]


def _lock(judged: Sequence[Judged]) -> tuple[dict[object, Post], set[int]]:
    """Lock posts, then submissions, each in key order, as `enforce` does."""
    claims = [item.screened.claim for item in judged]
    posts = Post.objects.select_for_update(of=("self",), no_key=True).select_related("author")
    found = posts.filter(pk__in={claim.post.pk for claim in claims}).order_by("pk")
    held = (
        Submission.objects.select_for_update()
        .filter(
            pk__in=[claim.submission.pk for claim in claims],
            lease_token__in={claim.token for claim in claims},
            state=SubmissionState.DUE,
        )
        .order_by("pk")
    )
    return {post.pk: post for post in found}, set(held.values_list("pk", flat=True))


def _event(item: Judged, post: Post, record_id: int) -> Event:
    verdict, submission = item.verdict, item.screened.claim.submission
    return Event(
        kind="appeal.judged_again",
        subject_kind="post",
        subject_id=str(post.pk),
        actor=MACHINE,
        community_id=post.community_id,
        revision=submission.revision,
        facts={
            "submission": submission.pk,
            "policy": item.screened.policy_id,
            "record": record_id,
            "verdict": verdict.action,
            "rule": verdict.rule,
            "category": verdict.category,
            "score": verdict.score,
            "threshold": verdict.threshold,
            "provider": verdict.provider,
            "not_judged": list(verdict.not_judged),
        },
    )
