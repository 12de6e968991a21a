"""How fast one author may post, whichever door they use."""

from __future__ import annotations

from moderation.conf import get_conf
from moderation.coordination.token_bucket import Limit, take
from moderation.errors import RateLimited


def take_turn(external_id: str) -> None:
    """Count one post of an author. Raises `RateLimited`, saying when to come back."""
    conf = get_conf()
    taken = take(f"author:{external_id}", Limit(conf.rate_burst, conf.rate_per_second))
    if not taken.allowed:
        raise RateLimited("Too many posts.", retry_after_seconds=taken.retry_after_seconds)
