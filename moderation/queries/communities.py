"""A community's rules as they are now, and whether its verdicts keep up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from django.db.models import Min, Q
from django.db.models.functions import Now

from moderation.coordination.short_memory import ShortMemory
from moderation.errors import NotFound
from moderation.models import (
    Brake,
    Community,
    CommunityWord,
    Experiment,
    PolicyRevision,
    Submission,
)
from moderation.models.screening import PARKED
from moderation.policy.brake import NOT_BRAKED, Braked
from moderation.policy.document import DEFAULT_DOCUMENT, Policy, parse_policy
from moderation.policy.route import is_in_share
from moderation.queries.clock import database_now
from moderation.text.matcher import WordMatcher
from moderation.vocabulary import BrakeKind, ExperimentMode, Lane, SubmissionState, WordAction

_load: ShortMemory[float] = ShortMemory()
_words: ShortMemory[WordMatcher[WordAction] | None] = ShortMemory(seconds=3600)
_communities: ShortMemory[Community] = ShortMemory()
_trials: ShortMemory[dict[int, RunningTrial]] = ShortMemory()
_brakes: ShortMemory[dict[int, Braked]] = ShortMemory()


@lru_cache(maxsize=1024)
def policy_of(policy_id: int | None) -> Policy:
    """Return a policy revision's rules; revisions never change, so they are kept for good."""
    if policy_id is None:
        return parse_policy(DEFAULT_DOCUMENT)
    return PolicyRevision.objects.get(pk=policy_id).parsed()


@lru_cache(maxsize=1024)
def policy_number_of(policy_id: int | None) -> int | None:
    """Return the number that people know a policy revision by, None for the built-in policy."""
    if policy_id is None:
        return None
    return PolicyRevision.objects.values_list("number", flat=True).get(pk=policy_id)


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """What screening must know of a community; `language` is "" when it expects none.

    `review_minutes` are its own times for people to decide, by lane.
    """

    policy_id: int | None
    language: str
    trial: RunningTrial | None = None
    review_minutes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """An experiment that runs now: which authors meet its candidate, and whether that counts."""

    experiment_id: int
    candidate_id: int
    is_live: bool
    share: float

    def includes(self, author_id: int) -> bool:
        """The same author always meets the same rules."""
        return is_in_share(f"{self.experiment_id}:{author_id}", self.share)


def rules_in_force(community_ids: Collection[int]) -> dict[int, RulesInForce]:
    """Return each community's rules as they are now; trials may be a second old."""
    trials = _trials.get("running", _read_trials)
    rows = Community.objects.filter(pk__in=community_ids)
    return {
        pk: RulesInForce(policy_id, language, trials.get(pk), minutes)
        for pk, policy_id, language, minutes in rows.values_list(
            "pk", "policy_id", "language", "review_minutes"
        )
    }


def _read_trials() -> dict[int, RunningTrial]:
    return {
        row.community_id: RunningTrial(
            row.pk, row.candidate_id, row.mode == ExperimentMode.LIVE, row.share
        )
        for row in Experiment.objects.filter(ended_at__isnull=True)
    }


def braked_in(community_id: int) -> Braked:
    """Return what only asks a person in a community now. May be up to a second old."""
    return _brakes.get("pulled", _read_brakes).get(community_id, NOT_BRAKED)


def braked_communities() -> frozenset[int]:
    """Return where anything is braked now. May be up to a second old."""
    return frozenset(_brakes.get("pulled", _read_brakes))


def _read_brakes() -> dict[int, Braked]:
    pulled = Brake.objects.filter(released_at__isnull=True)
    rows = pulled.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))
    names: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for community_id, kind, name in rows.values_list("community_id", "kind", "name"):
        names[community_id][kind].add(name)
    return {
        community_id: Braked(frozenset(found[BrakeKind.RULE]), frozenset(found[BrakeKind.PROVIDER]))
        for community_id, found in names.items()
    }


def get_community(slug: str) -> Community:
    """Raises `NotFound`. May be up to a second old."""

    def read() -> Community:
        community = Community.objects.filter(slug=slug).first()
        if community is None:
            raise NotFound(f"There is no community {slug!r}.")
        return community

    return _communities.get(slug, read)


def community_matcher(community: Community) -> WordMatcher[WordAction] | None:
    """Return the matcher of a community's own words (payload: `WordAction`), None without any."""

    def read() -> WordMatcher[WordAction] | None:
        words = list(CommunityWord.objects.filter(community_id=community.pk))
        if not words:
            return None
        return WordMatcher.build([(word.term, WordAction(word.action)) for word in words])

    return _words.get((community.pk, community.words_version), read)


def oldest_due_seconds() -> float:
    """Return the age of the oldest submission that waits for its verdict, 0.0 when none does.

    Of live traffic: posts that are looked at again wait behind it, and hold nobody up.
    """

    def read() -> float:
        # What waits for a slow service says nothing of how well we keep up.
        due = (
            Submission.objects.filter(state=SubmissionState.DUE)
            .exclude(lane=Lane.RESCAN)
            .exclude(last_error=PARKED)
        )
        oldest = due.aggregate(at=Min("created_at"))["at"]
        return (database_now() - oldest).total_seconds() if oldest else 0.0

    return _load.get("oldest", read)


def is_holding_for_overload(community: Community) -> bool:
    """Whether new posts wait for their verdict because verdicts come too late."""
    policy = policy_of(community.policy_id)
    return (
        policy.overload_then == "hold"
        and policy.overload_seconds is not None
        and oldest_due_seconds() > policy.overload_seconds
    )


def forget_everything() -> None:
    """Drop what this process remembers; for tests and for commands that change rows wholesale."""
    for memory in (_load, _words, _communities, _trials, _brakes):
        memory.clear()
    policy_of.cache_clear()
    policy_number_of.cache_clear()
