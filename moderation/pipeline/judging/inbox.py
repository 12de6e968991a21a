"""3d · What services call back with: kept at once, believed only if it is authentic, used once.

A message is stored before anything is done about it, and answered within milliseconds. It settles
its job if that still waits; a repeat is the same row, and a late or stale one finds nothing to
change.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from moderation import queries, tracing
from moderation.asking import read_callback, signs_callbacks
from moderation.coordination.callbacks import is_given_out
from moderation.delivery import doorbell
from moderation.errors import CallbackRefused
from moderation.models import CallbackMessage, ProviderJob, Submission
from moderation.pipeline.judging.jobs import settle
from moderation.providers.base import Callback, Notice
from moderation.queries.traces import traceparent_of
from moderation.vocabulary import JobState, Lane, SubmissionState

logger = logging.getLogger(__name__)

# How long a message may be ahead of the job that it is about.
UNKNOWN_AFTER = timedelta(hours=1)
_BATCH = 500


def receive(provider: str, callback: Callback) -> None:
    """Take a message in. Raises `CallbackRefused` for one that nobody authentic sent, and
    `ProviderUnavailable` when that cannot be found out now: it is to be sent again.

    Where only the address proves the sender, its token must be that of a job.
    """
    is_signed = signs_callbacks(provider)
    if not is_signed and not _knows(provider, callback.token):
        raise CallbackRefused("No job has this address.")
    notice = read_callback(provider, callback)
    if notice is None:
        return
    message, is_new = CallbackMessage.objects.get_or_create(
        provider=provider,
        message_id=notice.message_id[:200],
        defaults=_fields(callback, notice, is_signed=is_signed),
    )
    if is_new:
        _ring(_handle([message]))


def sweep_inbox() -> int:
    """Use what came before its job was known; return how many messages that were."""
    unhandled = CallbackMessage.objects.filter(handled_at__isnull=True)
    if not unhandled.exists():
        return 0
    jobs = ProviderJob.objects.filter(provider=OuterRef("provider"))
    # Many are about jobs of revisions that ended before: these cost nothing until they are old.
    known = list(
        unhandled.filter(
            Q(token="") | Exists(jobs.filter(token=OuterRef("token"))),
            Q(job_id="") | Exists(jobs.filter(job_id=OuterRef("job_id"))),
        ).order_by("pk")[:_BATCH]
    )
    _ring(_handle(known))
    now = queries.database_now()
    unhandled.filter(received_at__lt=now - UNKNOWN_AFTER).update(
        handled_at=now, outcome="unknown_job"
    )
    return len(known)


def take_early_messages(jobs: Sequence[ProviderJob], now: datetime) -> None:
    """Use the messages about jobs that are being stored in this transaction."""
    if not jobs:
        return
    about = Q(token__in=[job.token for job in jobs if job.token])
    for job in jobs:
        about |= Q(provider=job.provider, job_id=job.job_id)
    for message in CallbackMessage.objects.filter(about, handled_at__isnull=True):
        for job in jobs:
            if _is_about(message, job):
                _use(message, job, now)


def _fields(callback: Callback, notice: Notice, *, is_signed: bool) -> dict[str, object]:
    # An address that is the account's, not a job's, is its secret: not kept.
    names_job = not (is_signed and notice.job_id)
    return {
        "token": callback.token[:64] if names_job else "",
        "job_id": notice.job_id[:300],
        "answer": None if notice.answer is None else notice.answer.to_json(),
    }


def _knows(provider: str, token: str) -> bool:
    """Whether we have given this address to anybody: the job may not be stored yet."""
    return bool(token) and (
        ProviderJob.objects.filter(provider=provider, token=token).exists()
        or is_given_out(provider, token)
    )


def _handle(messages: Sequence[CallbackMessage]) -> set[Lane]:
    lanes: set[Lane] = set()
    for message in messages:
        with transaction.atomic():
            now = queries.database_now()
            job = _job_of(message)
            if job is not None:
                lanes |= _use_traced(message, job, now)
    return lanes


def _job_of(message: CallbackMessage) -> ProviderJob | None:
    about = Q(token=message.token) if message.token else Q(job_id=message.job_id)
    job = ProviderJob.objects.filter(about, provider=message.provider).first()
    return job if job is not None and _is_about(message, job) else None


def _is_about(message: CallbackMessage, job: ProviderJob) -> bool:
    """Whether address and content, where a message has both, name this job."""
    return (
        message.provider == job.provider
        and bool(message.token or message.job_id)
        and message.token in ("", job.token)
        and message.job_id in ("", job.job_id)
    )


def _use_traced(message: CallbackMessage, job: ProviderJob, now: datetime) -> set[Lane]:
    """Use a message in the trace of the post that its job is about, not in that of its sender."""
    carried = traceparent_of(job.submission_id) if tracing.is_on() else ""
    with tracing.resume("take a callback", (carried,), kind="consumer", provider=job.provider):
        return _use(message, job, now)


def _use(message: CallbackMessage, job: ProviderJob, now: datetime) -> set[Lane]:
    """Settle the job, or have it asked now; a settled one stays as it is.

    The submission is locked first, as `park` does: either sees what the other has done.
    """
    rows = Submission.objects.filter(pk=job.submission_id, state=SubmissionState.DUE)
    submission = rows.select_for_update(no_key=True).first()
    outcome = "stale"
    if message.answer is not None:
        if settle(job, message.answer, now):
            outcome = "settled"
    elif ProviderJob.objects.filter(pk=job.pk, state=JobState.WAITING).update(poll_at=now):
        outcome = "asked"
    CallbackMessage.objects.filter(pk=message.pk).update(handled_at=now, outcome=outcome)
    if outcome == "stale" or submission is None:
        return set()
    rows.filter(lease_token__isnull=True).update(due_at=now)
    return {Lane(submission.lane)}


def _ring(lanes: set[Lane]) -> None:
    if lanes:
        doorbell.ring(lanes)
