"""How much a caller may ask for, and the headers that say so before it is too much.

Headers as in draft-ietf-httpapi-ratelimit-headers-11: a policy's `q` is the bucket's size and `w`
the seconds in which an empty one fills; `r` is what is left, `t` the seconds until it is full.
"""

from __future__ import annotations

import math
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


def spend(request: Request, bucket: Bucket, *, tokens: int = 1) -> None:
    """Take tokens for a request. Raises `RateLimited` when there are too few."""
    taken = take(f"{bucket.name}:{bucket.whose}", bucket.limit, tokens=tokens)
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
