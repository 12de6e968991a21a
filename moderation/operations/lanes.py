"""A lane in an operator's hands: paused, let go on, and asked again about what is stuck there.

A pause only keeps workers from claiming. What waits keeps its row, its rank and its status: it is
neither lost nor approved, and goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from moderation import queries
from moderation.conf import get_conf
from moderation.delivery import doorbell
from moderation.errors import Conflict, NotFound
from moderation.models import Heartbeat, LanePause, OutboxMessage, Submission
from moderation.models.screening import PARKED
from moderation.pipeline.audit.record import record_change
from moderation.vocabulary import DeliveryState, EndpointKind, Lane, SubmissionState

LANE: Final = "lane"
PROCESS: Final = "process"
# Of one press: whoever has more stuck presses again.
MOST_ROWS: Final = 5_000


def pause_lane(*, lane: Lane, user: User, note: str = "") -> None:
    """Let nobody claim from a lane. Raises `Conflict` if it is paused already."""
    with _alone():
        _, made = LanePause.objects.get_or_create(
            lane=lane, defaults={"paused_by": user, "note": note[:200]}
        )
        if not made:
            raise Conflict("This lane is paused already.")
        _record("lane.paused", (LANE, str(lane)), user, lane=str(lane))
    queries.forget_lanes()


def resume_lane(*, lane: Lane, user: User) -> None:
    """Let workers claim from a lane again. Raises `Conflict` if it was not paused."""
    with _alone():
        deleted, _ = LanePause.objects.filter(lane=lane).delete()
        if not deleted:
            raise Conflict("This lane is not paused.")
        _record("lane.resumed", (LANE, str(lane)), user, lane=str(lane))
    queries.forget_lanes()
    doorbell.ring({lane})


def requeue_stuck(*, lane: Lane, user: User) -> int:
    """Let what is stuck in a lane be taken again at once; return how many rows that were.

    Stuck is what was tried before and is still held, or put off, although it has waited for longer
    than it may. Whoever held such a post finds its lease gone, and its late verdict is refused;
    attempts are not forgiven, so that what kills its worker still ends with a person. What waits
    for a slow service, or until a decision can no longer be undone, is left alone.
    """
    with _alone():
        number = _requeue_deliveries() if lane is Lane.DELIVER else _requeue_posts(lane)
        _record("lane.requeued", (LANE, str(lane)), user, lane=str(lane), rows=number)
    doorbell.ring({lane})
    return number


def _requeue_posts(lane: Lane) -> int:
    late = timedelta(seconds=get_conf().late_after_seconds)
    rows = Submission.objects.filter(
        lane=lane, state=SubmissionState.DUE, attempts__gt=0, created_at__lt=Now() - late
    ).exclude(last_error=PARKED)
    ids = list(
        rows.select_for_update(skip_locked=True)
        .order_by("rank_at")
        .values_list("pk", flat=True)[:MOST_ROWS]
    )
    return Submission.objects.filter(pk__in=ids, state=SubmissionState.DUE).update(
        lease_token=None, lease_until=None, due_at=Now()
    )


def _requeue_deliveries() -> int:
    """What failed before is tried now; on a stream it keeps its turn."""
    rows = OutboxMessage.objects.filter(
        state=DeliveryState.DUE, attempts__gt=0, due_at__gt=Now(), endpoint__active=True
    ).exclude(endpoint__kind=EndpointKind.STREAM)
    ids = list(rows.order_by("due_at").values_list("pk", flat=True)[:MOST_ROWS])
    return OutboxMessage.objects.filter(pk__in=ids, state=DeliveryState.DUE).update(due_at=Now())


def drain_process(*, name: str, user: User) -> None:
    """Let a worker claim nothing more, and finish what it holds.

    Raises `NotFound` for a process that told nothing of itself, and `Conflict` for one that
    claims nothing or drains already.
    """
    _ask_to_drain(name, user, drain=True)


def undrain_process(*, name: str, user: User) -> None:
    """Let a worker claim again. Raises as `drain_process` does."""
    _ask_to_drain(name, user, drain=False)


def _ask_to_drain(name: str, user: User, *, drain: bool) -> None:
    with _alone():
        row = Heartbeat.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise NotFound("There is no such process.")
        if not row.lanes or (row.drain_asked_at is not None) is drain:
            raise Conflict("This process claims nothing, or is asked already.")
        Heartbeat.objects.filter(name=name).update(drain_asked_at=Now() if drain else None)
        kind = "process.drained" if drain else "process.undrained"
        _record(kind, (PROCESS, name[-40:]), user, process=name)
    queries.forget_lanes()
    if not drain:
        doorbell.ring(row.lanes)


@contextmanager
def _alone() -> Iterator[None]:
    """Do all or nothing. Raises `Conflict` when somebody else does the same at this moment."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict("Somebody else changed this at the same moment. Look again.") from error


def _record(kind: str, subject: tuple[str, str], user: User, **facts: object) -> None:
    record_change(kind, subject=subject, community_id=None, user=user, facts=facts)
