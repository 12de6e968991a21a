"""Figures for Prometheus, read from the database and from what processes share: whichever process
answers, the figures are those of all.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from moderation import queries
from moderation.conf import get_conf
from moderation.coordination.breaker import BreakerState, BreakerStatus
from moderation.queries.providers import AllTime, Backlog
from moderation.services.breakers import breaker_states

# The text format of version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell how services are, to whoever brings the operator's token; without one it is not here."""
    token = get_conf().metrics_token
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Http404
    totals = queries.provider_totals()
    lines = [
        *_of_totals(totals),
        *_of_breakers(breaker_states(sorted(totals))),
        *_of_backlogs(queries.backlogs()),
    ]
    return HttpResponse(
        "".join(f"{line}\n" for line in lines),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def _of_totals(totals: Mapping[str, AllTime]) -> Iterator[str]:
    for name, meaning in (
        ("calls", "Calls to a service."),
        ("failures", "Calls that failed."),
        ("parts", "Parts of posts that a service was asked about."),
        ("cached", "Parts that were answered without a call."),
        ("cost_micros", "What calls cost, in millionths of a US dollar."),
    ):
        full = f"gatehouse_provider_{name}_total"
        yield from _head(full, "counter", meaning)
        yield from (_line(full, who, getattr(one, name)) for who, one in totals.items())
    full = "gatehouse_provider_call_seconds"
    yield from _head(full, "summary", "How long calls took.")
    for who, one in totals.items():
        yield _line(f"{full}_sum", who, one.latency_ms / 1000)
        yield _line(f"{full}_count", who, one.calls)


def _of_breakers(breakers: Mapping[str, BreakerStatus]) -> Iterator[str]:
    full = "gatehouse_provider_breaker_state"
    yield from _head(full, "gauge", "1 for the state that a service's breaker is in.")
    for who, status in breakers.items():
        now = status.held or status.state
        for state in BreakerState:
            yield _line(full, who, int(now is state), state=str(state))


def _of_backlogs(backlogs: Mapping[str, Backlog]) -> Iterator[str]:
    for name, meaning in (
        ("jobs", "Parts that a service is to answer later."),
        ("reevaluations", "Posts that are asked about again when a service has recovered."),
    ):
        full = f"gatehouse_provider_{name}_waiting"
        yield from _head(full, "gauge", meaning)
        yield from (_line(full, who, getattr(one, name)) for who, one in backlogs.items())


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, provider: str, value: float, **labels: str) -> str:
    # Names of accounts are slugs: nothing in them needs escaping.
    all_labels = {"provider": provider, **labels}
    told = ",".join(f'{label}="{text}"' for label, text in all_labels.items())
    return f"{name}{{{told}}} {value}"
