"""Who may see what, and what waits. Reads only; every surface asks here."""

from moderation.queries.clock import database_now
from moderation.queries.communities import (
    RulesInForce,
    community_matcher,
    forget_everything,
    get_community,
    is_holding_for_overload,
    oldest_due_seconds,
    policy_number_of,
    policy_of,
    rules_in_force,
)
from moderation.queries.experiments import AgainstPeople, Findings, findings_of
from moderation.queries.people import (
    AnyUser,
    communities_moderated_by,
    moderates,
)
from moderation.queries.posts import (
    current_media,
    enforced_on,
    explanations_of,
    get_media_for,
    get_post_for,
    is_for_everyone,
    may_read_as,
    media_of,
    own_posts,
    posts_for,
    posts_of,
    public_posts,
)
from moderation.queries.providers import (
    Backlog,
    DayTotals,
    RecentCalls,
    backlogs,
    communities_by_provider,
    provider_days,
    recent_calls,
)
from moderation.queries.reviews import evidence_for, review_queue

__all__ = [
    "AgainstPeople",
    "AnyUser",
    "Backlog",
    "DayTotals",
    "Findings",
    "RecentCalls",
    "RulesInForce",
    "backlogs",
    "communities_by_provider",
    "communities_moderated_by",
    "community_matcher",
    "current_media",
    "database_now",
    "enforced_on",
    "evidence_for",
    "explanations_of",
    "findings_of",
    "forget_everything",
    "get_community",
    "get_media_for",
    "get_post_for",
    "is_for_everyone",
    "is_holding_for_overload",
    "may_read_as",
    "media_of",
    "moderates",
    "oldest_due_seconds",
    "own_posts",
    "policy_number_of",
    "policy_of",
    "posts_for",
    "posts_of",
    "provider_days",
    "public_posts",
    "recent_calls",
    "review_queue",
    "rules_in_force",
]
