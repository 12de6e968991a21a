"""Posts that people decided on, with the scores that were given before."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final
from uuid import UUID

from moderation.models import Decision, ProviderResult
from moderation.policy.precision import Labelled
from moderation.vocabulary import Action, Category, Outcome

# The newest ones: what a page can count while somebody waits.
MOST_DECISIONS: Final = 5_000
_CHUNK = 1_000


def labelled_scores(community_id: int, *, since: datetime) -> dict[Category, list[Labelled]]:
    """Return, by category, each decided revision that was scored in it.

    The last word of a person counts, unless it was reversed; of several scores the highest.
    """
    decided = _decided(community_id, since)
    found: dict[Category, list[Labelled]] = defaultdict(list)
    posts = [post for post, _ in decided]
    for at in range(0, len(posts), _CHUNK):
        for place, scores in _highest(posts[at : at + _CHUNK]).items():
            if place not in decided:
                continue
            action, for_what = decided[place]
            is_down = action == Action.BLOCK
            for name, score in scores.items():
                if name in Category.values:
                    for_it = is_down and for_what in (name, None, "")
                    found[Category(name)].append(Labelled(score, is_down, for_it))
    return found


_Place = tuple[UUID, int]


def _decided(community_id: int, since: datetime) -> dict[_Place, tuple[str, str | None]]:
    rows = (
        Decision.objects.filter(post__community_id=community_id, decided_at__gte=since)
        .exclude(enforcement__reversed_at__isnull=False)
        .order_by("-pk")
        .values_list("post_id", "revision", "action", "category")[:MOST_DECISIONS]
    )
    found: dict[_Place, tuple[str, str | None]] = {}
    for post, revision, action, category in rows:
        found.setdefault((post, revision), (action, category))
    return found


def _highest(posts: list[UUID]) -> dict[_Place, dict[str, float]]:
    rows = ProviderResult.objects.filter(
        submission__post_id__in=posts, outcome=Outcome.JUDGED, shadow=False
    ).values_list("submission__post_id", "submission__revision", "scores")
    found: dict[_Place, dict[str, float]] = defaultdict(dict)
    for post, revision, scores in rows:
        highest = found[post, revision]
        for name, score in scores.items():
            highest[name] = max(score, highest.get(name, 0.0))
    return found
