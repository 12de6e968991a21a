"""What another look at old posts would take: how many posts, whom it asks, what that costs.

A sample of the posts is taken along the policy's route as screening would take it, with what is
known of them, and nobody is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID, uuid4

from moderation import queries
from moderation.asking import Answered, Question
from moderation.asking.board import Board, Wanted
from moderation.models import Post, ProviderResult, Submission
from moderation.pipeline.judging.lease import Claim
from moderation.pipeline.judging.screen import foresee
from moderation.pipeline.rejudging.rescan import Selection, Tally, matching_posts, some_posts, tally
from moderation.providers import registry
from moderation.providers.base import Answer
from moderation.vocabulary import Category, Lane, Outcome, Reason, SubmissionState

# Enough to tell a tenth from a fifth, few enough to wait for.
SAMPLE: Final = 500
_CHUNK = 100
# How far back the lane's own pace is looked for, in submissions of any lane.
_MOST_LOOKED_AT = 20_000
_MOST_TIMED = 1_000
# A longer silence between two verdicts was no work.
_IDLE = timedelta(seconds=30)
# Before any rescan has run here: what one worker of two cores makes of short texts with our own
# models, less what live traffic takes of it.
_USUAL_PER_SECOND = 100.0


@dataclass(frozen=True, slots=True)
class Use:
    """What one service would be asked beyond what is known; a repeat of the same content too."""

    provider: str
    questions: int
    calls: int
    cost_micros: int
    seconds: float
    is_set_up: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """`walked` posts are looked through and `posts` of them sent.

    It is exact where all of them were looked at instead of a `sample`.
    """

    walked: int
    posts: int
    sample: int
    uses: tuple[Use, ...]
    seconds: float
    is_exact: bool
    pace_is_known: bool

    @property
    def calls(self) -> int:
        return sum(use.calls for use in self.uses)

    @property
    def cost_micros(self) -> int:
        return sum(use.cost_micros for use in self.uses)

    @property
    def not_set_up(self) -> list[str]:
        """Return whom the policy would ask in vain."""
        return [use.provider for use in self.uses if not use.is_set_up]


def estimate(selection: Selection) -> Estimate:
    """Return what a rescan of a selection would take now, at most."""
    now = queries.database_now()
    walked = tally(selection, now=now)
    sample = _sample(selection, walked, now)
    chosen = _to_be_sent(matching_posts(selection, sample))
    scale = walked.number / len(sample) if sample else 0.0
    asked = _whom_they_need(chosen)
    posts = round(len(chosen) * scale)
    uses = tuple(_use(name, round(number * scale)) for name, number in sorted(asked.items()))
    pace = _recent_pace()
    per_second = pace or _USUAL_PER_SECOND
    return Estimate(
        walked=walked.number,
        posts=posts,
        sample=len(sample),
        uses=uses,
        seconds=max([posts / per_second, *(use.seconds for use in uses)]),
        is_exact=walked.is_exact and len(sample) == walked.number,
        pace_is_known=pace is not None,
    )


def _sample(selection: Selection, walked: Tally, now: datetime) -> Sequence[UUID]:
    """Return posts spread evenly over those that are walked through; all of a few."""
    if not walked.is_exact:
        return some_posts(selection, number=SAMPLE, now=now)
    step = -(-walked.number // SAMPLE) or 1
    return walked.counted[::step]


def _to_be_sent(post_ids: Sequence[UUID]) -> list[UUID]:
    waiting = set(
        Submission.objects.filter(post_id__in=post_ids, state=SubmissionState.DUE).values_list(
            "post_id", flat=True
        )
    )
    return [pk for pk in post_ids if pk not in waiting]


# --- whom they need ------------------------------------------------------------------------------


def _whom_they_need(post_ids: Sequence[UUID]) -> Counter[str]:
    """Return how many questions each service would be asked."""
    asked: Counter[str] = Counter()
    for at in range(0, len(post_ids), _CHUNK):
        asked += _rehearse(_claims(post_ids[at : at + _CHUNK]))
    return asked


def _claims(post_ids: Sequence[UUID]) -> list[Claim]:
    """Return claims as if these posts had been sent again; nothing is stored."""
    posts = Post.objects.filter(pk__in=post_ids).select_related("author")
    return [
        Claim(
            Submission(
                pk=-1 - number,
                post=post,
                revision=post.revision,
                content_hash=post.content_hash,
                reason=Reason.RESCAN,
                lane=Lane.RESCAN,
                attempts=1,
            ),
            uuid4(),
            gave_up=False,
        )
        for number, post in enumerate(posts)
    ]


def _rehearse(claims: Sequence[Claim]) -> Counter[str]:
    questions, known = foresee(claims)
    cast = _Cast(_said_here(claims), claims)
    board = Board(questions, known, cast.prices(questions))
    while wanted := board.wanted():
        board.take([cast.answer(item) for item in wanted])
    return cast.asked


# A post, who judged it, and which part of it.
_Place = tuple[UUID, str, str]


def _said_here(claims: Sequence[Claim]) -> Mapping[_Place, dict[Category, float]]:
    """Return the last scores of our own judges, who may be asked again for nothing."""
    posts = {claim.post.pk: claim.post for claim in claims}
    rows = ProviderResult.objects.filter(
        submission__post_id__in=posts, outcome=Outcome.JUDGED
    ).order_by("pk")
    found: dict[_Place, dict[Category, float]] = {}
    for row in rows.select_related("submission"):
        post = posts[row.submission.post_id]
        if row.submission.revision == post.revision and registry.is_local(row.provider):
            scores = {Category(name): score for name, score in row.scores.items()}
            found[post.pk, row.provider, row.part_key] = scores
    return found


@dataclass(frozen=True, slots=True)
class _Cast:
    """Answers in everybody's place: ours as last time, services without a score.

    Stages that a score decides about are then entered: an estimate is what it costs at most.
    """

    said_here: Mapping[_Place, Mapping[Category, float]]
    claims: Sequence[Claim]
    asked: Counter[str] = field(default_factory=Counter)

    def prices(self, questions: Iterable[Question]) -> dict[str, int]:
        names = {name for question in questions for name in question.policy.providers()}
        services = {name: registry.find_service(name) for name in names}
        return {name: one.terms.cost_micros for name, one in services.items() if one is not None}

    def answer(self, wanted: Wanted) -> Answered:
        return Answered(wanted.question, wanted.provider, "", self._say(wanted))

    def _say(self, wanted: Wanted) -> Answer:
        name, question = wanted.provider, wanted.question
        if registry.is_local(name):
            subject = question.subject if question.subject >= 0 else -1 - question.subject
            place = (self.claims[subject].post.pk, name, question.part.key)
            return Answer(Outcome.JUDGED, scores=self.said_here.get(place, {}))
        self.asked[name] += 1
        service = registry.find_service(name)
        if service is None or not service.provider.is_available():
            return Answer(Outcome.FAILED)
        return Answer(Outcome.JUDGED, cost_micros=service.terms.cost_micros)


# --- how long it takes ---------------------------------------------------------------------------


def _use(name: str, questions: int) -> Use:
    service = registry.find_service(name)
    if service is None or not service.provider.is_available():
        return Use(name, questions, calls=0, cost_micros=0, seconds=0.0, is_set_up=False)
    terms = service.terms
    calls = -(-questions // terms.batch_size)
    by_limit = calls / terms.per_second if terms.per_second else 0.0
    by_latency = calls * _call_seconds(name) / terms.concurrency
    return Use(name, questions, calls, questions * terms.cost_micros, max(by_limit, by_latency))


def _call_seconds(name: str) -> float:
    """Return how long one call took on average these days, 0.0 if there was none."""
    days = [day for day in queries.provider_days([name], days=7)[name] if day.calls]
    total_ms = sum((day.mean_ms or 0.0) * day.calls for day in days)
    return total_ms / 1000 / sum(day.calls for day in days) if days else 0.0


def _recent_pace() -> float | None:
    """Return how many posts a second the lane got through lately, None if there were too few."""
    newest = Submission.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return None
    rows = Submission.objects.filter(
        pk__gt=newest - _MOST_LOOKED_AT, lane=Lane.RESCAN, decided_at__isnull=False
    ).order_by("-pk")
    found = rows.values_list("decided_at", flat=True)[:_MOST_TIMED]
    times = sorted(time for time in found if time is not None)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    working = [gap.total_seconds() for gap in gaps if gap < _IDLE]
    return len(working) / sum(working) if sum(working) > 0 else None
