"""3e · Put a claim aside until a service has answered: its row is the queue, as ever.

What services have said and begun is kept with it, in one transaction that only the holder of the
lease can make; what our own judges said costs less to ask again than to keep.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from moderation import queries
from moderation.models import ProviderJob, ProviderResult, Submission
from moderation.models.screening import PARKED
from moderation.pipeline.judging.inbox import take_early_messages
from moderation.pipeline.judging.jobs import new_jobs
from moderation.pipeline.judging.screen import Screened
from moderation.providers import registry
from moderation.vocabulary import JobState, SubmissionState

logger = logging.getLogger(__name__)

# Rows that wait about equally long share an update, and are claimed together.
_STEP_SECONDS = 0.25


def park(screened: Sequence[Screened]) -> None:
    """Give the claims back until the first of their answers can be there."""
    if not screened:
        return
    with transaction.atomic():
        now = queries.database_now()
        held = _still_held(screened)
        ours = [item for item in screened if item.claim.submission.pk in held]
        _keep_answers(ours)
        jobs = _keep_jobs(ours, now)
        _give_back(ours, now)
        _bring_back_settled(ours, now)
        # Some services are done before we have written down that they began.
        take_early_messages(jobs, now)
    if len(ours) < len(screened):
        logger.warning("stale_waits_refused", extra={"count": len(screened) - len(ours)})


def _still_held(screened: Sequence[Screened]) -> set[int]:
    return set(
        Submission.objects.select_for_update()
        .filter(
            pk__in=[item.claim.submission.pk for item in screened],
            lease_token__in={item.claim.token for item in screened},
            state=SubmissionState.DUE,
        )
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def _keep_answers(screened: Sequence[Screened]) -> None:
    rows = [row for item in screened for row in item.results if not registry.is_local(row.provider)]
    asked_before = [item.claim.submission.pk for item in screened if item.claim.was_asked_before]
    if asked_before:
        ProviderResult.objects.filter(submission_id__in=asked_before).delete()
    for row in rows:
        row.pk = None
    ProviderResult.objects.bulk_create(rows)


def _keep_jobs(screened: Sequence[Screened], now: datetime) -> list[ProviderJob]:
    jobs = [
        job for item in screened for job in new_jobs(item.claim.submission.pk, item.waiting, now)
    ]
    return ProviderJob.objects.bulk_create(jobs) if jobs else []


def _give_back(screened: Sequence[Screened], now: datetime) -> None:
    alike: dict[int, list[int]] = defaultdict(list)
    for item in screened:
        wait = min(answered.again_in_seconds for answered in item.waiting)
        alike[max(1, round(wait / _STEP_SECONDS))].append(item.claim.submission.pk)
    for steps, ids in alike.items():
        Submission.objects.filter(pk__in=ids).update(
            lease_token=None,
            lease_until=None,
            attempts=0,
            due_at=now + timedelta(seconds=steps * _STEP_SECONDS),
            last_error=PARKED,
        )


def _bring_back_settled(screened: Sequence[Screened], now: datetime) -> None:
    """What was answered while its claim was held is not waited for."""
    awaited = {
        (item.claim.submission.pk, answered.provider, answered.question.part.key)
        for item in screened
        for answered in item.waiting
        if answered.answer.job is None and not answered.answer.error
    }
    if not awaited:
        return
    settled = ProviderJob.objects.filter(
        submission_id__in={place[0] for place in awaited}, state=JobState.SETTLED
    ).values_list("submission_id", "provider", "part_key")
    ids = {place[0] for place in settled if place in awaited}
    if ids:
        Submission.objects.filter(pk__in=ids).update(due_at=now)
