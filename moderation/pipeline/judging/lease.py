"""2a · Take due submissions for a while. The row is the queue: the database's clock decides.

A claim is one conditional update under a fresh token. Whoever holds the token may enforce; a
worker that was frozen past its lease finds the token changed and its verdict refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.models import Post, PostRevision, Submission
from moderation.models.screening import PARKED
from moderation.vocabulary import Lane, Reason, SubmissionState

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """One submission that this worker holds under `token`, with its post as it was read then.

    `gave_up` says that all attempts are spent: the post goes to a person unscreened.
    """

    submission: Submission
    token: UUID
    gave_up: bool

    @property
    def post(self) -> Post:
        return self.submission.post

    @property
    def is_for_appeal(self) -> bool:
        """Whether it asks for a second opinion, which changes nothing by itself."""
        return self.submission.reason == Reason.APPEAL

    @property
    def was_asked_before(self) -> bool:
        """Whether services may have answered about it already, or be at work on it."""
        return self.submission.attempts > 1 or self.submission.last_error == PARKED

    @property
    def waited_seconds(self) -> float:
        """How long it has waited for services, 0.0 when it has not."""
        if not self.was_asked_before:
            return 0.0
        return (datetime.now(UTC) - self.submission.created_at).total_seconds()


def due() -> QuerySet[Submission]:
    """Return the submissions that anyone may claim now."""
    return Submission.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=Now()),
        state=SubmissionState.DUE,
        due_at__lte=Now(),
    )


def claim(lane: Lane, limit: int) -> list[Claim]:
    """Take up to `limit` fresh submissions of a lane, riskiest and oldest first."""
    return _take(due().filter(lane=lane, attempts=0), limit)


def claim_one_again(lane: Lane) -> list[Claim]:
    """Take one submission that was tried before: alone, so that a killer takes no neighbours."""
    return _take(due().filter(lane=lane, attempts__gt=0), 1)


def _take(candidates: QuerySet[Submission], limit: int) -> list[Claim]:
    conf = get_conf()
    token = uuid4()
    with transaction.atomic():
        ids = list(
            candidates.select_for_update(skip_locked=True, of=("self",))
            .order_by("rank_at")
            .values_list("pk", flat=True)[:limit]
        )
        if not ids:
            return []
        Submission.objects.filter(pk__in=ids).update(
            lease_token=token,
            lease_until=Now() + timedelta(seconds=conf.lease_seconds),
            attempts=F("attempts") + 1,
        )
    rows = Submission.objects.filter(pk__in=ids, lease_token=token).select_related(
        "post", "post__author"
    )
    for row in rows:
        if row.reason == Reason.APPEAL and row.revision != row.post.revision:
            _turn_back(row)
    return [Claim(row, token, gave_up=row.attempts > conf.max_attempts) for row in rows]


def _turn_back(submission: Submission) -> None:
    """Let a claim's post, which is never saved, be what it was in the appealed revision."""
    post = submission.post
    kept = PostRevision.objects.filter(post=post, revision=submission.revision).first()
    if kept is not None:
        post.title, post.body = kept.title, kept.body
        post.revision, post.content_hash = kept.revision, kept.content_hash


def release(claims: Sequence[Claim], *, error: str) -> None:
    """Give back what could not be judged now; each waits longer with every attempt.

    `error` is a short code for people who look at the row, never a text of a post.
    """
    backoff = get_conf().retry_backoff_seconds
    for item in claims:
        wait = timedelta(seconds=backoff * 2 ** (item.submission.attempts - 1))
        Submission.objects.filter(
            pk=item.submission.pk, lease_token=item.token, state=SubmissionState.DUE
        ).update(lease_token=None, lease_until=None, due_at=Now() + wait, last_error=error[:100])


@contextmanager
def renewing(claims: Sequence[Claim]) -> Iterator[None]:
    """Keep the leases while a block runs, however long the providers take."""
    if not claims:
        yield
        return
    stop = threading.Event()
    keeper = threading.Thread(
        target=_renew_until, args=(stop, claims[0].token), name="lease-keeper", daemon=True
    )
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        # One that waits for the database is left to itself: late, it renews what is still ours.
        keeper.join(timeout=1)


def _renew_until(stop: threading.Event, token: UUID) -> None:
    conf = get_conf()
    while not stop.wait(conf.lease_renew_seconds):
        try:
            Submission.objects.filter(lease_token=token, state=SubmissionState.DUE).update(
                lease_until=Now() + timedelta(seconds=conf.lease_seconds)
            )
        except DatabaseError as error:
            # The lease outlives two missed renewals; if it ends, another worker takes over.
            logger.warning("lease_not_renewed", extra={"error": type(error).__name__})
        finally:
            connection.close()
