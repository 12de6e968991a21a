"""Looks at a community's old posts again, turn by turn, until done, paused or cancelled.

A turn is one task: it sends batches for as long as the valve lets it, rings for the next turn and
ends, so that no worker is held by waiting. Each batch is sent and the place after it noted in one
transaction, under the lock of the operation's row: whoever is killed, or comes twice, leaves
nothing out and sends nothing twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from celery import states
from django.contrib.auth.models import User
from django.db import transaction

from moderation import queries
from moderation.delivery import doorbell
from moderation.errors import InvalidSubmission
from moderation.models import AuditEvent, Community
from moderation.operations import ledger, progress, valve
from moderation.operations.progress import Progress
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.rejudging.rescan import (
    Selection,
    matching_posts,
    next_posts,
    rescan_posts,
    tally,
    unseen_posts,
)
from moderation.policy.document import Policy
from moderation.vocabulary import ActorKind, Lane

# Authors who edit a post of the batch wait for its transaction: this many take milliseconds.
BATCH = 200
# A turn ends after this time, so that a worker can be stopped.
TURN_SECONDS = 5.0
# A full lane has room again, and live posts are through, after about this time.
PAUSE_SECONDS = 2.0


class _Step(Enum):
    """What becomes of a turn after a step."""

    GO_ON = "go on"
    WAIT = "wait"
    END = "end"


@dataclass(frozen=True, slots=True)
class _Work:
    """An operation as its turns need it; `most`, where it is given, ends it after so many posts."""

    id: str
    selection: Selection
    policy: Policy
    actor: Actor
    asked_at: datetime
    most: int | None


def start_rescan(*, selection: Selection, user: User) -> str:
    """Ask for another look at the posts of a selection; return the operation's id.

    Raises `InvalidSubmission`, `NotAllowed`, and `Conflict` while the same is at work already.
    """
    if selection.since >= selection.until:
        raise InvalidSubmission("The first day must come before the last.")
    return ledger.start_operation(
        task=ledger.RESCAN_TASK,
        community=Community.objects.get(pk=selection.community_id),
        user=user,
        facts=selection.to_facts(),
    )


def run_turn(operation_id: str, turn: int | None = None) -> None:
    """Go on with a rescan; a stale or doubled `turn` does nothing. None stands for the next one."""
    work = _work(ledger.started(operation_id))
    mine = _begin_turn(work, turn)
    if mine is None:
        return
    ends_at = time.monotonic() + TURN_SECONDS
    step = _Step.GO_ON
    while step is _Step.GO_ON and time.monotonic() < ends_at:
        step = _take_step(work, mine)
    if step is not _Step.END:
        wait_seconds = PAUSE_SECONDS if step is _Step.WAIT else 0
        ledger.ring_for_next(operation_id, turn=mine, in_seconds=wait_seconds)


def _work(event: AuditEvent) -> _Work:
    assert event.community_id is not None
    community = Community.objects.get(pk=event.community_id)
    return _Work(
        id=event.subject_id,
        selection=Selection.from_facts(community.pk, event.facts),
        policy=queries.policy_of(community.policy_id),
        actor=Actor(ActorKind(event.actor_kind), event.actor_id),
        asked_at=event.happened_at,
        most=event.facts.get("most"),
    )


def _begin_turn(work: _Work, turn: int | None) -> int | None:
    """Take the turn and return its number, None for a message whose turn has been."""
    with transaction.atomic():
        row = progress.lock(work.id, ledger.RESCAN_TASK)
        so_far = progress.read(row)
        if turn not in (None, so_far.turn):
            return None
        mine = so_far.turn + 1
        progress.write(row, replace(so_far, turn=mine), status=row.status)
    if not so_far.total:
        _note_total(work)
    return mine


def _note_total(work: _Work) -> None:
    total = _count(work)
    with transaction.atomic():
        row = progress.lock(work.id, ledger.RESCAN_TASK)
        progress.write(row, replace(progress.read(row), total=total), status=row.status)


def _count(work: _Work) -> int:
    before = work.selection.judged_before
    if before is not None:
        return unseen_posts(work.selection, before)[: work.most].count()
    return tally(work.selection, now=queries.database_now()).number


def _take_step(work: _Work, turn: int) -> _Step:
    waits_for = valve.hindrance(work.policy)
    limit = 0 if waits_for else valve.room(work.policy, most=BATCH)
    with transaction.atomic():
        row = progress.lock(work.id, ledger.RESCAN_TASK)
        so_far = progress.read(row)
        if so_far.turn != turn or not ledger.is_at_work(work.id):
            return _Step.END
        if limit <= 0:
            progress.write(row, replace(so_far, waits_for=waits_for))
            return _Step.WAIT
        left = limit if work.most is None else min(limit, work.most - so_far.done)
        now, is_end = _send_next(work, so_far, left)
        if is_end or now.done == work.most:
            progress.write(row, replace(now, total=now.done), status=states.SUCCESS)
            ledger.finish(work.id, replace(now, total=now.done).to_facts())
            return _Step.END
        progress.write(row, now)
    if now.sent > so_far.sent:
        # What was rung for before the commit may have been looked for in vain.
        doorbell.ring({Lane.RESCAN})
    return _Step.GO_ON if limit == BATCH else _Step.WAIT


def _send_next(work: _Work, so_far: Progress, limit: int) -> tuple[Progress, bool]:
    """Send what fits of the next posts; return how far it is then, and whether that is the end."""
    walk = next_posts(work.selection, after=so_far.after, limit=limit)
    sent = rescan_posts(
        matching_posts(work.selection, walk.posts),
        asked_at=work.asked_at,
        operation=work.id,
        actor=work.actor,
    )
    done = so_far.done + len(walk.posts)
    now = replace(
        so_far,
        done=done,
        total=max(so_far.total, done),
        sent=so_far.sent + sent,
        after=walk.place,
        waits_for="",
    )
    return now, walk.is_end
