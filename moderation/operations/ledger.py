"""Starts, lists, pauses and cancels operations.

Everything that befalls one is an audit event of the subject `operation`; the last of them says
how it stands. How far it is, `progress` says.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app, states
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django_celery_results.models import TaskResult
from kombu.exceptions import OperationalError

from moderation import queries
from moderation.errors import Conflict, NotAllowed, NotFound
from moderation.models import AuditEvent, Community
from moderation.operations import progress
from moderation.operations.progress import Progress
from moderation.pipeline.audit.record import record_change
from moderation.vocabulary import ActorKind, Lane

logger = logging.getLogger(__name__)

SUBJECT: Final = "operation"
STARTED: Final = "operation.started"
PAUSED: Final = "operation.paused"
RESUMED: Final = "operation.resumed"
CANCELLED: Final = "operation.cancelled"
FINISHED: Final = "operation.finished"
_AT_WORK = (STARTED, RESUMED)
_ENDED = (CANCELLED, FINISHED)

RESCAN_TASK: Final = "moderation.rescan"
REPLAY_TASK: Final = "moderation.replay"
BANK_SEARCH_TASK: Final = "moderation.search_banked"
EXPORT_TASK: Final = "moderation.export_decisions"
LABELS: Final[dict[str, str]] = {
    RESCAN_TASK: "Look at old posts again",
    REPLAY_TASK: "Judge stored verdicts by a draft",
    BANK_SEARCH_TASK: "Look for what is banked among old posts",
    EXPORT_TASK: "Export decisions as CSV",
}
# These are many tasks, one after the other; the others are one each.
IN_TURNS: Final = (RESCAN_TASK, REPLAY_TASK, BANK_SEARCH_TASK)
# How many of a community's newest operations are looked through for those that have not ended.
_MOST_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as its watchers see it. `last` is the kind of the last thing to befall it.

    `done` of `total` steps; `total` is 0 until known. Nobody in person started what a policy
    asks for: then `started_by_id` is None.
    """

    id: str
    task: str
    community: Community | None
    started_by_id: int | None
    started_at: datetime
    facts: Mapping[str, Any]
    last: str
    state: str
    done: int = 0
    total: int = 0
    outcome: Mapping[str, Any] = field(default_factory=dict)
    started_by: str = ""
    is_silent: bool = False

    @property
    def label(self) -> str:
        return LABELS[self.task]

    @property
    def is_rescan(self) -> bool:
        return self.task == RESCAN_TASK

    @property
    def is_replay(self) -> bool:
        return self.task == REPLAY_TASK

    @property
    def goes_in_turns(self) -> bool:
        return self.task in IN_TURNS

    @property
    def is_finished(self) -> bool:
        return self.last in _ENDED or self.state in states.READY_STATES

    @property
    def has_file(self) -> bool:
        return self.task == EXPORT_TASK and self.last == FINISHED

    @property
    def is_paused(self) -> bool:
        return self.last == PAUSED

    @property
    def can_pause(self) -> bool:
        return self.goes_in_turns and not self.is_finished and not self.is_paused

    @property
    def can_be_rung_for(self) -> bool:
        """Whether its worker or its message may be lost."""
        return self.is_silent and not self.is_finished and not self.is_paused

    @property
    def days(self) -> str:
        """Return the first and the last day that it is about; `until` itself is not."""
        if "since" not in self.facts:
            return "all days"
        since, until = (datetime.fromisoformat(self.facts[name]) for name in ("since", "until"))
        return f"{since.date()} to {(until - timedelta(microseconds=1)).date()}"

    @property
    def is_scheduled(self) -> bool:
        return self.started_by_id is None

    @property
    def waits_for(self) -> str:
        return "" if self.is_finished or self.is_paused else str(self.outcome.get("waits_for", ""))

    @property
    def percent(self) -> int:
        if self.last == FINISHED or self.state == states.SUCCESS:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else 0

    @property
    def state_label(self) -> str:
        if self.last == CANCELLED:
            stops = self.state == progress.RUNNING and not self.goes_in_turns
            return "Being stopped" if stops else "Stopped"
        if self.last == FINISHED or self.state == states.SUCCESS:
            return "Done"
        if self.state == states.FAILURE:
            return "Failed"
        if self.is_paused:
            return "Paused"
        if self.is_silent:
            return "Silent: its worker may be gone"
        return "Waiting for a worker" if self.state == states.PENDING else "Running"


# --- starting -----------------------------------------------------------------------------------


def start_operation(
    *,
    task: str,
    community: Community,
    user: User | None,
    facts: Mapping[str, Any],
    beside: Callable[[str], object] | None = None,
) -> str:
    """Put an operation on the record and ask a worker to do it; return its id.

    `facts` is JSON and becomes the task's parameters; without a `user` a policy asks for it.
    `beside` stores, in the same transaction, what the operation of that id works on.
    Raises `NotAllowed`, and `Conflict` while the same is at work already. A broker that does not
    answer is no error: the operation waits until it is rung for again.
    """
    if user is not None and not queries.moderates(user, community.pk):
        raise NotAllowed()
    operation_id = str(uuid.uuid4())
    with transaction.atomic():
        # Whoever presses a button twice waits here for themselves.
        Community.objects.select_for_update(no_key=True).get(pk=community.pk)
        _refuse_twin(community, user, {"task": task, **facts})
        record_change(
            STARTED,
            subject=(SUBJECT, operation_id),
            community_id=community.pk,
            user=user,
            facts={"task": task, **facts},
        )
        progress.begin(operation_id, task)
        if beside is not None:
            beside(operation_id)
    _send(task, operation_id)
    return operation_id


def _refuse_twin(community: Community, user: User | None, facts: Mapping[str, Any]) -> None:
    for operation in open_operations(community):
        if operation.facts == facts or (user is None and operation.is_scheduled):
            raise Conflict("The same is at work already, or paused.")


# --- while it runs ------------------------------------------------------------------------------


def pause_operation(*, operation_id: str, user: User) -> None:
    """Let what goes in turns rest where it is. Raises `Conflict` for what is not at work."""
    with transaction.atomic():
        row, operation = _hold(operation_id, user)
        if not operation.can_pause:
            raise Conflict("This operation is not at work, or cannot be paused.")
        _turn(operation, PAUSED, user, progress.read(row))
        progress.write(row, progress.read(row), status=progress.PAUSED)


def resume_operation(*, operation_id: str, user: User) -> None:
    """Let it go on where it stopped. Raises `Conflict` for what was not paused."""
    with transaction.atomic():
        row, operation = _hold(operation_id, user)
        if operation.is_finished or not operation.is_paused:
            raise Conflict("This operation is not paused.")
        _turn(operation, RESUMED, user, progress.read(row))
        progress.write(row, progress.read(row))
    _send(operation.task, operation_id, turn=progress.read(row).turn)


def cancel_operation(*, operation_id: str, user: User) -> None:
    """Ask an operation to stop after its current batch. Raises `Conflict` at its end."""
    with transaction.atomic():
        row, operation = _hold(operation_id, user)
        if operation.is_finished:
            raise Conflict("This operation has ended.")
        _turn(operation, CANCELLED, user, progress.read(row))
        if operation.goes_in_turns:
            progress.write(row, progress.read(row), status=states.REVOKED)


def ring_again(*, operation_id: str, user: User) -> None:
    """Ask a worker once more for an operation that went silent. It goes on where it stopped.

    Raises `Conflict` when it is at work, paused or at its end.
    """
    operation = get_operation(operation_id, user)
    if not operation.can_be_rung_for:
        raise Conflict("This operation is at work or at its end.")
    row = TaskResult.objects.filter(task_id=operation_id).first()
    _send(operation.task, operation_id, turn=progress.read(row).turn)


def ring_for_silent_ones() -> int:
    """Ask a worker once more for all that go in turns and went silent; return how many."""
    found = [(task, row) for task in IN_TURNS for row in progress.silent_rows(task)]
    for task, row in found:
        row.save()  # now it is not silent: the next ring comes a minute later
        _send(task, row.task_id, turn=progress.read(row).turn)
    return len(found)


def ring_for_next(
    operation_id: str, *, turn: int, in_seconds: float, task: str = RESCAN_TASK
) -> None:
    """Ask for an operation's next turn."""
    _send(task, operation_id, turn=turn, in_seconds=in_seconds)


def is_at_work(operation_id: str) -> bool:
    """Whether it was neither paused nor ended."""
    return _last_kinds([operation_id]).get(operation_id) in _AT_WORK


def is_cancelled(operation_id: str) -> bool:
    return _last_kinds([operation_id]).get(operation_id) == CANCELLED


@transaction.atomic
def finish(operation_id: str, outcome: Mapping[str, Any]) -> None:
    """Put an operation's end on the record; nothing for one that ended already."""
    event = started(operation_id)
    progress.lock(operation_id, event.facts["task"])
    if _last_kinds([operation_id])[operation_id] in _ENDED:
        return
    record_change(
        FINISHED,
        subject=(SUBJECT, operation_id),
        community_id=event.community_id,
        user=None,
        facts=outcome,
    )


def _hold(operation_id: str, user: User) -> tuple[TaskResult, Operation]:
    """Lock an operation's row, then read how it stands. Raises `NotFound`."""
    task = get_operation(operation_id, user).task
    row = progress.lock(operation_id, task)
    return row, get_operation(operation_id, user)


def _turn(operation: Operation, kind: str, user: User, so_far: Progress) -> None:
    record_change(
        kind,
        subject=(SUBJECT, operation.id),
        community_id=operation.community.pk if operation.community else None,
        user=user,
        facts=so_far.to_facts(),
    )


# --- reading ------------------------------------------------------------------------------------


def started(operation_id: str) -> AuditEvent:
    """Return the event that started an operation. Raises `NotFound`."""
    event = AuditEvent.objects.filter(
        subject_kind=SUBJECT, subject_id=operation_id, kind=STARTED
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


def peek_operation(operation_id: str) -> Operation:
    """Return how an operation stands, for a page that has seen to who may look."""
    return _assemble([started(operation_id)])[0]


def list_operations(user: User, *, limit: int = 50) -> list[Operation]:
    """Return the newest operations in a moderator's communities.

    Of those that policies ask for every hour, each community's last one.
    """
    own = list(queries.communities_moderated_by(user).values_list("pk", flat=True))
    events = AuditEvent.objects.filter(kind=STARTED, subject_kind=SUBJECT, community_id__in=own)
    scheduled = events.filter(actor_kind=ActorKind.SYSTEM)
    last = scheduled.values("community_id").annotate(last=Max("pk")).values_list("last", flat=True)
    people = events.filter(actor_kind=ActorKind.MODERATOR).order_by("-pk")[:limit]
    shown = [*people, *events.filter(pk__in=list(last))]
    return _assemble(sorted(shown, key=lambda event: event.pk, reverse=True)[:limit])


def open_operations(community: Community) -> list[Operation]:
    """Return a community's operations that have not ended, the newest first."""
    events = AuditEvent.objects.filter(
        kind=STARTED, subject_kind=SUBJECT, community_id=community.pk
    ).order_by("-pk")[:_MOST_LOOKED_AT]
    return [operation for operation in _assemble(list(events)) if not operation.is_finished]


def _assemble(events: list[AuditEvent]) -> list[Operation]:
    ids = [event.subject_id for event in events]
    rows = {row.task_id: row for row in TaskResult.objects.filter(task_id__in=ids)}
    last = _last_kinds(ids)
    finished = _outcomes(ids)
    communities = Community.objects.in_bulk(
        [event.community_id for event in events if event.community_id]
    )
    people = User.objects.in_bulk([int(event.actor_id) for event in events if event.actor_id])
    operations = []
    for event in events:
        row = rows.get(event.subject_id)
        said = finished.get(event.subject_id) or progress.said_by(row)
        operations.append(
            Operation(
                id=event.subject_id,
                task=event.facts["task"],
                community=communities.get(event.community_id or 0),
                started_by_id=int(event.actor_id) if event.actor_id else None,
                started_by=_name_of(event, people),
                started_at=event.happened_at,
                facts=event.facts,
                last=last[event.subject_id],
                state=row.status if row else states.PENDING,
                done=int(said.get("done", 0)),
                total=int(said.get("total", 0)),
                outcome=said,
                is_silent=progress.is_silent(row),
            )
        )
    return operations


def _name_of(event: AuditEvent, people: Mapping[int, User]) -> str:
    if not event.actor_id:
        return "the policy"
    person = people.get(int(event.actor_id))
    return person.get_username() if person else "someone who has left"


def _last_kinds(ids: Iterable[str]) -> dict[str, str]:
    """Return the kind of the last event of each operation."""
    events = AuditEvent.objects.filter(subject_kind=SUBJECT, subject_id__in=list(ids))
    return dict(events.order_by("sequence").values_list("subject_id", "kind"))


def _outcomes(ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what came of the operations that ended; their rows may be tidied away since."""
    events = AuditEvent.objects.filter(
        subject_kind=SUBJECT, subject_id__in=list(ids), kind__in=_ENDED
    )
    return dict(events.values_list("subject_id", "facts"))


def _send(task: str, operation_id: str, *, turn: int | None = None, in_seconds: float = 0) -> None:
    try:
        current_app.send_task(
            task,
            kwargs={"operation": operation_id, **({} if turn is None else {"turn": turn})},
            # An export's result is its own message's; a rescan's turns are many messages.
            task_id=operation_id if task == EXPORT_TASK else None,
            queue=Lane.RESCAN.value,
            countdown=in_seconds or None,
            retry=False,
        )
    except (OperationalError, OSError) as error:
        logger.warning("operation_not_sent", extra={"task": task, "error": type(error).__name__})
