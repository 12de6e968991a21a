"""What the services' pages share: who may, which service is meant, how a page is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from moderation import queries, services
from moderation.errors import NotFound, ProviderRejected
from moderation.models import ProviderAccount
from moderation.providers import registry
from moderation.providers.base import Facts
from moderation.providers.catalogue import get_adapter

_MAY: Final = "moderation.{}_provideraccount"
_DOCS: Final = Path(__file__).resolve().parents[3] / "docs" / "providers"


def may(request: HttpRequest, act: str) -> bool:
    return bool(request.user.has_perm(_MAY.format(act)))


def must(request: HttpRequest, act: str) -> None:
    if not may(request, act):
        raise PermissionDenied


def account_of(name: str) -> ProviderAccount:
    try:
        return services.get_account(name)
    except NotFound as error:
        raise Http404 from error


def stored_account(name: str) -> ProviderAccount:
    """Return a service that was set up here; the environment's cannot be changed."""
    account = account_of(name)
    if account.pk is None:
        raise Http404
    return account


def find_facts(adapter: str) -> Facts | None:
    """Return an adapter's facts, None for one that is not there any more."""
    try:
        return get_adapter(adapter).facts
    except ProviderRejected:
        return None


def facts_of(adapter: str) -> Facts:
    facts = find_facts(adapter)
    if facts is None:
        raise Http404
    return facts


def doc_of(facts: Facts) -> Path | None:
    """Return a service's page of the documentation, None where that is not installed."""
    file = _DOCS / f"{facts.doc}.md"
    return file if file.is_file() else None


def is_ready(account: ProviderAccount) -> bool:
    """Whether nothing is missing that it needs to be asked."""
    return registry.make_service(account).provider.is_available()


def is_budget_spent(account: ProviderAccount, today: queries.DayTotals) -> bool:
    budget = account.daily_budget_micros
    return budget is not None and today.cost_micros >= budget


def page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/{template}",
        {**admin.site.each_context(request), "title": title, **context},
    )
