"""How much a post deserves to be looked at first, and whether it may show before that."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType

from moderation.vocabulary import Action, Category, Lane, PublishingMode, Severity, Standing

# Seconds of head start: a watched author's post overtakes a trusted one's that came at most this
# much earlier, and nothing waits for ever behind newcomers.
RANK_BONUS_SECONDS = MappingProxyType(
    {Standing.WATCHED: 120.0, Standing.NEW: 60.0, Standing.KNOWN: 0.0, Standing.TRUSTED: -60.0}
)
_LANES = {
    Standing.WATCHED: Lane.SCREEN_HIGH,
    Standing.NEW: Lane.SCREEN_HIGH,
    Standing.KNOWN: Lane.SCREEN,
    Standing.TRUSTED: Lane.SCREEN_LOW,
}
_CRITICAL = frozenset({Category.SEXUAL_MINORS, Category.EXTREMISM})
_HIGH = frozenset(
    {Category.THREAT, Category.SELF_HARM, Category.HATE, Category.VIOLENCE, Category.GRAPHIC}
)
# What one step of severity, or ten times the readers, is worth in the review queue.
REVIEW_BONUS_SECONDS_PER_STEP = 6 * 3600.0


def lane_for(standing: Standing, *, has_media: bool) -> Lane:
    return Lane.MEDIA if has_media else _LANES[standing]


def is_risky(standing: Standing) -> bool:
    return standing in (Standing.WATCHED, Standing.NEW)


def shows_before_verdict(modes: Collection[PublishingMode], standing: Standing) -> bool:
    """Whether readers may see a revision before its verdict.

    `modes` are those of all its parts: the strictest counts. A recently rejected author's post
    always waits.
    """
    if standing is Standing.WATCHED or PublishingMode.HOLD in modes:
        return False
    return PublishingMode.HOLD_IF_RISKY not in modes or not is_risky(standing)


def severity_of(category: Category | None, action: Action) -> Severity:
    """How much harm an item in the review queue may do."""
    if category in _CRITICAL:
        return Severity.CRITICAL
    if category in _HIGH:
        return Severity.HIGH
    return Severity.MEDIUM if action in (Action.BLOCK, Action.REVIEW) else Severity.LOW


def review_bonus_seconds(severity: Severity, readers: int) -> float:
    """Return the head start of an item: severity and reach weigh against age.

    `readers` is how many people can see or did see the post; each power of ten counts a step.
    """
    reach_steps = len(str(max(readers, 1))) - 1
    return (severity.value - 1 + reach_steps) * REVIEW_BONUS_SECONDS_PER_STEP
