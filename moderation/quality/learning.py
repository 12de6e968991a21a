"""Thresholds from a community's own decisions: proposed with their figures, never put in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from moderation import queries
from moderation.models import Community
from moderation.policy.document import Policy
from moderation.policy.fitting import Fitted, Seen, Steps, Terms, fit_category
from moderation.queries.seen import (
    SeenPost,
    Unseen,
    Why,
    seen_by_people,
    unseen_by_people,
)
from moderation.vocabulary import Action, Category

JUDGE: Final = "local_text"


@dataclass(frozen=True, slots=True)
class Learned:
    """What a community's decisions say of its thresholds.

    `seen` counts posts by why people saw them; `otherwise` posts had no part in the fitting.
    `models` counts them by the version of the model that had scored them.
    """

    community: str
    model: str
    models: Mapping[str, int]
    seen: Mapping[Why, int]
    unseen: Unseen
    sampling_share: float
    fitted: list[Fitted]

    @property
    def is_changed(self) -> bool:
        return any(one.is_changed for one in self.fitted)


def learn_thresholds(
    community: Community, *, since: datetime, model: str, terms: Terms | None = None
) -> Learned:
    """Fit a community's thresholds to what people decided about one version's scores."""
    posts = seen_by_people(community.pk, provider=JUDGE, since=since)
    scored = [one for one in posts if one.model == model]
    policy = queries.policy_of(community.policy_id)
    return Learned(
        community=community.slug,
        model=model,
        models=Counter(one.model for one in posts),
        seen=Counter(one.why for one in scored),
        unseen=unseen_by_people(community.pk, since=since),
        sampling_share=policy.sampling_share,
        fitted=list(_fitted(scored, policy, terms or Terms())),
    )


def _fitted(posts: Sequence[SeenPost], policy: Policy, terms: Terms) -> Iterator[Fitted]:
    for category in Category:
        steps = policy.thresholds[category]
        now = Steps(steps.get(Action.REVIEW), steps.get(Action.BLOCK))
        # A category that only warns was meant to: people are asked about nothing in it.
        if now.review is None and now.block is None:
            continue
        seen = list(_seen_in(category, posts, now))
        if seen:
            yield fit_category(category, seen, now, terms)


def _seen_in(category: Category, posts: Iterable[SeenPost], now: Steps) -> Iterator[Seen]:
    """Yield the posts whose score in this category says why they were seen, or that lots chose."""
    for one in posts:
        score = one.scores.get(category)
        if score is None or one.why is Why.OTHERWISE:
            continue
        asked = one.why is Why.ASKED
        if asked and not _asked_for_itself(category, score, one, now):
            continue
        for_it = one.taken_down and one.for_what in ("", category)
        yield Seen(score, one.taken_down, for_it, asked, str(one.author_id))


def _asked_for_itself(category: Category, score: float, post: SeenPost, now: Steps) -> bool:
    """Whether this score alone put it before people, by the policy it met, and still would.

    A low score beside another category's high one is known only for what that other one found.
    """
    then = queries.policy_of(post.policy_id).thresholds[category].get(Action.REVIEW)
    if then is None or now.review is None:
        return False
    return max(then, now.review) <= score < (1.1 if now.block is None else now.block)
