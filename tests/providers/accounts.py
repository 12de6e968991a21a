"""Accounts whose service is the sandbox, and what every adapter makes of a service that fails."""

from __future__ import annotations

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderUnavailable,
)
from moderation.providers.base import Account, Facts
from moderation.sandbox.server import Sandbox

# Kinds of faults that need no words of the service's own, and what they must become.
FAULTS: list[tuple[str, type[ProviderError]]] = [
    ("unauthorized", ProviderAuthFailed),
    ("forbidden", ProviderAuthFailed),
    ("gone", ProviderGone),
    ("404", ProviderGone),
    ("429", ProviderRateLimited),
    ("500", ProviderUnavailable),
    ("503", ProviderUnavailable),
    ("reset", ProviderUnavailable),
    ("cut_off", ProviderUnavailable),
    ("truncated", ProviderMalformed),
    ("empty", ProviderMalformed),
    ("html", ProviderMalformed),
    ("wrong_schema", ProviderMalformed),
]


def account_at(
    sandbox: Sandbox, prefix: str, facts: Facts, path: str = "", **given: str
) -> Account:
    """Return an account with each setting at its default, unless it is given here."""
    values = {
        one.name: given.pop(one.name, "good-key" if one.is_secret else one.default)
        for one in facts.settings
    }
    values["base_url"] = f"{sandbox.base_url}/{prefix}{path}"
    timeout_seconds = float(given.pop("timeout_seconds", "5"))
    assert not given
    secret = {one.name for one in facts.settings if one.is_secret}
    return Account(
        name=prefix,
        options={name: value for name, value in values.items() if name not in secret},
        secrets={name: value for name, value in values.items() if name in secret},
        timeout_seconds=timeout_seconds,
        allow_private_hosts=frozenset({sandbox.address}),
    )
