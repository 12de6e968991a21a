"""What is set up, what is our own, and what there is besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from moderation import queries, services
from moderation.admin.providers import words
from moderation.admin.providers.documents import read_document
from moderation.admin.providers.pages import (
    doc_of,
    facts_of,
    find_facts,
    is_budget_spent,
    is_ready,
    may,
    must,
    page,
)
from moderation.coordination.breaker import BreakerState, BreakerStatus
from moderation.models import ProviderAccount
from moderation.providers import registry
from moderation.providers.base import Facts
from moderation.providers.catalogue import adapter_names


@dataclass(frozen=True, slots=True)
class Offered:
    """A kind of service that can be set up. `set_up_as` names the accounts that there are."""

    adapter: str
    label: str
    judges: str
    price: str
    limits: Sequence[str]
    languages: str
    ending: str
    has_doc: bool
    set_up_as: Sequence[str]


@dataclass(frozen=True, slots=True)
class OwnJudge:
    name: str
    about: str
    judges: str
    is_available: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A service that is set up, with how it is doing today."""

    name: str
    label: str
    state: str
    is_well: bool
    breaker: BreakerStatus
    breaker_label: str
    today: queries.DayTotals
    cost: str
    budget: str


def list_view(request: HttpRequest) -> HttpResponse:
    must(request, "view")
    return page(
        request,
        "providers.html",
        "Providers",
        listed=listed_services(),
        own=_own_judges(),
        offered=_offered(_accounts()),
        may_add=may(request, "add"),
    )


def listed_services() -> list[Listed]:
    """Return the services that are set up, by name, as they are today."""
    accounts = _accounts()
    names = [account.name for account in accounts]
    breakers = services.breaker_states(names)
    days = queries.provider_days(names, days=1)
    return [_listed(account, breakers[account.name], days[account.name][0]) for account in accounts]


def _accounts() -> list[ProviderAccount]:
    return [one for one in services.list_accounts() if find_facts(one.adapter) is not None]


def _listed(account: ProviderAccount, breaker: BreakerStatus, today: queries.DayTotals) -> Listed:
    state, is_well = _state(account, breaker, today)
    return Listed(
        name=account.name,
        label=facts_of(account.adapter).label,
        state=state,
        is_well=is_well,
        breaker=breaker,
        breaker_label=words.state_label(breaker),
        today=today,
        cost=words.dollars(today.cost_micros),
        budget=words.dollars(account.daily_budget_micros),
    )


def _state(
    account: ProviderAccount, breaker: BreakerStatus, today: queries.DayTotals
) -> tuple[str, bool]:
    """Return how a service is in a few words, and whether it is asked as it should be."""
    if not account.enabled:
        return "Disabled", True
    if not is_ready(account):
        return "Something is missing", False
    if is_budget_spent(account, today):
        return "Its budget for today is spent", False
    if breaker.state is not BreakerState.CLOSED:
        return words.state_label(breaker), False
    return "Enabled", True


def _own_judges() -> list[OwnJudge]:
    return [
        OwnJudge(
            name=name,
            about=words.OWN_JUDGES.get(name, ""),
            judges=words.judges(judge.parts),
            is_available=judge.is_available(),
        )
        for name, judge in sorted(registry.providers().items())
        if registry.is_local(name)
    ]


def _offered(accounts: Sequence[ProviderAccount]) -> list[Offered]:
    today = timezone.now().date()
    found = [
        _offer(name, facts, accounts, today)
        for name in adapter_names()
        if (facts := find_facts(name)) is not None
    ]
    return sorted(found, key=lambda one: one.label.casefold())


def _offer(name: str, facts: Facts, accounts: Sequence[ProviderAccount], today: date) -> Offered:
    return Offered(
        adapter=name,
        label=facts.label,
        judges=words.judges(facts.parts),
        price=facts.price,
        limits=words.limits(facts),
        languages=words.languages(facts),
        ending=words.ending(facts, today),
        has_doc=doc_of(facts) is not None,
        set_up_as=[account.name for account in accounts if account.adapter == name],
    )


def about_view(request: HttpRequest, adapter: str) -> HttpResponse:
    """Show a service's page of the documentation."""
    must(request, "view")
    facts = facts_of(adapter)
    file = doc_of(facts)
    if file is None:
        raise Http404
    title, blocks = read_document(file.read_text(encoding="utf-8"))
    return page(
        request,
        "provider_about.html",
        title or facts.label,
        adapter=adapter,
        blocks=blocks,
        may_add=may(request, "add"),
    )
