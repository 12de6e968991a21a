"""A service's breaker in an operator's hands: held open or closed, or left to the rules again."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import transaction

from moderation.asking.calls import breaker_name
from moderation.coordination.breaker import Breaker, BreakerState, BreakerStatus, states
from moderation.models import ProviderAccount
from moderation.pipeline.audit.record import record_change


def breaker_of_name(name: str) -> Breaker:
    """Return a service's breaker, to look at or to turn by hand: its rules are the asker's."""
    return Breaker(breaker_name(name))


def breaker_states(names: Collection[str]) -> dict[str, BreakerStatus]:
    """Return the breaker of each service, in one round trip."""
    found = states([breaker_name(name) for name in names])
    return {name: found[breaker_name(name)] for name in names}


def hold_breaker(*, name: str, state: BreakerState, user: User) -> BreakerStatus:
    """Keep a breaker open (nobody asks the service) or closed (everybody does) until released."""
    _record("breaker.held", name, user, state=str(state))
    breaker = breaker_of_name(name)
    by = user.get_username()
    return breaker.hold_open(by) if state is BreakerState.OPEN else breaker.hold_closed(by)


def release_breaker(*, name: str, user: User) -> BreakerStatus:
    """Leave a breaker to the rules again; one that was open lets a call through to try."""
    _record("breaker.released", name, user)
    return breaker_of_name(name).release()


def _record(kind: str, name: str, user: User, **facts: object) -> None:
    with transaction.atomic():
        # Two people's events of one service come one after the other.
        ProviderAccount.objects.select_for_update().filter(name=name).first()
        record_change(
            kind,
            subject=("provider", name),
            community_id=None,
            user=user,
            facts={"provider": name, **facts},
        )
