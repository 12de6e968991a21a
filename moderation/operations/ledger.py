"""Starts, lists and cancels operations.

That someone started or cancelled one is an audit event of the subject `operation`; how far it is
stands in django-celery-results' row of the same id, written before the message is sent, so that
an operation whose message was lost is seen and can be rung for again.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app, states
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django_celery_results.models import TaskResult
from kombu.exceptions import OperationalError

from moderation import queries
from moderation.errors import Conflict, NotAllowed, NotFound
from moderation.models import AuditEvent, Community
from moderation.pipeline.record import record_change
from moderation.vocabulary import Lane

logger = logging.getLogger(__name__)

SUBJECT: Final = "operation"
RESCAN_TASK: Final = "moderation.rescan"
EXPORT_TASK: Final = "moderation.export_decisions"
LABELS: Final[dict[str, str]] = {
    RESCAN_TASK: "Look at old posts again",
    EXPORT_TASK: "Export decisions as CSV",
}
PROGRESS: Final = "PROGRESS"
# Work reports far more often than this: silence means that its worker or its message was lost.
SILENT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as its watchers see it. `done` of `total` steps; `total` is 0 until known."""

    id: str
    task: str
    community: Community | None
    started_by_id: int
    started_at: datetime
    facts: Mapping[str, Any]
    state: str
    done: int = 0
    total: int = 0
    outcome: Mapping[str, Any] = field(default_factory=dict)
    started_by: str = ""
    cancelled: bool = False
    is_silent: bool = False

    @property
    def label(self) -> str:
        return LABELS[self.task]

    @property
    def is_finished(self) -> bool:
        return self.state in states.READY_STATES or self.cancelled

    @property
    def days(self) -> str:
        """Return the first and the last day that it is about; `until` itself is not."""
        since, until = (datetime.fromisoformat(self.facts[name]) for name in ("since", "until"))
        return f"{since.date()} to {(until - timedelta(microseconds=1)).date()}"

    @property
    def percent(self) -> int:
        if self.state == states.SUCCESS:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else 0

    @property
    def state_label(self) -> str:
        if self.state == states.SUCCESS:
            return "Stopped" if self.outcome.get("cancelled") else "Done"
        if self.state == states.FAILURE:
            return "Failed"
        if self.cancelled:
            return "Being stopped" if self.state == PROGRESS else "Stopped"
        if self.is_silent:
            return "Silent: its worker may be gone"
        return "Waiting for a worker" if self.state == states.PENDING else "Running"


def start_operation(
    *, task: str, community: Community, user: User, facts: Mapping[str, Any]
) -> str:
    """Put an operation on the record and ask a worker to do it; return its id.

    `facts` is JSON and becomes the task's parameters. Raises `NotAllowed`. A broker that does
    not answer is no error: the operation waits until it is rung for again.
    """
    _must_moderate(user, community.pk)
    operation_id = str(uuid.uuid4())
    with transaction.atomic():
        _record("operation.started", operation_id, community.pk, user, {"task": task, **facts})
        TaskResult.objects.store_result(
            "application/json",
            "utf-8",
            operation_id,
            json.dumps({"done": 0, "total": 0}),
            states.PENDING,
            task_name=task,
        )
    _send(task, operation_id)
    return operation_id


def ring_again(*, operation_id: str, user: User) -> None:
    """Ask a worker once more for an operation that went silent. It goes on where it stopped.

    Raises `Conflict` when it is at work or at its end.
    """
    operation = get_operation(operation_id, user)
    if operation.is_finished or not operation.is_silent:
        raise Conflict("This operation is at work or at its end.")
    _send(operation.task, operation_id)


def cancel_operation(*, operation_id: str, user: User) -> None:
    """Ask an operation to stop after its current batch. Raises `Conflict` at its end."""
    operation = get_operation(operation_id, user)
    if operation.is_finished:
        raise Conflict("This operation has ended.")
    with transaction.atomic():
        community_id = operation.community.pk if operation.community else None
        _record("operation.cancelled", operation_id, community_id, user, {})


def is_cancelled(operation_id: str) -> bool:
    return AuditEvent.objects.filter(
        subject_kind=SUBJECT, subject_id=operation_id, kind="operation.cancelled"
    ).exists()


def started(operation_id: str) -> AuditEvent:
    """Return the event that started an operation. Raises `NotFound`."""
    event = AuditEvent.objects.filter(
        subject_kind=SUBJECT, subject_id=operation_id, kind="operation.started"
    ).first()
    if event is None:
        raise NotFound(f"There is no operation {operation_id}.")
    return event


def get_operation(operation_id: str, user: User) -> Operation:
    """Raises `NotFound` for what is not there and for another community's alike."""
    event = started(operation_id)
    if event.community_id is None or not queries.moderates(user, event.community_id):
        raise NotFound(f"There is no operation {operation_id}.")
    return _assemble([event])[0]


def list_operations(user: User, *, limit: int = 50) -> list[Operation]:
    """Return the newest operations in a moderator's communities."""
    events = AuditEvent.objects.filter(
        kind="operation.started",
        subject_kind=SUBJECT,
        community_id__in=list(queries.communities_moderated_by(user).values_list("pk", flat=True)),
    ).order_by("-pk")[:limit]
    return _assemble(list(events))


def _assemble(events: list[AuditEvent]) -> list[Operation]:
    ids = [event.subject_id for event in events]
    results = {row.task_id: row for row in TaskResult.objects.filter(task_id__in=ids)}
    cancelled = set(
        AuditEvent.objects.filter(
            subject_kind=SUBJECT, subject_id__in=ids, kind="operation.cancelled"
        ).values_list("subject_id", flat=True)
    )
    communities = Community.objects.in_bulk(
        [event.community_id for event in events if event.community_id]
    )
    people = User.objects.in_bulk([int(event.actor_id) for event in events])
    operations = []
    for event in events:
        person = people.get(int(event.actor_id))
        result = results.get(event.subject_id)
        said = _said(result)
        operations.append(
            Operation(
                id=event.subject_id,
                task=event.facts["task"],
                community=communities.get(event.community_id or 0),
                started_by_id=int(event.actor_id),
                started_by=person.get_username() if person else "someone who has left",
                started_at=event.happened_at,
                facts=event.facts,
                state=result.status if result else states.PENDING,
                done=int(said.get("done", 0)),
                total=int(said.get("total", 0)),
                outcome=said,
                cancelled=event.subject_id in cancelled,
                is_silent=_is_silent(result),
            )
        )
    return operations


def _said(result: TaskResult | None) -> dict[str, Any]:
    """Return what a task last reported or returned; a failed one reports its exception."""
    said = json.loads(result.result) if result is not None and result.result else {}
    return said if isinstance(said, dict) else {}


def _is_silent(result: TaskResult | None) -> bool:
    if result is None:
        return True
    if result.status in states.READY_STATES:
        return False
    last_word: datetime = result.date_done
    return last_word < timezone.now() - timedelta(seconds=SILENT_SECONDS)


def _send(task: str, operation_id: str) -> None:
    try:
        current_app.send_task(
            task,
            kwargs={"operation": operation_id},
            task_id=operation_id,
            queue=Lane.RESCAN.value,
            retry=False,
        )
    except (OperationalError, OSError) as error:
        logger.warning("operation_not_sent", extra={"task": task, "error": type(error).__name__})


def _must_moderate(user: User, community_id: int) -> None:
    if not queries.moderates(user, community_id):
        raise NotAllowed()


def _record(
    kind: str, operation_id: str, community_id: int | None, user: User, facts: Mapping[str, Any]
) -> None:
    record_change(
        kind, subject=(SUBJECT, operation_id), community_id=community_id, user=user, facts=facts
    )
