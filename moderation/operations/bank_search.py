"""Looks for what is banked among a community's old posts, turn by turn, as a rescan does.

Each batch is looked through outside any transaction; its items and the place after it are then
written in one, under the lock of the operation's row.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from celery import states
from django.contrib.auth.models import User
from django.db import transaction
from django_celery_results.models import TaskResult

from moderation.delivery import websocket
from moderation.errors import NotAllowed
from moderation.models import Community, HashBank
from moderation.operations import ledger, progress
from moderation.operations.progress import Progress
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.rejudging.known_again import Walk, look_through, put_before_people
from moderation.providers.bank_rows import stock_of
from moderation.providers.shared.bank import Stock
from moderation.vocabulary import ActorKind

BATCH: Final = 500
TURN_SECONDS: Final = 5.0
# What is posted in the seconds in which every process learns of the bank is looked at twice.
_SLACK: Final = timedelta(seconds=30)
# A list of a million entries is named by its bank alone.
_MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class _Work:
    id: str
    community: Community
    stock: Stock
    actor: Actor
    before: datetime


def search_past(*, bank: HashBank, entries: Collection[int], user: User) -> list[str]:
    """Ask for a search for some entries of a bank, for all of them with none; return the ids.

    One operation for each community in which the bank applies and which the user moderates.
    Raises `Conflict` while the same is at work, `NotAllowed`.
    """
    communities = _communities(bank, user)
    if not communities:
        raise NotAllowed()
    named = sorted(entries) if len(entries) <= _MOST_NAMED else []
    return [
        ledger.start_operation(
            task=ledger.BANK_SEARCH_TASK,
            community=community,
            user=user,
            facts={"bank": bank.pk, "entries": named},
        )
        for community in communities
    ]


def _communities(bank: HashBank, user: User) -> list[Community]:
    if bank.community is not None:
        return [bank.community]
    return list(Community.objects.order_by("pk")) if user.is_superuser else []


def run_turn(operation_id: str, turn: int | None = None) -> None:
    """Go on with a search; a stale or doubled `turn` does nothing. None stands for the next one."""
    work = _work(operation_id)
    mine = _begin_turn(work, turn)
    if mine is None:
        return
    ends_at = time.monotonic() + TURN_SECONDS
    while time.monotonic() < ends_at:
        if not _take_step(work, mine):
            return
    ledger.ring_for_next(operation_id, turn=mine, in_seconds=0, task=ledger.BANK_SEARCH_TASK)


def _work(operation_id: str) -> _Work:
    event = ledger.started(operation_id)
    assert event.community_id is not None
    return _Work(
        id=operation_id,
        community=Community.objects.get(pk=event.community_id),
        stock=stock_of(event.facts["bank"], event.facts["entries"]),
        actor=Actor(ActorKind(event.actor_kind), event.actor_id),
        before=event.happened_at + _SLACK,
    )


def _begin_turn(work: _Work, turn: int | None) -> int | None:
    with transaction.atomic():
        row = progress.lock(work.id, ledger.BANK_SEARCH_TASK)
        so_far = progress.read(row)
        if turn not in (None, so_far.turn):
            return None
        progress.write(row, replace(so_far, turn=so_far.turn + 1), status=row.status)
    return so_far.turn + 1


def _take_step(work: _Work, turn: int) -> bool:
    """Look through the next posts and note it; return whether there is more to do."""
    after = progress.read(progress.find(work.id)).after
    walk = look_through(
        work.stock, community_id=work.community.pk, after=after, before=work.before, limit=BATCH
    )
    with transaction.atomic():
        row = progress.lock(work.id, ledger.BANK_SEARCH_TASK)
        so_far = progress.read(row)
        if so_far.turn != turn or so_far.after != after or not ledger.is_at_work(work.id):
            return False
        hints = put_before_people(
            walk.found, community=work.community, operation=work.id, actor=work.actor
        )
        _note(row, so_far, walk, len(hints))
    websocket.push(hints)
    return not walk.is_end


def _note(row: TaskResult, so_far: Progress, walk: Walk, queued: int) -> None:
    done = so_far.done + walk.number
    now = replace(
        so_far,
        done=done,
        total=done if walk.is_end else 0,
        sent=so_far.sent + queued,
        after=walk.place,
    )
    if not walk.is_end:
        progress.write(row, now)
        return
    progress.write(row, now, status=states.SUCCESS)
    ledger.finish(row.task_id, {"done": now.done, "total": now.total, "queued": now.sent})
