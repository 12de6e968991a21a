"""A post's way: what was accepted and concluded, how soon, and what waits in each lane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from moderation import queries
from moderation.queries.totals import ACCEPTED, BOUNDS, JUDGED, Spread
from moderation.vocabulary import Action, Reason
from moderation.web.metrics.exposition import Family, Sample, counter, gauge


def families() -> Iterator[Family]:
    totals, waits = queries.running_totals(), queries.what_waits()
    accepted, judged = totals.numbers.get(ACCEPTED, {}), totals.numbers.get(JUDGED, {})
    yield counter(
        "gatehouse_submissions_accepted_total",
        "Posts, edits and second looks that were accepted for screening.",
        "reason",
        {reason: accepted.get(reason, 0) for reason in Reason},
    )
    yield counter(
        "gatehouse_verdicts_total",
        "What the policy concluded.",
        "action",
        {action: judged.get(action, 0) for action in Action},
    )
    yield _time_to_verdict(totals.time_to_verdict)
    yield gauge(
        "gatehouse_lane_waiting",
        "Posts that wait in a lane for their verdict, counted up to 5,000.",
        "lane",
        {lane: one.number for lane, one in waits.lanes.items()},
    )
    yield gauge(
        "gatehouse_lane_oldest_seconds",
        "How long the oldest post in a lane has waited for its verdict.",
        "lane",
        {lane: one.oldest_seconds for lane, one in waits.lanes.items()},
    )
    yield gauge(
        "gatehouse_lane_parked",
        "Posts in a lane that wait for a slow service, counted up to 5,000.",
        "lane",
        waits.parked,
    )


def _time_to_verdict(found: Mapping[str, Spread]) -> Family:
    samples: list[Sample] = []
    for lane, spread in found.items():
        seen = 0
        for bound in [*map(str, BOUNDS), "+Inf"]:
            seen += spread.buckets.get(bound, 0)
            samples.append(Sample(seen, {"lane": lane, "le": bound}, "_bucket"))
        samples.append(Sample(spread.seconds, {"lane": lane}, "_sum"))
        samples.append(Sample(seen, {"lane": lane}, "_count"))
    meaning = "Time from accepting what a person wrote to its verdict."
    return Family("gatehouse_time_to_verdict_seconds", "histogram", meaning, samples)
