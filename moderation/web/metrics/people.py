"""What people do: moderators' queue and decisions, authors' appeals, readers' reports, sockets."""

from __future__ import annotations

from collections.abc import Iterator

from moderation import queries
from moderation.coordination.open_sockets import count_sockets
from moderation.queries.totals import DECIDED, HAPPENED
from moderation.vocabulary import Action, AppealState
from moderation.web.metrics.exposition import Family, counter, gauge, single


def families() -> Iterator[Family]:
    totals, waits = queries.running_totals(), queries.what_waits()
    decided, happened = totals.numbers.get(DECIDED, {}), totals.numbers.get(HAPPENED, {})
    yield counter(
        "gatehouse_decisions_total",
        "What moderators decided.",
        "action",
        {action: decided.get(action, 0) for action in Action},
    )
    yield gauge(
        "gatehouse_reviews_waiting",
        "Items that wait for a moderator, counted up to 5,000 a lane.",
        "lane",
        {lane: one.number for lane, one in waits.reviews.items()},
    )
    yield gauge(
        "gatehouse_reviews_oldest_seconds",
        "How long the oldest item in a lane has waited for a moderator.",
        "lane",
        {lane: one.oldest_seconds for lane, one in waits.reviews.items()},
    )
    yield single(
        "gatehouse_reviews_overdue",
        "Items that should have been decided by now, counted up to 5,000.",
        waits.reviews_overdue,
    )
    yield single(
        "gatehouse_appeals_waiting",
        "Appeals without an answer, counted up to 5,000.",
        waits.appeals.number,
    )
    yield single(
        "gatehouse_appeals_oldest_seconds",
        "How long the oldest appeal has waited for its answer.",
        waits.appeals.oldest_seconds,
    )
    yield single(
        "gatehouse_appeals_overdue",
        "Appeals that should have been answered by now, counted up to 5,000.",
        waits.appeals_overdue,
    )
    yield counter(
        "gatehouse_appeals_closed_total",
        "Appeals that ended, by how.",
        "state",
        {
            state: happened.get(f"appeal.{state}", 0)
            for state in AppealState
            if state is not AppealState.OPEN
        },
    )
    yield single(
        "gatehouse_reports_waiting", "Readers' reports that nobody has answered.", waits.reports
    )
    yield single(
        "gatehouse_websocket_connections", "Open websockets, over all processes.", count_sockets()
    )
