"""Who can be asked here, by the names that policies route to: our own judges, and the services
that an operator has set up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

from django.db.models import Exists, OuterRef

from moderation.conf import get_conf
from moderation.coordination.callbacks import give_out
from moderation.coordination.short_memory import ShortMemory
from moderation.environment import from_environment
from moderation.errors import ProviderRejected
from moderation.models import (
    Enforcement,
    FilterRule,
    ProviderAccount,
    RejectedContent,
)
from moderation.providers.bank_rows import labels_of, read_banks
from moderation.providers.base import Account, Adapter, Facts, Provider
from moderation.providers.catalogue import get_adapter
from moderation.providers.own.filters import CommunityFilterProvider, Rule
from moderation.providers.own.hash_bank import HashBankProvider
from moderation.providers.own.local_image import LocalImageProvider
from moderation.providers.own.local_text import LocalTextProvider
from moderation.providers.own.local_video import LocalVideoProvider
from moderation.providers.own.reposts import Known, RepostsProvider
from moderation.providers.own.tesseract import TesseractProvider
from moderation.vocabulary import Action, Category, FilterKind

logger = logging.getLogger(__name__)

_accounts: ShortMemory[Mapping[str, Service]] = ShortMemory()


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a service is asked: its own facts, less what the operator set otherwise."""

    batch_size: int
    media_batch_size: int
    per_second: float | None
    concurrency: int
    timeout_seconds: float
    cost_micros: int
    daily_budget_micros: int | None
    cache_seconds: int


@dataclass(frozen=True, slots=True)
class Service:
    """An account with the adapter that speaks for it. `changed` tells two set-ups apart."""

    provider: Adapter
    terms: Terms
    changed: str


# --- our own judges ------------------------------------------------------------------------------


def filter_rule(row: FilterRule) -> Rule:
    """Return a moderators' rule as the provider of filters knows it."""
    return Rule(
        kind=FilterKind(row.kind),
        pattern=row.pattern,
        category=Category(row.category),
        score=row.score,
        label=row.label,
        scope=str(row.community_id or ""),
    )


def _read_filters() -> list[Rule]:
    return [filter_rule(row) for row in FilterRule.objects.filter(active=True)]


def _read_rejected(fingerprints: frozenset[str]) -> list[Known]:
    overruled = Enforcement.objects.filter(
        post_id=OuterRef("enforcement__post_id"),
        revision=OuterRef("enforcement__revision"),
        pk__gt=OuterRef("enforcement_id"),
        action__in=(Action.ALLOW, Action.WARN),
        decision__isnull=False,
        reversed_at__isnull=True,
    )
    rows = RejectedContent.objects.filter(
        ~Exists(overruled),
        fingerprint__in=fingerprints,
        enforcement__reversed_at__isnull=True,
    )
    return [Known(row.fingerprint, str(row.community_id), Category(row.category)) for row in rows]


@cache
def _own_judges() -> dict[str, Provider]:
    """Each loads its model when first asked."""
    images = LocalImageProvider()
    bank = HashBankProvider(read_banks, labels_of)
    known: tuple[Provider, ...] = (
        LocalTextProvider(),
        images,
        LocalVideoProvider(images),
        bank,
        RepostsProvider(_read_rejected, bank.judge_texts),
        CommunityFilterProvider(_read_filters),
        TesseractProvider(),
    )
    return {provider.name: provider for provider in known}


# --- services ------------------------------------------------------------------------------------


def _services() -> Mapping[str, Service]:
    return _accounts.get("services", _read_services)


_made: dict[str, Service] = {}
_making = threading.Lock()


def _read_services() -> Mapping[str, Service]:
    """Return every service that is set up. One that has not changed keeps its connections."""
    with _making:
        found: dict[str, Service] = {}
        for account in (*_accounts_from_environment(), *ProviderAccount.objects.all()):
            found.pop(account.name, None)
            if not account.enabled:
                continue
            made = _made.get(account.name)
            changed = _version_of(account)
            if made is None or made.changed != changed:
                try:
                    made = make_service(account)
                except ProviderRejected:
                    logger.warning("unknown_adapter", extra={"provider": account.name})
                    continue
            found[account.name] = made
        _made.clear()
        _made.update(found)
        return found


def _version_of(account: ProviderAccount) -> str:
    return account.updated_at.isoformat() if account.pk else "environment"


def _accounts_from_environment() -> list[ProviderAccount]:
    """`GATEHOUSE_PROVIDERS` alone switches an adapter on, with its key from the environment."""
    return [ProviderAccount(name=name, adapter=name) for name in get_conf().providers]


def make_service(account: ProviderAccount) -> Service:
    """Return the adapter that an account describes. Raises `ProviderRejected` for an unknown one.

    A setting that the account leaves empty comes from the environment, else it is the default.
    """
    adapter = get_adapter(account.adapter)
    facts = adapter.facts
    timeout = account.timeout_seconds or facts.timeout_seconds
    given = Account(
        name=account.name,
        options={
            one.name: str(account.options.get(one.name) or from_environment(one.env) or one.default)
            for one in facts.settings
            if not one.is_secret
        },
        secrets={
            one.name: (account.secrets.get(one.name) or from_environment(one.env)).strip()
            for one in facts.settings
            if one.is_secret
        },
        timeout_seconds=timeout,
        callback_url=partial(_callback_url, account.name),
        allow_private_hosts=get_conf().provider_allowed_hosts,
    )
    return Service(adapter(given), _terms(account, facts, timeout), _version_of(account))


def _terms(account: ProviderAccount, facts: Facts, timeout: float) -> Terms:
    return Terms(
        batch_size=facts.batch_size,
        media_batch_size=facts.media_batch_size,
        per_second=account.per_second or facts.per_second,
        concurrency=account.concurrency or facts.concurrency,
        timeout_seconds=timeout,
        cost_micros=facts.cost_micros if account.cost_micros is None else account.cost_micros,
        daily_budget_micros=account.daily_budget_micros,
        cache_seconds=account.cache_seconds,
    )


def _callback_url(name: str, token: str) -> str:
    site = get_conf().public_url
    if not site:
        return ""
    give_out(name, token)
    return f"{site}/callbacks/{name}/{token}"


# --- by name -------------------------------------------------------------------------------------


def providers() -> dict[str, Provider]:
    """Return everyone who can be asked. May be up to a second old."""
    services = {name: service.provider for name, service in _services().items()}
    return {**services, **_own_judges()}


def get_provider(name: str) -> Provider:
    """Raises `ProviderRejected` for a name that a policy must not route to."""
    own = _own_judges().get(name)
    if own is not None:
        return own
    return get_service(name).provider


def find_service(name: str) -> Service | None:
    """Return a service, None for a name that is no service's, or of one that is switched off."""
    return _services().get(name)


def get_service(name: str) -> Service:
    """Raises `ProviderRejected` where `find_service` returns None."""
    service = find_service(name)
    if service is None:
        raise ProviderRejected(f"There is no provider {name!r}.")
    return service


def is_local(name: str) -> bool:
    """Whether it answers from this machine; of a name that nobody has that is not known."""
    return name in _own_judges()


def forget_services() -> None:
    """Read the accounts again at the next question; for whoever changes them, and for tests."""
    _accounts.clear()
