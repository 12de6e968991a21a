"""Who is at work: processes by role, workers of each lane, and what people have paused."""

from __future__ import annotations

from collections.abc import Iterator

from moderation import queries
from moderation.vocabulary import Lane, ProcessRole
from moderation.web.metrics.exposition import Family, gauge, single


def families() -> Iterator[Family]:
    found = queries.processes()
    alive = [one for one in found if one.is_alive]
    yield gauge(
        "gatehouse_processes",
        "Processes whose last heartbeat is fresh.",
        "role",
        {role: sum(one.row.role == role for one in alive) for role in ProcessRole},
    )
    yield gauge(
        "gatehouse_processes_silent",
        "Processes that told nothing for a while and did not end in order, within a day.",
        "role",
        {
            role: sum(one.row.role == role for one in found if not one.is_alive)
            for role in ProcessRole
        },
    )
    workers, paused = queries.workers_by_lane(found), queries.paused_lanes()
    yield gauge("gatehouse_lane_workers", "Live workers that claim from a lane.", "lane", workers)
    yield gauge(
        "gatehouse_lane_paused",
        "1 for a lane that a person paused.",
        "lane",
        {lane: int(lane in paused) for lane in Lane},
    )
    yield single(
        "gatehouse_overdue_seconds",
        "How long the oldest row that anyone may claim has been due, paused and old posts apart.",
        queries.overdue_seconds(),
    )
