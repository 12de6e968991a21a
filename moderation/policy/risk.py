"""How much a post deserves to be looked at first, and whether it may show before that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from moderation.vocabulary import (
    Action,
    Category,
    Lane,
    Priority,
    PublishingMode,
    ReviewLane,
    Severity,
    Standing,
)

# Seconds of head start: a watched author's post overtakes a trusted one's that came at most this
# much earlier, and nothing waits for ever behind newcomers.
RANK_BONUS_SECONDS = MappingProxyType(
    {Standing.WATCHED: 120.0, Standing.NEW: 60.0, Standing.KNOWN: 0.0, Standing.TRUSTED: -60.0}
)
# The same for a key's tier: what stands back waits for nothing that came ten minutes later.
PRIORITY_BONUS_SECONDS = MappingProxyType(
    {Priority.HIGH: 300.0, Priority.NORMAL: 0.0, Priority.LOW: -300.0}
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
# Within how many minutes people should decide, where a community does not say otherwise: a working
# day for what a machine asks, less for what readers see and report, a week for what only checks
# the checks. What was put before a lead has waited once already.
REVIEW_MINUTES = MappingProxyType(
    {
        ReviewLane.NEW: 24 * 60,
        ReviewLane.ESCALATED: 4 * 60,
        ReviewLane.APPEAL: 3 * 24 * 60,
        ReviewLane.REPORT: 12 * 60,
        ReviewLane.SAMPLE: 7 * 24 * 60,
    }
)


def lane_for(standing: Standing, *, has_media: bool) -> Lane:
    return Lane.MEDIA if has_media else _LANES[standing]


def rank_bonus_seconds(standing: Standing, priority: Priority) -> float:
    """Return the head start of a post in its lane; negative where it stands back."""
    return RANK_BONUS_SECONDS[standing] + PRIORITY_BONUS_SECONDS[priority]


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


def review_minutes(lane: ReviewLane, own: Mapping[str, object]) -> int:
    """Return within how many minutes an item of a lane should be decided.

    `own` are a community's times by lane; what is no positive number there counts as not said.
    """
    said = own.get(lane.value)
    is_time = isinstance(said, int) and not isinstance(said, bool) and said > 0
    return said if is_time and isinstance(said, int) else REVIEW_MINUTES[lane]
