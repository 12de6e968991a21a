"""How fast one person may appeal, write to their appeals and withdraw them."""

from __future__ import annotations

from typing import Final

from moderation.coordination.token_bucket import Limit, take
from moderation.errors import RateLimited

# A conversation at a quick pace; then one step every two minutes.
STEPS: Final = Limit(burst=15, per_second=1 / 120)


def take_appeal_turn(who: str) -> None:
    """Count one step. Raises `RateLimited`, saying when to come back."""
    taken = take(f"appeal:{who}", STEPS)
    if not taken.allowed:
        raise RateLimited(
            "You have written a lot.",
            retry_after_seconds=taken.retry_after_seconds,
            policy="appeals",
        )
