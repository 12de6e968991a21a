"""2 · Claim due submissions and take them through screen, judge and enforce, batch by batch.

The bell only says that a lane may hold something. `sweep` rings again for whatever is due, so
that losing the broker costs seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial

from django.db import DatabaseError

from moderation import queries, tracing
from moderation.conf import get_conf
from moderation.delivery import doorbell, websocket
from moderation.pipeline.appeals.opinion import keep_opinions
from moderation.pipeline.enforcement.enforce import enforce
from moderation.pipeline.judging.inbox import sweep_inbox
from moderation.pipeline.judging.judge import judge
from moderation.pipeline.judging.lease import Claim, claim, claim_one_again, due, release, renewing
from moderation.pipeline.judging.park import park
from moderation.pipeline.judging.screen import Screened, screen, unscreened
from moderation.pipeline.media import prepare_attachments
from moderation.pipeline.rejudging import flood
from moderation.queries.traces import traces_of
from moderation.vocabulary import Lane

logger = logging.getLogger(__name__)

RETRY_SEARCH_SECONDS = 1.0
# Of a batch that failed: enough to find it, and no page of ids.
MOST_NAMED = 10

SCREENING_LANES = (Lane.SCREEN_HIGH, Lane.SCREEN, Lane.SCREEN_LOW, Lane.MEDIA, Lane.RESCAN)


def drain(lane: Lane) -> int:
    """Decide what is due in a lane until nothing is, or the time for one turn is over.

    A lane that a person paused is left alone, and a batch that is held is finished. Returns the
    number of verdicts that became effective.
    """
    conf = get_conf()
    limit = conf.media_batch_size if lane is Lane.MEDIA else conf.batch_size
    ends_at = time.monotonic() + conf.drain_seconds
    search_at = 0.0
    decided = 0
    while time.monotonic() < ends_at:
        if queries.is_stopped(lane):
            return decided
        fresh = claim(lane, limit)
        decided += _decide(fresh)
        # Rows that were tried before are rare: while a lane is busy, one search a second will do.
        again = []
        if not fresh or time.monotonic() >= search_at:
            again = claim_one_again(lane)
            search_at = time.monotonic() + (0 if again else RETRY_SEARCH_SECONDS)
        decided += _decide(again)
        if not fresh and not again:
            return decided
    doorbell.ring({lane})
    return decided


def sweep() -> set[Lane]:
    """Ring for every lane that holds something claimable; return those lanes."""
    sweep_inbox()
    paused = queries.paused_lanes()
    open_lanes = [lane for lane in SCREENING_LANES if lane not in paused]
    waiting = {lane for lane in open_lanes if due().filter(lane=lane).exists()}
    doorbell.ring_now(waiting)
    return waiting


def _decide(claims: Sequence[Claim]) -> int:
    if not claims:
        return 0
    with tracing.batch("decide", partial(_traces_of, claims), size=len(claims)):
        if tracing.is_on():
            _tell_of(claims)
        return _decide_held(claims)


def _decide_held(claims: Sequence[Claim]) -> int:
    try:
        with renewing(claims):
            screened = _screen(claims)
            judged = judge([item for item in screened if not item.waiting])
            park([item for item in screened if item.waiting])
        with tracing.span("enforce"):
            hints = enforce([item for item in judged if not item.is_for_appeal])
        hints += keep_opinions([item for item in judged if item.is_for_appeal])
    except Exception as error:
        # Nothing was decided: the rows go back, wait a little, and in the end reach a person.
        posts = [str(item.submission.post_id) for item in claims[:MOST_NAMED]]
        logger.exception("batch_failed", extra={"size": len(claims), "posts": posts})
        tracing.tell_all(failed=type(error).__name__)
        release(claims, error=type(error).__name__)
        return 0
    websocket.push(hints)
    flood.watch(judged)
    return len(hints)


def _screen(claims: Sequence[Claim]) -> list[Screened]:
    live = [item for item in claims if not item.gave_up]
    prepare_attachments([item.post for item in live])
    with tracing.span("screen"):
        screened = screen(live)
    return screened + unscreened([item for item in claims if item.gave_up])


def _traces_of(claims: Sequence[Claim]) -> list[tracing.Member]:
    try:
        return traces_of([item.submission for item in claims])
    except DatabaseError as error:
        # Nobody's post fails for this.
        logger.warning("traces_not_read", extra={"error": type(error).__name__})
        return []


def _tell_of(claims: Sequence[Claim]) -> None:
    for item in claims:
        submission, post = item.submission, str(item.post.pk)
        tracing.tell(
            about=(post,),
            post=post,
            revision=submission.revision,
            submission=submission.pk,
            community=item.post.community_id,
            reason=submission.reason,
            lane=submission.lane,
            attempt=submission.attempts,
        )
        since = max(submission.created_at, submission.due_at)
        tracing.waited("wait for a worker", since, about=post, lane=submission.lane)
