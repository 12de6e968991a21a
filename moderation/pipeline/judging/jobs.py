"""3c · Services that answer later: their jobs, asked after until they have answered or expired.

A job goes forward only, from waiting to settled or expired, by one conditional update: whatever
arrives late, twice or out of order finds it settled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from moderation import queries
from moderation.asking import LATE, Answered, poll_services, share_answer
from moderation.models import ProviderJob
from moderation.pipeline.judging.lease import Claim
from moderation.providers.base import Answer
from moderation.queries.traces import key_of
from moderation.vocabulary import JobState, Outcome, Part

# A service that does not answer is asked half as often each time, up to this.
_LONGEST_POLL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """What a job has come to; pending ones are asked about again after `again_in_seconds`."""

    provider: str
    answer: Answer
    again_in_seconds: float = 0.0


def outstanding_answers(claims: Sequence[Claim]) -> Mapping[tuple[int, str], list[JobAnswer]]:
    """Return what services said of their jobs, by submission and part; ask those that are due."""
    if not claims:
        return {}
    jobs = list(
        ProviderJob.objects.filter(submission_id__in=[claim.submission.pk for claim in claims])
    )
    if not jobs:
        return {}
    now = queries.database_now()
    _expire([job for job in jobs if _is_waiting(job) and job.expires_at <= now], now)
    _poll([job for job in jobs if _is_waiting(job) and job.poll_at <= now], now)
    found: dict[tuple[int, str], list[JobAnswer]] = defaultdict(list)
    for job in jobs:
        found[job.submission_id, job.part_key].append(_answer_of(job, now))
    return found


def new_jobs(submission_id: int, waiting: Iterable[Answered], now: datetime) -> list[ProviderJob]:
    """Return the rows of jobs that services have just begun, unsaved."""
    return [
        ProviderJob(
            submission_id=submission_id,
            provider=item.provider,
            part_kind=item.question.part.kind,
            part_key=item.question.part.key,
            job_id=item.answer.job.id,
            token=item.answer.job.token or None,
            poll_at=now + timedelta(seconds=item.answer.job.poll_after_seconds),
            poll_after_seconds=item.answer.job.poll_after_seconds,
            expires_at=now + timedelta(seconds=item.answer.job.give_up_after_seconds),
        )
        for item in waiting
        if item.answer.job is not None
    ]


def settle(job: ProviderJob, answer: Mapping[str, Any], now: datetime) -> bool:
    """Give a waiting job its answer, once. Returns whether this was the one that counts."""
    settled = ProviderJob.objects.filter(pk=job.pk, state=JobState.WAITING).update(
        state=JobState.SETTLED, answer=answer, settled_at=now
    )
    if settled:
        job.state, job.answer = JobState.SETTLED, dict(answer)
        transaction.on_commit(partial(share_answer, job.provider, job.job_id, answer))
    return bool(settled)


def _is_waiting(job: ProviderJob) -> bool:
    return job.state == JobState.WAITING


def _expire(jobs: Sequence[ProviderJob], now: datetime) -> None:
    for job in jobs:
        changed = ProviderJob.objects.filter(pk=job.pk, state=JobState.WAITING).update(
            state=JobState.EXPIRED, settled_at=now
        )
        if changed:
            job.state = JobState.EXPIRED
        else:
            job.refresh_from_db()


def _poll(jobs: Sequence[ProviderJob], now: datetime) -> None:
    asked = [(job.provider, job.job_id, Part(job.part_kind)) for job in jobs]
    about = [key_of(job.submission_id) for job in jobs]
    for job, answer in zip(jobs, poll_services(asked, about=about), strict=True):
        if answer is not None and answer.outcome is not Outcome.PENDING:
            if not settle(job, answer.to_json(), now):
                job.refresh_from_db()
            continue
        job.polls += 1
        pause = min(job.poll_after_seconds * 2 ** min(job.polls // 4, 8), _LONGEST_POLL_SECONDS)
        job.poll_at = now + timedelta(seconds=pause)
        ProviderJob.objects.filter(pk=job.pk, state=JobState.WAITING).update(
            poll_at=job.poll_at, polls=job.polls
        )


def _answer_of(job: ProviderJob, now: datetime) -> JobAnswer:
    if job.state == JobState.SETTLED:
        return JobAnswer(job.provider, Answer.from_json(job.answer))
    if job.state == JobState.EXPIRED:
        return JobAnswer(job.provider, Answer(Outcome.FAILED, error=LATE))
    again_at = min(job.poll_at, job.expires_at)
    return JobAnswer(
        job.provider,
        Answer(Outcome.PENDING),
        again_in_seconds=max(0.1, (again_at - now).total_seconds()),
    )
