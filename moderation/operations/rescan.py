"""Looks at a community's old posts again, batch by batch, until done or cancelled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User

from moderation.errors import InvalidSubmission
from moderation.models import Community
from moderation.operations import ledger
from moderation.pipeline.record import Actor
from moderation.pipeline.rescan import Selection, next_posts, rescan_posts, selected_posts
from moderation.vocabulary import ActorKind

# Takes how many steps are done, and how many there are.
Report = Callable[[int, int], None]

# Authors who edit a post of the batch wait for its transaction: this many take milliseconds.
BATCH = 200


def start_rescan(*, community: Community, since: datetime, until: datetime, user: User) -> str:
    """Ask for a look at the posts from `since` up to, not including, `until`; return its id."""
    if since >= until:
        raise InvalidSubmission("The first day must come before the last.")
    return ledger.start_operation(
        task=ledger.RESCAN_TASK,
        community=community,
        user=user,
        facts={"since": since.isoformat(), "until": until.isoformat()},
    )


def run_rescan(operation_id: str, report: Report) -> dict[str, int | bool]:
    """Do it, or what is left of it; return how many posts were looked up and how many sent."""
    event = ledger.started(operation_id)
    assert event.community_id is not None
    selection = Selection(
        community_id=event.community_id,
        since=datetime.fromisoformat(event.facts["since"]),
        until=datetime.fromisoformat(event.facts["until"]),
        asked_at=event.happened_at,
    )
    actor = Actor(ActorKind.MODERATOR, event.actor_id)
    total, done, sent = selected_posts(selection).count(), 0, 0
    after: UUID | None = None
    report(done, total)
    while not ledger.is_cancelled(operation_id):
        batch = next_posts(selection, after=after, limit=BATCH)
        if not batch:
            return {"done": done, "total": total, "sent": sent}
        sent += rescan_posts(batch, selection=selection, operation=operation_id, actor=actor)
        done, after = done + len(batch), batch[-1]
        report(done, max(total, done))
    return {"done": done, "total": total, "sent": sent, "cancelled": True}
