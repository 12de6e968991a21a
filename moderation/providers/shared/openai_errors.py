"""Errors as services word them that speak as OpenAI's do, whoever runs them."""

from __future__ import annotations

from moderation.errors import ProviderMalformed, ProviderQuotaExhausted, ProviderUnavailable
from moderation.outbound import Reply
from moderation.providers.shared.service import raise_for_status, read_json

_USED_UP = frozenset({"insufficient_quota", "credit_balance_exhausted"})


def raise_for_error(reply: Reply) -> None:
    """Raise what an answer's status and body say, nothing for a good one."""
    if reply.status == 409:
        raise ProviderUnavailable("Failed with 409.")
    if reply.status == 429 and _words(reply) & _USED_UP:
        raise ProviderQuotaExhausted("The quota is used up.")
    raise_for_status(reply)


def _words(reply: Reply) -> set[str]:
    try:
        error = read_json(reply).get("error")
    except ProviderMalformed:
        return set()
    return {str(error.get(key)) for key in ("code", "type")} if isinstance(error, dict) else set()
