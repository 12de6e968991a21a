"""What the page rests on, read once: the newest of each kind, however long a post's way was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.timesince import timesince

from moderation import queries
from moderation.admin.desk import enforcements_on
from moderation.admin.queue import QueuePlace, queue_place
from moderation.models import (
    Appeal,
    CallbackMessage,
    DeliveryAttempt,
    Enforcement,
    MediaItem,
    OutboxMessage,
    Post,
    ProviderJob,
    ProviderResult,
    Reevaluation,
    Submission,
    VerdictRecord,
)
from moderation.vocabulary import (
    AppealState,
)

# Of each kind, the newest: a page that is read, not searched.
MOST: Final = 100
_MOST_JOBS: Final = 20
_LATE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Read:
    """Everything that the page rests on, read once."""

    post: Post
    now: datetime
    place: QueuePlace
    submissions: Sequence[Submission]
    verdicts: Sequence[VerdictRecord]
    results: Sequence[ProviderResult]
    jobs: Sequence[ProviderJob]
    callbacks: Sequence[CallbackMessage]
    enforcements: Sequence[Enforcement]
    messages: Sequence[OutboxMessage]
    attempts: Sequence[DeliveryAttempt]
    media: Sequence[MediaItem]
    appeals: Sequence[Appeal]
    reevaluations: Sequence[Reevaluation]

    @property
    def standing(self) -> list[Enforcement]:
        """The enforcements on the current revision that hold, in the order they were made."""
        current = (
            one
            for one in self.enforcements
            if one.revision == self.post.revision and one.reversed_at is None
        )
        return sorted(current, key=lambda one: one.pk)

    @property
    def verdict(self) -> VerdictRecord | None:
        """The newest on the current revision."""
        return next((one for one in self.verdicts if one.revision == self.post.revision), None)


def read_of(post: Post, reader: User) -> Read:
    submissions = list(Submission.objects.filter(post=post).order_by("-pk")[:MOST])
    ids = [one.pk for one in submissions]
    jobs = list(ProviderJob.objects.filter(submission__in=ids).order_by("-pk")[:MOST])
    messages = list(
        OutboxMessage.objects.filter(event__subject_kind="post", event__subject_id=str(post.pk))
        .select_related("endpoint", "event")
        .order_by("-pk")[:MOST]
    )
    return Read(
        post=post,
        now=queries.database_now(),
        place=queue_place(post, reader),
        submissions=submissions,
        verdicts=list(
            VerdictRecord.objects.filter(post=post).select_related("policy").order_by("-pk")[:MOST]
        ),
        results=list(
            ProviderResult.objects.filter(submission__in=ids)
            .select_related("submission")
            .defer("raw", "spans", "regions")
            .order_by("-pk")[:MOST]
        ),
        jobs=jobs,
        callbacks=_callbacks(jobs),
        enforcements=enforcements_on(post)[:MOST],
        messages=messages,
        attempts=list(
            DeliveryAttempt.objects.filter(message__in=[one.pk for one in messages])
            .defer("request", "response", "response_headers")
            .order_by("-pk")[:MOST]
        ),
        media=list(post.media.all()[:MOST]),
        appeals=list(
            Appeal.objects.filter(post=post, state=AppealState.OPEN).order_by("-pk")[:MOST]
        ),
        reevaluations=list(Reevaluation.objects.filter(post=post)[:MOST]),
    )


def _callbacks(jobs: Sequence[ProviderJob]) -> list[CallbackMessage]:
    if not jobs:
        return []
    about = Q()
    for job in jobs[:_MOST_JOBS]:
        named = Q(token="", job_id=job.job_id) | Q(token=job.token or "-")
        # The inbox is found by age: from when a service was asked until it was given up.
        until = (job.settled_at or job.expires_at) + _LATE
        about |= Q(named, provider=job.provider, received_at__range=(job.created_at, until))
    return list(CallbackMessage.objects.filter(about).order_by("-pk")[:MOST])


def latest_answers(read: Read) -> list[ProviderResult]:
    """Return what was answered about the newest submission of the current revision."""
    newest = next((one for one in read.submissions if one.revision == read.post.revision), None)
    return [
        row
        for row in read.results
        if newest is not None and row.submission_id == newest.pk and not row.shadow
    ]


def age_of(moment: datetime, now: datetime) -> str:
    seconds = (now - moment).total_seconds()
    return f"{max(seconds, 0):.0f} s" if seconds < 60 else timesince(moment, now, depth=1)
