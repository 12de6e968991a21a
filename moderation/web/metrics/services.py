"""Whom we ask: what services answered and cost, their breakers, what waits for them, and the
streams that posts come in by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from moderation import queries
from moderation.bridge.status import ReaderStatus, readers
from moderation.coordination.breaker import BreakerState, BreakerStatus
from moderation.queries.providers import AllTime, Backlog
from moderation.services.breakers import breaker_states
from moderation.web.metrics.exposition import Family, Sample, counter, gauge


def families() -> Iterator[Family]:
    totals = queries.provider_totals()
    yield from _of_totals(totals)
    yield _of_breakers(breaker_states(sorted(totals)))
    yield from _of_backlogs(queries.backlogs())
    yield from _of_streams(readers())


def _of_totals(totals: Mapping[str, AllTime]) -> Iterator[Family]:
    for name, meaning in (
        ("calls", "Calls to a service."),
        ("failures", "Calls that failed."),
        ("parts", "Parts of posts that a service was asked about."),
        ("cached", "Parts that were answered without a call."),
        ("cost_micros", "What calls cost, in millionths of a US dollar."),
    ):
        values = {who: getattr(one, name) for who, one in totals.items()}
        yield counter(f"gatehouse_provider_{name}_total", meaning, "provider", values)
    took = [
        sample
        for who, one in totals.items()
        for sample in (
            Sample(one.latency_ms / 1000, {"provider": who}, "_sum"),
            Sample(one.calls, {"provider": who}, "_count"),
        )
    ]
    yield Family("gatehouse_provider_call_seconds", "summary", "How long calls took.", took)


def _of_breakers(breakers: Mapping[str, BreakerStatus]) -> Family:
    samples = [
        Sample(int((status.held or status.state) is state), {"provider": who, "state": str(state)})
        for who, status in breakers.items()
        for state in BreakerState
    ]
    meaning = "1 for the state that a service's breaker is in."
    return Family("gatehouse_provider_breaker_state", "gauge", meaning, samples)


def _of_backlogs(backlogs: Mapping[str, Backlog]) -> Iterator[Family]:
    for name, meaning in (
        ("jobs", "Parts that a service is to answer later."),
        ("reevaluations", "Posts that are asked about again when a service has recovered."),
    ):
        values = {who: getattr(one, name) for who, one in backlogs.items()}
        yield gauge(f"gatehouse_provider_{name}_waiting", meaning, "provider", values)


def _of_streams(found: Sequence[ReaderStatus]) -> Iterator[Family]:
    yield Family(
        "gatehouse_stream_lag",
        "gauge",
        "Messages of a topic that wait to be read.",
        [Sample(one.lag, _reader(one)) for one in found if one.lag is not None],
    )
    for name, meaning in (
        ("accepted", "Messages that became posts."),
        ("repeated", "Messages that were known already."),
        ("refused", "Messages that cannot become posts."),
        ("failures", "Rounds in which the stream or the database was away."),
    ):
        samples = [Sample(getattr(one, name), _reader(one)) for one in found]
        yield Family(f"gatehouse_stream_{name}_total", "counter", meaning, samples)


def _reader(one: ReaderStatus) -> dict[str, str]:
    return {"service": one.service, "topic": one.topic, "reader": one.reader}
