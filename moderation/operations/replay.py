"""The time machine: judges a community's stored verdicts anew under a draft, asking nobody.

It goes turn by turn, as a rescan does. A batch is judged outside any transaction; its counts and
the place after it are then written in one, under the lock of the operation's row: whoever is
killed, or comes twice, leaves nothing out and counts nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from celery import states
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now
from django_celery_results.models import TaskResult

from moderation.errors import Conflict, InvalidSubmission
from moderation.models import PolicyDraft, Replay, ReplayFlip, VerdictRecord
from moderation.operations import ledger, progress
from moderation.operations.progress import Progress
from moderation.pipeline.rejudging.replay import (
    Kept,
    Rejudged,
    decided_by_people,
    kept_verdicts,
    rejudge,
)
from moderation.policy.comparison import Pair, Tally
from moderation.policy.document import Policy, parse_policy
from moderation.policy.route import is_in_share
from moderation.vocabulary import Action

# So many keys of verdicts at once: of a community that has the installation to itself, rows.
WINDOW: Final = 4_000
TURN_SECONDS: Final = 10.0
# What a person can page through. All are counted.
MOST_FLIPS: Final = 5_000
# Keys follow time, but for as long as a transaction may take.
_SLACK = timedelta(minutes=2)


def start_replay(
    *, draft: PolicyDraft, since: datetime, until: datetime, share: float, user: User
) -> Replay:
    """Ask for the verdicts from `since` up to, not including, `until` to be judged anew.

    A `share` (more than 0.0, up to 1.0) of them by a stable hash. Raises `InvalidSubmission`,
    `NotAllowed`, and `Conflict` while the same is at work.
    """
    if since >= until:
        raise InvalidSubmission("The first day must come before the last.")
    if not 0 < share <= 1:
        raise InvalidSubmission("The share must be more than 0 and at most 1.")
    parse_policy(draft.document)
    facts = {
        "draft": draft.pk,
        "version": draft.version,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "share": share,
    }
    operation = ledger.start_operation(
        task=ledger.REPLAY_TASK,
        community=draft.community,
        user=user,
        facts=facts,
        beside=lambda operation_id: _store(draft, since, until, share, user, operation_id),
    )
    return Replay.objects.get(operation=operation)


def _store(
    draft: PolicyDraft,
    since: datetime,
    until: datetime,
    share: float,
    user: User,
    operation_id: str,
) -> None:
    current = PolicyDraft.objects.filter(pk=draft.pk, version=draft.version)
    if not current.exists():
        raise Conflict("The draft was changed meanwhile: look at it again.")
    Replay.objects.create(
        community_id=draft.community_id,
        draft=draft,
        draft_version=draft.version,
        operation=operation_id,
        document=draft.document,
        since=since,
        until=until,
        share=share,
        started_by=user,
    )


def run_turn(operation_id: str, turn: int | None = None) -> None:
    """Go on with a replay; a stale or doubled `turn` does nothing. None stands for the next one."""
    replay = Replay.objects.get(operation=operation_id)
    mine = _begin_turn(replay, turn)
    if mine is None:
        return
    policy = parse_policy(replay.document)
    ends_at = time.monotonic() + TURN_SECONDS
    while time.monotonic() < ends_at:
        if not _take_step(replay, policy, mine):
            return
    ledger.ring_for_next(operation_id, turn=mine, in_seconds=0, task=ledger.REPLAY_TASK)


def _begin_turn(replay: Replay, turn: int | None) -> int | None:
    """Take the turn and return its number, None for a message whose turn has been."""
    first, last = replay.first_verdict, replay.last_verdict
    if first is None or last is None:
        first, last = _bounds(replay.since, replay.until)
    with transaction.atomic():
        row = progress.lock(replay.operation, ledger.REPLAY_TASK)
        so_far = progress.read(row)
        if turn not in (None, so_far.turn):
            return None
        replay.refresh_from_db()
        if replay.first_verdict is None:
            replay.first_verdict, replay.last_verdict = first, last
            replay.at_verdict = first - 1
            replay.save(update_fields=["first_verdict", "last_verdict", "at_verdict"])
        mine = so_far.turn + 1
        total = (replay.last_verdict or 0) - replay.first_verdict + 1
        progress.write(row, replace(so_far, turn=mine, total=max(total, 0)), status=row.status)
    return mine


def _bounds(since: datetime, until: datetime) -> tuple[int, int]:
    """Return the keys between which the verdicts of a time lie; the last may come before."""
    newest = VerdictRecord.objects.aggregate(last=Max("pk"))["last"] or 0
    first = _first_since(since - _SLACK, newest)
    # What was there before it may have been taken away since.
    rows = VerdictRecord.objects.filter(pk__gte=first).order_by("pk")
    first = rows.values_list("pk", flat=True).first() or first
    return first, _first_since(until + _SLACK, newest) - 1


def _first_since(moment: datetime, newest: int) -> int:
    """Return the first key from which on verdicts are of `moment` or later, by halving."""
    low, high = 1, newest + 1
    while low < high:
        middle = (low + high) // 2
        rows = VerdictRecord.objects.filter(pk__gte=middle).order_by("pk")
        row = rows.values_list("pk", "judged_at").first()
        if row is None or row[1] >= moment:
            high = middle
        else:
            low = row[0] + 1
    return low


def _take_step(replay: Replay, policy: Policy, turn: int) -> bool:
    """Judge a window of verdicts anew and note it; return whether there is more to do."""
    assert replay.at_verdict is not None
    assert replay.last_verdict is not None
    begins_after = replay.at_verdict
    ends_at = min(begins_after + WINDOW, replay.last_verdict)
    tally = Tally.from_json(replay.summary)
    kept = [
        one
        for one in kept_verdicts(
            replay.community_id,
            after=begins_after,
            up_to=ends_at,
            since=replay.since,
            until=replay.until,
        )
        if replay.share >= 1 or is_in_share(f"replay:{one.submission_id}", replay.share)
    ]
    flips = _count(replay, rejudge(kept, policy), decided_by_people(kept), tally)
    replay.at_verdict, replay.summary = max(ends_at, begins_after), tally.to_json()
    is_end = ends_at >= replay.last_verdict
    with transaction.atomic():
        row = progress.lock(replay.operation, ledger.REPLAY_TASK)
        so_far = progress.read(row)
        if so_far.turn != turn or not ledger.is_at_work(replay.operation):
            return False
        ReplayFlip.objects.bulk_create(flips)
        Replay.objects.filter(pk=replay.pk).update(
            at_verdict=replay.at_verdict,
            summary=replay.summary,
            finished_at=Now() if is_end else None,
        )
        _note(row_progress=so_far, replay=replay, row=row, is_end=is_end)
    return not is_end


def _note(*, row_progress: Progress, replay: Replay, row: TaskResult, is_end: bool) -> None:
    assert replay.at_verdict is not None
    assert replay.first_verdict is not None
    done = replay.at_verdict - replay.first_verdict + 1
    now = replace(row_progress, done=max(done, 0))
    if not is_end:
        progress.write(row, now)
        return
    now = replace(now, total=now.done)
    progress.write(row, now, status=states.SUCCESS)
    tally = Tally.from_json(replay.summary)
    counts = {"looked_at": tally.looked_at, "judged": tally.judged, "flips": tally.flips}
    ledger.finish(replay.operation, {"done": now.done, "total": now.total, **counts})


def _count(
    replay: Replay,
    rejudged: Iterable[tuple[Kept, Rejudged]],
    people: Mapping[tuple[UUID, int], str],
    tally: Tally,
) -> list[ReplayFlip]:
    """Add a batch to the counts; return the posts that flip, as far as these are kept."""
    flips: list[ReplayFlip] = []
    room = MOST_FLIPS - tally.flips
    for one, found in rejudged:
        verdict = found.verdict
        if verdict is None:
            tally.add_unjudged(found.missing)
            continue
        person = people.get((one.post_id, one.revision))
        was = Action(one.action)
        tally.add(
            Pair(
                day=one.judged_at.date().isoformat(),
                was=was,
                now=verdict.action,
                was_category=one.category,
                now_category=verdict.category,
                person=Action(person) if person else None,
            )
        )
        if verdict.action is not was and len(flips) < room:
            flips.append(
                ReplayFlip(
                    replay=replay,
                    post_id=one.post_id,
                    revision=one.revision,
                    was=was,
                    was_rule=one.rule,
                    now=verdict.action,
                    now_rule=verdict.rule,
                    category=verdict.category or one.category,
                    score=verdict.score,
                    threshold=verdict.threshold,
                    provider=verdict.provider,
                    person=person or "",
                    judged_at=one.judged_at,
                )
            )
    return flips
