"""How much a caller may ask for, and the headers that say so before it is too much.

Headers as in draft-ietf-httpapi-ratelimit-headers-11: a policy's `q` is the bucket's size and `w`
the seconds in which an empty one fills; `r` is what is left, `t` the seconds until it is full.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from rest_framework.request import Request

from moderation.coordination.token_bucket import Limit, Taken, take
from moderation.errors import RateLimited

# Where a request keeps the headers that its answer will carry.
HEADERS_ATTRIBUTE = "rate_limit_headers"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Which policy holds (`name`, public) and whose tokens are taken (`whose`, ours)."""

    name: str
    whose: str
    limit: Limit
    # How many tokens a process takes at once for the requests to come.
    ahead: int = 1


class _Stock:
    """Tokens that this process took ahead from large buckets: one trip to Redis for many requests.

    Nobody gets more than a bucket holds: what lies here was taken from it. What is not used
    within a moment is forfeited.
    """

    _KEEP_SECONDS = 0.5

    def __init__(self) -> None:
        # Bucket to (tokens here, tokens left there, until when).
        self._kept: dict[str, tuple[int, int, float]] = {}
        self._guard = threading.Lock()

    def take(self, name: str, limit: Limit, tokens: int, ahead: int) -> Taken:
        now = time.monotonic()
        with self._guard:
            here, there, until = self._kept.get(name, (0, 0, 0.0))
            if here >= tokens and now < until:
                self._kept[name] = (here - tokens, there, until)
                return Taken(True, here - tokens + there, 0.0)
        taken = take(name, limit, tokens=max(tokens, ahead))
        if not taken.allowed:
            # Too few for a stock; there may be enough for this request.
            return take(name, limit, tokens=tokens)
        spare = ahead - tokens
        if spare > 0:
            with self._guard:
                self._kept[name] = (spare, taken.remaining, now + self._KEEP_SECONDS)
        return Taken(True, taken.remaining + max(spare, 0), 0.0)

    def clear(self) -> None:
        with self._guard:
            self._kept.clear()


_stock = _Stock()


def forget_tokens() -> None:
    """Drop what this process took ahead; for tests."""
    _stock.clear()


def spend(request: Request, bucket: Bucket, *, tokens: int = 1) -> None:
    """Take tokens for a request. Raises `RateLimited` when there are too few."""
    name = f"{bucket.name}:{bucket.whose}"
    if bucket.ahead > 1:
        taken = _stock.take(name, bucket.limit, tokens, bucket.ahead)
    else:
        taken = take(name, bucket.limit, tokens=tokens)
    setattr(request, HEADERS_ATTRIBUTE, _headers(bucket, taken))
    if not taken.allowed:
        raise RateLimited(
            "Too many requests; come back when Retry-After says.",
            retry_after_seconds=taken.retry_after_seconds,
            policy=bucket.name,
        )


def _headers(bucket: Bucket, taken: Taken) -> dict[str, str]:
    limit = bucket.limit
    window = math.ceil(limit.burst / limit.per_second)
    full_in = math.ceil((limit.burst - taken.remaining) / limit.per_second)
    return {
        "RateLimit-Policy": f'"{bucket.name}";q={limit.burst};w={window}',
        "RateLimit": f'"{bucket.name}";r={taken.remaining};t={full_in}',
    }
