"""How far an operation is: django-celery-results' row of the same id.

Exports leave it to Celery. A rescan is many tasks, so it keeps its row itself; the row's lock is
what its steps and the people who pause or stop it take turns by. Losing the row loses no work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, Final

from celery import states
from django.utils import timezone
from django_celery_results.models import TaskResult

# Takes how many steps are done, and how many there are.
Report = Callable[[int, int], None]

RUNNING: Final = "PROGRESS"
PAUSED: Final = "PAUSED"
# Work reports far more often than this: silence means that its worker or its message was lost.
SILENT_SECONDS = 60
_MOST_SILENT = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` posts walked through, `sent` of them sent; it goes on at `after`.

    `turn` counts the tasks that worked on it: a message for another turn than the next is stale.
    `waits_for` says why nothing is sent now, "" while it goes on.
    """

    done: int = 0
    total: int = 0
    sent: int = 0
    after: str = ""
    turn: int = 0
    waits_for: str = ""

    def to_facts(self) -> dict[str, int]:
        return {"done": self.done, "total": self.total, "sent": self.sent}


def begin(operation_id: str, task: str) -> None:
    """Write the row before any message is sent, so that a lost message is seen."""
    TaskResult.objects.create(
        task_id=operation_id,
        task_name=task,
        status=states.PENDING,
        content_type="application/json",
        content_encoding="utf-8",
        result=json.dumps({"done": 0, "total": 0}),
    )


def lock(operation_id: str, task: str) -> TaskResult:
    """Return the row, locked until the transaction ends; one that was tidied away begins anew."""
    row, _ = TaskResult.objects.select_for_update().get_or_create(
        task_id=operation_id,
        defaults={
            "task_name": task,
            "status": states.PENDING,
            "content_type": "application/json",
            "content_encoding": "utf-8",
        },
    )
    return row


def find(operation_id: str) -> TaskResult | None:
    return TaskResult.objects.filter(task_id=operation_id).first()


def read(row: TaskResult | None) -> Progress:
    said = said_by(row)
    return Progress(**{one.name: said[one.name] for one in fields(Progress) if one.name in said})


def said_by(row: TaskResult | None) -> dict[str, Any]:
    """Return what a task last reported or returned; a failed one reports its exception."""
    said = json.loads(row.result) if row is not None and row.result else {}
    return said if isinstance(said, dict) else {}


def write(row: TaskResult, progress: Progress, *, status: str = RUNNING) -> None:
    """Keep it in a row that the caller has locked."""
    row.status, row.result = status, json.dumps(asdict(progress))
    row.save()


def is_silent(row: TaskResult | None) -> bool:
    if row is None:
        return True
    if row.status not in (states.PENDING, states.STARTED, RUNNING):
        return False
    return bool(row.date_done < timezone.now() - timedelta(seconds=SILENT_SECONDS))


def silent_rows(task: str) -> list[TaskResult]:
    """Return the rows of operations at work that nobody has written to for a while; not all."""
    rows = TaskResult.objects.filter(
        task_name=task,
        status__in=(states.PENDING, RUNNING),
        date_done__lt=timezone.now() - timedelta(seconds=SILENT_SECONDS),
    )
    return list(rows.order_by("-date_done")[:_MOST_SILENT])
