"""When an entry of a bank matches so much that it, not the posts, is likely to be wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FloodLimit:
    """More than `matches` within `window_seconds`, and more than `share` of what was judged.

    A plain picture or a common phrase that was banked by mistake matches a large share of all
    posts. One that is posted again and again by those it was banked against is a few of them.
    """

    matches: int
    share: float
    window_seconds: int


def is_flood(*, matches: int, matches_here: int, judged_here: int, limit: FloodLimit) -> bool:
    """Whether an entry matched too much in a window.

    `matches` counts everywhere. The share is taken where both are counted: of `judged_here` posts
    of the communities concerned, `matches_here` matched.
    """
    if matches < limit.matches:
        return False
    return matches_here > limit.share * judged_here
