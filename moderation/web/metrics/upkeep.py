"""What keeps the rest going: deliveries, the register, the record's seals, brakes, the sweeper."""

from __future__ import annotations

from collections.abc import Iterator

from moderation import queries
from moderation.queries.totals import HAPPENED
from moderation.web.metrics.exposition import Family, counter, gauge, single


def families() -> Iterator[Family]:
    yield from _of_deliveries(queries.what_waits())
    yield from _of_the_record(queries.what_waits())
    yield counter(
        "gatehouse_events_total",
        "Steps in the record, by kind.",
        "kind",
        queries.running_totals().numbers.get(HAPPENED, {}),
    )
    yield counter(
        "gatehouse_retention_removed_total",
        "Rows that were taken away because they had been kept for their time.",
        "rule",
        queries.removed_by_retention(),
    )
    yield single(
        "gatehouse_sweeper_silent_seconds",
        "How long ago a sweeper last did its round.",
        queries.sweeper_silent_seconds(),
    )


def _of_deliveries(waits: queries.Standstill) -> Iterator[Family]:
    yield gauge(
        "gatehouse_deliveries_waiting",
        "Messages that are to be delivered, counted up to 5,000 a kind.",
        "kind",
        {kind: one.number for kind, one in waits.deliveries.items()},
    )
    yield gauge(
        "gatehouse_deliveries_oldest_seconds",
        "How long the oldest message has waited to be delivered.",
        "kind",
        {kind: one.oldest_seconds for kind, one in waits.deliveries.items()},
    )
    yield gauge(
        "gatehouse_endpoints_failing",
        "Endpoints that the last attempt did not reach.",
        "kind",
        waits.failing_endpoints,
    )
    yield gauge(
        "gatehouse_endpoints_disabled",
        "Endpoints that nothing goes to, by why.",
        "because",
        waits.disabled_endpoints,
    )
    yield single(
        "gatehouse_register_waiting",
        "Statements of reasons that are to be filed, counted up to 5,000.",
        waits.register.number,
    )
    yield single(
        "gatehouse_register_oldest_seconds",
        "How long the oldest statement of reasons has waited to be filed.",
        waits.register.oldest_seconds,
    )


def _of_the_record(waits: queries.Standstill) -> Iterator[Family]:
    yield single(
        "gatehouse_audit_unsealed",
        "Steps in the record after its last seal, counted up to 5,000.",
        waits.unsealed.number,
    )
    yield single(
        "gatehouse_audit_unsealed_oldest_seconds",
        "How long the oldest of them has waited for its seal.",
        waits.unsealed.oldest_seconds,
    )
    yield gauge(
        "gatehouse_brakes_pulled",
        "Rules and services that may only ask a person now.",
        "kind",
        waits.brakes,
    )
