"""What an operator may say of a service, checked before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from moderation.conf import get_conf
from moderation.environment import from_environment
from moderation.errors import InvalidFields, ProviderRejected
from moderation.models import ProviderAccount
from moderation.providers import registry
from moderation.providers.base import Facts, Setting
from moderation.providers.catalogue import get_adapter

# A service's name is also the id of its subject on the record.
LONGEST_NAME = 40
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# Before the name of a setting in `InvalidFields`, where it could be taken for a term.
SETTING = "settings."
_TERMS = (
    "timeout_seconds",
    "per_second",
    "concurrency",
    "cost_micros",
    "daily_budget_micros",
    "cache_seconds",
)

_SOMETHING_MISSING = "Something that it needs is missing, or has another form."
# A worker that waits longer for one answer is taken for dead.
MOST_SECONDS = 600.0

Wrong = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SetUp:
    """What an operator wants of a service. A term that is None is as the adapter's facts say.

    `options` replace those that are stored. `secrets` holds only those that change: the others
    stay, and one that is "" is forgotten.
    """

    enabled: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float | None = None
    per_second: float | None = None
    concurrency: int | None = None
    cost_micros: int | None = None
    daily_budget_micros: int | None = None
    cache_seconds: int = 86_400


def fill_in(account: ProviderAccount, wanted: SetUp) -> None:
    """Put what is wanted into an account, without saving it. Raises `InvalidFields`."""
    facts = _facts_of(account.adapter)
    wrong = [*_wrong_names(facts, wanted)]
    account.enabled = wanted.enabled
    account.options = _given(wanted.options)
    account.secrets = _given({**account.secrets, **wanted.secrets})
    for term in _TERMS:
        setattr(account, term, getattr(wanted, term))
    wrong += [*_wrong_settings(facts, account), *_wrong_terms(account)]
    if not wrong and account.enabled and not _can_be_asked(account):
        wrong.append(("", f"{facts.label} cannot be asked like this. {_SOMETHING_MISSING}"))
    if wrong:
        raise InvalidFields(wrong)


def check_new_name(name: str, adapter: str) -> None:
    """Raises `InvalidFields` for a name that a service cannot have, or that somebody has."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InvalidFields.of(
            "name", f"Use up to {LONGEST_NAME} small letters, digits, - and _; begin with no sign."
        )
    if registry.is_local(name):
        raise InvalidFields.of("name", "One of our own judges has this name.")
    if ProviderAccount.objects.filter(name=name).exists():
        raise InvalidFields.of("name", "Another service has this name.")
    if name in get_conf().providers and adapter != name:
        raise InvalidFields.of("name", "GATEHOUSE_PROVIDERS gives this name to another service.")


def _facts_of(adapter: str) -> Facts:
    try:
        return get_adapter(adapter).facts
    except ProviderRejected as error:
        raise InvalidFields.of("adapter", "There is no such kind of service.") from error


def _given(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in values.items() if value.strip()}


def _wrong_names(facts: Facts, wanted: SetUp) -> Iterator[Wrong]:
    options = {one.name for one in facts.settings if not one.is_secret}
    secrets = {one.name for one in facts.settings if one.is_secret}
    for name in (*(wanted.options.keys() - options), *(wanted.secrets.keys() - secrets)):
        yield SETTING + name, f"{facts.label} has no such setting."


def _wrong_settings(facts: Facts, account: ProviderAccount) -> Iterator[Wrong]:
    for one in facts.settings:
        value = (account.secrets if one.is_secret else account.options).get(one.name, "")
        problem = _problem(one, value)
        if problem:
            yield SETTING + one.name, problem


def _problem(one: Setting, value: str) -> str:
    """Return what is wrong with a setting's value, "" for nothing. Never quotes the value."""
    if not value:
        from_elsewhere = one.default or from_environment(one.env)
        return "" if from_elsewhere or not one.required else _needed(one)
    if one.is_secret and not value.isascii():
        return "This has signs that no key has. Copy it once more, without what stands around it."
    if one.choices and value not in one.choices:
        return f"Choose one of: {', '.join(choice for choice in one.choices if choice)}."
    if one.name.endswith("base_url") and not _is_web_address(value):
        return "Give an address that begins with https:// or http://, without a password in it."
    return ""


def _needed(one: Setting) -> str:
    return f"This is needed, here or as {one.env}." if one.env else "This is needed."


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # Reading the port is what finds out that it is none.
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = value.isascii() and value.isprintable() and " " not in value
    is_bare = not (parts.query or parts.fragment) and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and has_place and is_plain and is_bare


def _wrong_terms(account: ProviderAccount) -> Iterator[Wrong]:
    if account.timeout_seconds is not None and account.timeout_seconds > MOST_SECONDS:
        yield "timeout_seconds", f"At most {MOST_SECONDS:g} seconds."
    try:
        account.clean_fields(exclude={"name", "adapter", "options", "secrets"})
    except ValidationError as error:
        for name, problems in error.message_dict.items():
            yield name, " ".join(problems)


def _can_be_asked(account: ProviderAccount) -> bool:
    return registry.make_service(account).provider.is_available()
