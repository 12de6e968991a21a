"""1d · Ask a provider that has recovered about what others judged in its place meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from moderation import queries
from moderation.asking import breaker_state
from moderation.coordination.breaker import BreakerState
from moderation.models import Reevaluation, Submission
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.rejudging.again import send_again
from moderation.vocabulary import Reason

# A provider whose failures were too few to open its breaker gets this long to come round, and
# twice as long after each look that it failed again: on some posts a provider always fails.
LEAST_AGE = timedelta(seconds=20)
# Twenty seconds and so many doublings are eleven days.
_MOST_DOUBLINGS = 16
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


@transaction.atomic
def _send_for(provider: str, *, most: int) -> int:
    rows = list(
        Reevaluation.objects.annotate(looks=_LOOKS, current=F("post__revision"))
        .filter(_is_old_enough(queries.database_now()), provider=provider)
        # Who notes a post again meanwhile waits, and then notes it anew.
        .select_for_update(of=("self",), skip_locked=True)
        .order_by("pk")[:most]
    )
    if not rows:
        return 0
    Reevaluation.objects.filter(pk__in=[row.pk for row in rows]).delete()
    # An edit was judged by itself: what stood before it is of no concern any more.
    posts = [row.post_id for row in rows if row.revision == row.current]
    return send_again(posts, actor=SYSTEM, facts={"provider": provider}) if posts else 0


_LOOKS = Coalesce(
    Subquery(
        Submission.objects.filter(
            post=OuterRef("post"), revision=OuterRef("revision"), reason=Reason.RESCAN
        )
        .order_by()
        .values("post")
        .annotate(number=Count("pk"))
        .values("number")
    ),
    0,
)


def _is_old_enough(now: datetime) -> Q:
    """Databases do not agree on how to double a time, so every doubling is a case of its own."""
    found = Q()
    for looks in range(_MOST_DOUBLINGS):
        found |= Q(looks=looks, created_at__lt=now - LEAST_AGE * 2**looks)
    return found | Q(
        looks__gte=_MOST_DOUBLINGS, created_at__lt=now - LEAST_AGE * 2**_MOST_DOUBLINGS
    )
