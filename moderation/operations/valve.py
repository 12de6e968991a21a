"""Lets old posts into their lane only as far as nobody who is waiting now is worse off for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models.functions import Now

from moderation import queries
from moderation.asking import breaker_state
from moderation.coordination.breaker import BreakerState
from moderation.models import ProviderDay, Submission
from moderation.models.screening import PARKED
from moderation.policy.document import Policy
from moderation.providers import registry
from moderation.vocabulary import Lane, SubmissionState

# What a rescan has sent ahead stays in the lane when it is paused or live posts come: seconds' work
# for our own models, minutes' for a slow service.
MOST_DUE: Final = 1_000
# Live posts are judged within a second as long as there are workers enough.
LIVE_MAY_WAIT = timedelta(seconds=5)
# The rest of a service's money for the day is for live posts.
SHARE_OF_BUDGET: Final = 0.8
# A service that is only tried again gets no more than its breaker needs to see.
_MOST_WHILE_TRIED = 2


def hindrance(policy: Policy) -> str:
    """Say in a sentence why no old post may be sent now, "" when some may."""
    if Lane.RESCAN in queries.paused_lanes():
        return "The lane for old posts is paused."
    if _live_posts_wait():
        return "Live posts come first."
    for name in sorted(policy.providers()):
        said = _hindrance_of(name)
        if said:
            return said
    return ""


def room(policy: Policy, *, most: int) -> int:
    """Return how many more posts may be sent now, up to `most`."""
    due = Submission.objects.filter(state=SubmissionState.DUE, lane=Lane.RESCAN)
    free = MOST_DUE - due[:MOST_DUE].count()
    if any(_state_of(name) is BreakerState.HALF_OPEN for name in policy.providers()):
        most = min(most, _MOST_WHILE_TRIED)
    return min(most, free)


def _live_posts_wait() -> bool:
    live = Submission.objects.filter(
        state=SubmissionState.DUE, created_at__lt=Now() - LIVE_MAY_WAIT
    )
    return live.exclude(lane=Lane.RESCAN).exclude(last_error=PARKED).exists()


def _hindrance_of(name: str) -> str:
    if _state_of(name) is BreakerState.OPEN:
        return f"{name} does not answer now."
    return f"{name} has used up most of today's money." if _is_dear(name) else ""


def _state_of(name: str) -> BreakerState:
    """One that is not set up here keeps nobody waiting: it would not be there tomorrow either."""
    return BreakerState.CLOSED if registry.find_service(name) is None else breaker_state(name)


def _is_dear(name: str) -> bool:
    service = registry.find_service(name)
    if service is None or service.terms.daily_budget_micros is None:
        return False
    today = ProviderDay.objects.filter(provider=name, day=datetime.now(UTC).date())
    spent = today.values_list("cost_micros", flat=True).first() or 0
    return spent >= service.terms.daily_budget_micros * SHARE_OF_BUDGET
