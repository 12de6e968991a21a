"""1d · Ask a provider that has recovered about what others judged in its place meanwhile."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from moderation import queries
from moderation.asking import breaker_state
from moderation.coordination.breaker import BreakerState
from moderation.models import Reevaluation
from moderation.pipeline.again import send_again
from moderation.pipeline.record import SYSTEM

# A provider whose failures were too few to open its breaker gets this long to come round.
LEAST_AGE = timedelta(seconds=20)
# One that is only tried again gets no more than its breaker needs to see.
_MOST = {BreakerState.CLOSED: 200, BreakerState.HALF_OPEN: 2}


def reevaluate() -> int:
    """Send what waits for recovered providers again, a batch each; return how many posts were."""
    waiting = Reevaluation.objects.order_by().values_list("provider", flat=True).distinct()
    return sum(
        _send_for(provider, most=_MOST[state])
        for provider in waiting
        if (state := breaker_state(provider)) in _MOST
    )


def _send_for(provider: str, *, most: int) -> int:
    rows = list(
        Reevaluation.objects.filter(
            provider=provider, created_at__lt=queries.database_now() - LEAST_AGE
        )
        .order_by("pk")
        .annotate(current=F("post__revision"))[:most]
    )
    if not rows:
        return 0
    # An edit was judged by itself: what stood before it is of no concern any more.
    posts = [row.post_id for row in rows if row.revision == row.current]
    sent = send_again(posts, actor=SYSTEM, facts={"provider": provider}) if posts else 0
    Reevaluation.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return sent
