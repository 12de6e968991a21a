"""Set up, change and remove services. Every change reaches all processes within a second."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from moderation import queries
from moderation.conf import get_conf
from moderation.coordination.breaker import BreakerState
from moderation.errors import Conflict, InvalidFields, NotFound
from moderation.models import ProviderAccount, Reevaluation
from moderation.pipeline.audit.record import record_change
from moderation.providers import registry
from moderation.services.breakers import breaker_of_name
from moderation.services.checked import SetUp, check_new_name, fill_in

SUBJECT = "provider"
# What a change is compared by, besides options and secrets.
_COMPARED = (
    "enabled",
    "timeout_seconds",
    "per_second",
    "concurrency",
    "cost_micros",
    "daily_budget_micros",
    "cache_seconds",
)


def list_accounts() -> list[ProviderAccount]:
    """Return every service that is set up, by name; one of the environment alone has no key."""
    stored = {account.name: account for account in ProviderAccount.objects.all()}
    from_environment = {
        name: ProviderAccount(name=name, adapter=name) for name in get_conf().providers
    }
    return [account for _, account in sorted({**from_environment, **stored}.items())]


def get_account(name: str) -> ProviderAccount:
    """Raises `NotFound`. An account that is not stored is the environment's."""
    account = ProviderAccount.objects.filter(name=name).first()
    if account is not None:
        return account
    if name in get_conf().providers:
        return ProviderAccount(name=name, adapter=name)
    raise NotFound(f"There is no service {name!r}.")


def set_up_service(*, name: str, adapter: str, wanted: SetUp, user: User | None) -> ProviderAccount:
    """Store a new service, which policies may route to by its name from then on.

    Raises `InvalidFields`.
    """
    check_new_name(name, adapter)
    account = ProviderAccount(name=name, adapter=adapter)
    fill_in(account, wanted)
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            _record("provider.set_up", account, user, settings=_names(account))
    except IntegrityError:
        raise InvalidFields.of("name", "Another service has this name.") from None
    registry.forget_services()
    return account


def change_service(*, name: str, wanted: SetUp, user: User | None) -> ProviderAccount:
    """Store how a service is set up now; its name and its kind stay.

    A breaker that is open lets the next call through: what it opened for may be mended. Raises
    `InvalidFields`, `NotFound`.
    """
    with transaction.atomic():
        account = _locked(name)
        before = _values(account)
        fill_in(account, wanted)
        after = _values(account)
        changed = sorted(
            field for field in before.keys() | after.keys() if before.get(field) != after.get(field)
        )
        if not changed:
            return account
        account.save()
        _record("provider.changed", account, user, settings=changed)
    registry.forget_services()
    _let_try_again(name)
    return account


def remove_service(*, name: str, user: User | None) -> None:
    """Forget a service with its keys; what it answered and cost stays on record.

    Raises `NotFound`, and `Conflict` while a policy in force or on trial routes to it.
    """
    is_left_to_environment = name in get_conf().providers
    with transaction.atomic():
        account = _locked(name)
        users = queries.communities_by_provider().get(name, [])
        if users and not is_left_to_environment:
            raise Conflict(
                f"Policies route to it in {_listed([str(one) for one in users])}. Put policies in"
                " force there that do not, or disable it."
            )
        _record("provider.removed", account, user)
        account.delete()
        if not is_left_to_environment:
            # Nobody will ask it again about what others judged in its place.
            Reevaluation.objects.filter(provider=name).delete()
    registry.forget_services()
    breaker_of_name(name).release()


def _locked(name: str) -> ProviderAccount:
    account = ProviderAccount.objects.select_for_update().filter(name=name).first()
    if account is None:
        raise NotFound(f"There is no service {name!r} that was set up here.")
    return account


def _values(account: ProviderAccount) -> dict[str, object]:
    terms = {name: getattr(account, name) for name in _COMPARED}
    return {**account.options, **account.secrets, **terms}


def _names(account: ProviderAccount) -> list[str]:
    return sorted({*account.options, *account.secrets})


def _let_try_again(name: str) -> None:
    breaker = breaker_of_name(name)
    status = breaker.state()
    if status.state is BreakerState.OPEN and status.held is None:
        breaker.release()


def _record(
    kind: str, account: ProviderAccount, user: User | None, settings: Collection[str] = ()
) -> None:
    """Which settings changed is on record; what they say, keys above all, is not."""
    record_change(
        kind,
        subject=(SUBJECT, account.name),
        community_id=None,
        user=user,
        facts={
            "provider": account.name,
            "adapter": account.adapter,
            "enabled": account.enabled,
            "settings": list(settings),
        },
    )


def _listed(names: Collection[str], most: int = 8) -> str:
    shown = sorted(names)[:most]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
