"""Has posts looked at again as often as their communities' policies say."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from moderation import queries
from moderation.errors import Conflict
from moderation.models import Community
from moderation.operations import ledger
from moderation.pipeline.rejudging.rescan import Selection, unseen_posts
from moderation.policy.document import RescanRhythm

logger = logging.getLogger(__name__)

# Of one community in an hour; whoever has more that is due gets to it in the hours after.
MOST_AN_HOUR: Final = 5_000


def start_scheduled_rescans() -> list[str]:
    """Start a rescan in every community whose policy asks for one; return the operations' ids.

    What waits longest for another look comes first. A community whose last one is still at work,
    or was paused by a person, starts none.
    """
    now = queries.database_now()
    started = []
    for community in Community.objects.order_by("pk"):
        rhythm = queries.policy_of(community.policy_id).rescan
        operation = _start(community, rhythm, now) if rhythm else None
        if operation:
            started.append(operation)
    return started


def due_posts(community_id: int, rhythm: RescanRhythm, now: datetime) -> Selection:
    """Return what is due: readers see it, it is young enough, nobody looked at it for long."""
    return Selection(
        community_id=community_id,
        since=now - timedelta(days=rhythm.younger_than_days),
        until=now,
        judged_before=now - timedelta(days=rhythm.every_days),
    )


def _start(community: Community, rhythm: RescanRhythm, now: datetime) -> str | None:
    selection = due_posts(community.pk, rhythm, now)
    assert selection.judged_before is not None
    if not unseen_posts(selection, selection.judged_before).exists():
        return None
    try:
        return ledger.start_operation(
            task=ledger.RESCAN_TASK,
            community=community,
            user=None,
            facts={
                **selection.to_facts(),
                "every_days": rhythm.every_days,
                "policy": community.policy_id,
                "most": MOST_AN_HOUR,
            },
        )
    except Conflict:
        logger.info("scheduled_rescan_still_open", extra={"community": community.pk})
        return None
