"""Services that answer later: ask how far they are, and read what they call back with."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from moderation import tracing
from moderation.asking import spending
from moderation.asking.calls import (
    Gate,
    breaker_of,
    pause_as_told,
    refusal,
    threads,
    turn_at,
)
from moderation.asking.sound import LONGEST_JOB_ID, is_storable, sound
from moderation.coordination.breaker import BreakerState
from moderation.errors import (
    CallbackRefused,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
)
from moderation.providers import registry
from moderation.providers.base import Answer, Callback, LaterProvider, Notice
from moderation.providers.registry import Service
from moderation.vocabulary import Outcome, Part

logger = logging.getLogger(__name__)


def poll_services(
    asked: Sequence[tuple[str, str, Part]], *, about: Sequence[str] = ()
) -> list[Answer | None]:
    """Return what became of each (provider, job, kind of part), None where nobody could say now.

    A service that refuses the job itself has failed. `about` names the submission of each, for
    whoever traces them.
    """
    # Found here: who is set up stands in the database, which threads do not touch.
    services = {name: registry.find_service(name) for name, _, _ in asked}

    def poll(one: tuple[str, str, Part], submission: str) -> Answer | None:
        with tracing.span("poll", about=(submission,), kind="client", provider=one[0]):
            return _poll(services[one[0]], *one)

    answers = list(threads().map(tracing.bound(poll), asked, about or [""] * len(asked)))
    spending.flush()
    return answers


def _poll(service: Service | None, name: str, job_id: str, kind: Part) -> Answer | None:
    if service is None or not service.provider.facts.answers_later:
        return Answer(Outcome.FAILED, error="not_set_up")
    with turn_at(service) as is_our_turn:
        return _call(service, job_id, kind) if is_our_turn else None


def _call(service: Service, job_id: str, kind: Part) -> Answer | None:
    provider = cast(LaterProvider, service.provider)
    gate = Gate(service)
    if not gate.admit():
        return None
    began = time.perf_counter()
    error, answer = "", None
    try:
        answer = sound(provider.poll(job_id, kind))
        gate.report(None)
    except ProviderError as failure:
        gate.report(failure)
        error = failure.code
        if isinstance(failure, ProviderRateLimited):
            pause_as_told(service, failure.retry_after_seconds)
        # Any other failure may be over by the next time, a wrong key included.
        if isinstance(failure, ProviderRejected):
            answer = Answer(Outcome.FAILED, error=error)
    except Exception as failure:
        gate.give_back()
        logger.exception("provider_crashed", extra={"provider": provider.name})
        error = type(failure).__name__
    spending.note(
        spending.Spent(
            provider.name,
            parts=1,
            outcome=Outcome.FAILED if error else Outcome.PENDING,
            error=error,
            latency_ms=(time.perf_counter() - began) * 1000,
        )
    )
    return answer


def breaker_state(name: str) -> BreakerState:
    """Return whether a provider that failed can be asked again: as usual, or for a try."""
    if registry.is_local(name):
        return BreakerState.CLOSED
    service = registry.find_service(name)
    if service is None or refusal(service):
        return BreakerState.OPEN
    return breaker_of(service).state().state


def signs_callbacks(name: str) -> bool:
    """Whether a service's messages prove by themselves who sent them. Raises `CallbackRefused`."""
    return _later_service(name).facts.signs_callbacks


def read_callback(name: str, callback: Callback) -> Notice | None:
    """Return what a message says, None where there is nothing more to do about it.

    Raises `CallbackRefused` for one that is not authentic, as far as that shows in itself.
    """
    provider = _later_service(name)
    try:
        notice = provider.read_callback(callback)
    except RecursionError as error:
        raise CallbackRefused("The message is nested too deeply.") from error
    if notice.confirm_url:
        _confirm(provider, notice.confirm_url)
        return None
    if len(notice.job_id) > LONGEST_JOB_ID or not is_storable(notice.message_id + notice.job_id):
        raise CallbackRefused("No job is called so.")
    if notice.answer is not None:
        notice = replace(notice, answer=sound(notice.answer))
    return notice


def _later_service(name: str) -> LaterProvider:
    try:
        provider = registry.get_service(name).provider
    except ProviderError as error:
        raise CallbackRefused("There is no such service.") from error
    if not provider.facts.answers_later:
        raise CallbackRefused("This service calls nobody back.")
    return cast(LaterProvider, provider)


def _confirm(provider: LaterProvider, url: str) -> None:
    """Tell a service that its messages are wanted. It asks again when this fails."""
    try:
        provider.confirm(url)
    except ProviderError as error:
        logger.warning("subscription_not_confirmed", extra={"error": error.code})
