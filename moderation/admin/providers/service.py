"""One service: how it is doing, what came of trying it, its breaker."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from moderation import queries, services
from moderation.admin.providers import words
from moderation.admin.providers.pages import (
    account_of,
    doc_of,
    facts_of,
    is_budget_spent,
    is_ready,
    may,
    must,
    page,
)
from moderation.admin.scoped import own_communities
from moderation.admin.surroundings import staff
from moderation.admin.timeline import actor_names
from moderation.admin.words import step_label
from moderation.conf import get_conf
from moderation.coordination.breaker import BreakerState, BreakerStatus
from moderation.models import AuditEvent, Community, ProviderAccount
from moderation.providers.base import Facts

_STEPS_SHOWN: Final = 12
# Where an adapter has its address, by the names that settings go by.
_ADDRESSES: Final = ("base_url", "target", "address")


@dataclass(frozen=True, slots=True)
class Day:
    """A day's totals as they are shown; `bar` is its share of the busiest day, in percent."""

    totals: queries.DayTotals
    bar: int
    cached: str
    cost: str
    mean: str
    is_spent: bool


def service_view(request: HttpRequest, name: str) -> HttpResponse:
    must(request, "view")
    account = account_of(name)
    facts = facts_of(account.adapter)
    breaker = services.breaker_states([name])[name]
    days = queries.provider_days([name])[name]
    routed = queries.communities_by_provider().get(name, [])
    recent = queries.recent_calls(name)
    trial = services.last_trial(name)
    return page(
        request,
        "provider.html",
        f"{facts.label}: {name}",
        account=account,
        facts=facts,
        judges=words.judges(facts.parts),
        warnings=_warnings(account, facts, breaker, days[0], routed),
        trial=trial,
        told=trial and _told(account, facts, trial),
        trial_scores=trial and words.scores(trial),
        breaker=breaker,
        breaker_label=words.state_label(breaker),
        breaker_reason=breaker.reason and words.reason_label(breaker.reason),
        days=_days(account, days),
        budget=words.dollars(account.daily_budget_micros),
        recent=recent,
        p50=words.milliseconds(recent.p50_ms),
        p95=words.milliseconds(recent.p95_ms),
        errors=[(words.error_label(code), count) for code, count in recent.errors],
        backlog=queries.backlogs().get(name, queries.Backlog()),
        routed=_shown(request, routed),
        callback_address=_callback_address(account, facts),
        steps=_steps(name),
        has_doc=doc_of(facts) is not None,
        may_add=may(request, "add"),
        may_change=may(request, "change"),
        may_remove=may(request, "delete"),
    )


def _warnings(
    account: ProviderAccount,
    facts: Facts,
    breaker: BreakerStatus,
    today: queries.DayTotals,
    routed: Sequence[Community],
) -> list[str]:
    found = [words.ending(facts, timezone.now().date())]
    if not account.enabled and routed:
        found.append(_disabled_in_use(routed))
    if account.enabled and not is_ready(account):
        found.append("Something that it needs is missing, so nobody asks it: see “Change”.")
    if is_budget_spent(account, today):
        found.append("Its budget for today is spent: nobody asks it until tomorrow (UTC).")
    if breaker.held:
        found.append(f"Its breaker is held {breaker.held} by {breaker.held_by}.")
    elif breaker.state is BreakerState.OPEN:
        found.append("Its breaker is open: policies' other providers answer in its place, if any.")
    return [warning for warning in found if warning]


def _disabled_in_use(routed: Collection[Community]) -> str:
    count = len(routed)
    where = "a community still routes" if count == 1 else f"{count} communities still route"
    return f"It is disabled, and the policy of {where} to it: it fails there as if nobody answered."


def _told(account: ProviderAccount, facts: Facts, trial: services.Trial) -> words.Told:
    return words.tell(
        trial,
        environment=[one.env for one in facts.settings if one.is_secret and one.env],
        address=_address(account, facts),
    )


def _address(account: ProviderAccount, facts: Facts) -> str:
    """Return where a service is, "" where only the environment says so."""
    for one in facts.settings:
        if one.name in _ADDRESSES:
            return account.options.get(one.name) or ("" if one.env else one.default)
    return ""


def _days(account: ProviderAccount, days: Sequence[queries.DayTotals]) -> list[Day]:
    """Return the days on which it was asked, and today."""
    most = max(day.calls for day in days) or 1
    return [
        Day(
            totals=day,
            bar=round(day.calls * 100 / most),
            cached="–" if day.cached_share is None else f"{day.cached_share:.0%}",
            cost=words.dollars(day.cost_micros),
            mean=words.milliseconds(day.mean_ms),
            is_spent=day.budget_spent_at is not None,
        )
        for day in days
        if day.calls or day.cached or day is days[0]
    ]


def _shown(request: HttpRequest, routed: Sequence[Community]) -> dict[str, object]:
    """Name the communities that the reader may know of, and count the others."""
    if may(request, "change"):
        return {"named": routed, "others": 0}
    own = set(own_communities(request).values_list("pk", flat=True))
    named = [community for community in routed if community.pk in own]
    return {"named": named, "others": len(routed) - len(named)}


def _callback_address(account: ProviderAccount, facts: Facts) -> str:
    site = get_conf().public_url
    if not facts.answers_later or not site:
        return ""
    return f"{site}/callbacks/{account.name}/…"


def _steps(name: str) -> list[dict[str, object]]:
    events = list(
        AuditEvent.objects.filter(subject_kind=services.SUBJECT, subject_id=name).order_by(
            "-sequence"
        )[:_STEPS_SHOWN]
    )
    names = actor_names(events)
    return [
        {
            "at": event.happened_at,
            "who": names[event.actor_kind, event.actor_id],
            "what": step_label(event.kind),
            "facts": _step_facts(event.facts),
        }
        for event in events
    ]


def _step_facts(facts: Mapping[str, Any]) -> str:
    said = [str(facts[key]) for key in ("state", "outcome") if facts.get(key)]
    if facts.get("error"):
        said.append(words.error_label(facts["error"]))
    return ", ".join([*said, *facts.get("settings", [])])


# --- trying, holding ---------------------------------------------------------------------------


def try_view(request: HttpRequest, name: str) -> HttpResponse:
    must(request, "change")
    services.try_service(name=account_of(name).name, user=staff(request.user))
    return redirect("admin:moderation_provider", name)


def hold_open_view(request: HttpRequest, name: str) -> HttpResponse:
    return _hold(request, name, BreakerState.OPEN, "Nobody asks it until you release its breaker.")


def hold_closed_view(request: HttpRequest, name: str) -> HttpResponse:
    said = "It is asked whatever comes of it, until you release its breaker."
    return _hold(request, name, BreakerState.CLOSED, said)


def _hold(request: HttpRequest, name: str, state: BreakerState, said: str) -> HttpResponse:
    must(request, "change")
    services.hold_breaker(name=account_of(name).name, state=state, user=staff(request.user))
    messages.success(request, said)
    return redirect("admin:moderation_provider", name)


def release_view(request: HttpRequest, name: str) -> HttpResponse:
    must(request, "change")
    services.release_breaker(name=account_of(name).name, user=staff(request.user))
    messages.success(request, "Its breaker is left to the rules again.")
    return redirect("admin:moderation_provider", name)
