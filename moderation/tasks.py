"""Celery entry points: each translates a message into one pipeline call."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from moderation.delivery import doorbell
from moderation.operations import bank_search, export, ledger, progress, replay, rescan, schedule
from moderation.operations import tidy as tidying
from moderation.pipeline import dispatch, notify
from moderation.pipeline.audit import checkpoint
from moderation.quality import draw
from moderation.transparency import export as register_export
from moderation.vocabulary import Lane


@shared_task(name=doorbell.LOOK_TASK)
def look(*, lane: str, **_: Any) -> None:
    """Someone rang for a lane. Unknown keywords are tolerated: an older web server may ring."""
    doorbell.answer(Lane(lane))
    if lane == Lane.DELIVER:
        notify.drain()
    else:
        dispatch.drain(Lane(lane))


@shared_task(name="moderation.tidy")
def tidy(**_: Any) -> None:
    """The scheduler asks for it every hour."""
    tidying.tidy()


@shared_task(name="moderation.sign_checkpoint")
def sign_checkpoint(**_: Any) -> None:
    """The scheduler asks for it every hour."""
    checkpoint.sign_checkpoint()


@shared_task(name="moderation.file_statements")
def file_statements(**_: Any) -> None:
    """The scheduler asks for it every minute; without a register it does nothing."""
    register_export.file_statements()


@shared_task(name="moderation.draw_checks")
def draw_checks(**_: Any) -> None:
    """The scheduler asks for it every two minutes."""
    draw.draw_checks()


@shared_task(name="moderation.start_scheduled_rescans")
def start_scheduled_rescans(**_: Any) -> None:
    """The scheduler asks for it every hour."""
    schedule.start_scheduled_rescans()


@shared_task(name="moderation.ring_for_silent_operations")
def ring_for_silent_operations(**_: Any) -> None:
    """The scheduler asks for it every minute: a rescan outlives the workers it had."""
    ledger.ring_for_silent_ones()


@shared_task(name=ledger.RESCAN_TASK)
def rescan_community(*, operation: str, turn: int | None = None, **_: Any) -> None:
    """Look at a community's old posts again, for one turn; the operation keeps its own row."""
    rescan.run_turn(operation, turn)


@shared_task(name=ledger.REPLAY_TASK)
def replay_verdicts(*, operation: str, turn: int | None = None, **_: Any) -> None:
    """Judge a community's stored verdicts by a draft, for one turn."""
    replay.run_turn(operation, turn)


@shared_task(name=ledger.BANK_SEARCH_TASK)
def search_banked(*, operation: str, turn: int | None = None, **_: Any) -> None:
    """Look for what is banked among old posts, for one turn."""
    bank_search.run_turn(operation, turn)


# What is watched to its end: recorded, bounded by its batches and by a long limit only.
_WATCHED: dict[str, Any] = {
    "bind": True,
    "ignore_result": False,
    "track_started": True,
    "soft_time_limit": 6 * 3600,
    "time_limit": 6 * 3600 + 60,
}


@shared_task(name=ledger.EXPORT_TASK, **_WATCHED)
def export_decisions(self: Task[Any, Any], *, operation: str, **_: Any) -> dict[str, int | bool]:
    """Write a community's decisions as CSV."""
    return export.run_export(operation, _reporter(self))


def _reporter(task: Task[Any, Any]) -> progress.Report:
    def report(done: int, total: int) -> None:
        task.update_state(state=progress.RUNNING, meta={"done": done, "total": total})

    return report
