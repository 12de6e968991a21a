"""Addresses given to services that call back: known before the job that they are for is stored."""

from __future__ import annotations

from moderation.coordination import answers

# A service that is done before we have stored its job is done within seconds.
REMEMBERED_SECONDS = 3600.0


def give_out(provider: str, token: str) -> None:
    """Remember an address. Without Redis an answer that overtakes its job is fetched by a poll."""
    answers.put_many({_key(provider, token): "1"}, ttl_seconds=REMEMBERED_SECONDS)


def is_given_out(provider: str, token: str) -> bool:
    key = _key(provider, token)
    return key in answers.get_many([key])


def _key(provider: str, token: str) -> str:
    return f"callback:{provider}:{token}"
