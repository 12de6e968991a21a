"""3 · Ask the policy's providers about every part, outside any transaction; keep every answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from moderation import queries
from moderation.errors import ProviderError
from moderation.models import MediaItem, ProviderResult, Submission
from moderation.models.posts import media_key
from moderation.pipeline.lease import Claim
from moderation.pipeline.media import image_part
from moderation.policy.document import Policy
from moderation.policy.verdict import PartRef
from moderation.providers import registry
from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.vocabulary import MediaState, Outcome, Part

logger = logging.getLogger(__name__)

TEXT_KEY = "text"
_MEDIA_PART = {"image": Part.IMAGE, "gif": Part.GIF, "video": Part.VIDEO}


@dataclass(frozen=True, slots=True)
class Screened:
    """A claim with what the verdict must rest on and what was answered about it.

    `policy_id` is the revision of the policy that chose the providers and will judge.
    """

    claim: Claim
    policy_id: int | None
    parts: tuple[PartRef, ...]
    results: tuple[ProviderResult, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """One part to be asked about, and the submission that it belongs to."""

    submission: Submission
    part: AnyPart


def screen(claims: Sequence[Claim]) -> list[Screened]:
    """Return every claim with its evidence, in order.

    A provider that fails is an answer too (`failed`); it never raises from here.
    """
    cases = _read_cases(claims)
    results = _ask_all(cases)
    return [
        Screened(
            claim=case.claim,
            policy_id=case.rules.policy_id,
            parts=case.parts(),
            results=tuple(results.get(case.claim.submission.pk, ())),
        )
        for case in cases
    ]


def unscreened(claims: Sequence[Claim]) -> list[Screened]:
    """Return claims that nobody will be asked about, so that nothing of them is judged."""
    return [
        Screened(case.claim, case.rules.policy_id, case.parts(), ()) for case in _read_cases(claims)
    ]


@dataclass(frozen=True, slots=True)
class _Case:
    """A claim with its community's rules and the attachments that its revision shows."""

    claim: Claim
    rules: queries.RulesInForce
    media: Sequence[MediaItem]

    @property
    def text(self) -> str:
        post = self.claim.post
        texts = (post.title, post.body, *(item.alt_text for item in self.media))
        return "\n".join(text for text in texts if text)

    def parts(self) -> tuple[PartRef, ...]:
        """Everything that the verdict must rest on, whether or not a provider can see it."""
        text = [PartRef(TEXT_KEY, Part.TEXT)] if self.text else []
        return (*text, *(PartRef(media_key(row.pk), _MEDIA_PART[row.kind]) for row in self.media))

    def questions(self) -> list[AnyPart]:
        """What providers can be asked about: the text, and the attachments that are ready."""
        scope = str(self.claim.post.community_id)
        asked: list[AnyPart] = [
            image_part(row, scope=scope) for row in self.media if row.state == MediaState.READY
        ]
        if self.text:
            asked.append(TextPart(TEXT_KEY, self.text, self.rules.language, scope=scope))
        return asked


def _read_cases(claims: Sequence[Claim]) -> list[_Case]:
    rules = queries.rules_in_force({item.post.community_id for item in claims})
    media = queries.media_of([item.post for item in claims])
    return [
        _Case(item, rules[item.post.community_id], media.get(item.post.pk, ())) for item in claims
    ]


def _ask_all(cases: Sequence[_Case]) -> dict[int, list[ProviderResult]]:
    """Ask each provider once for the whole batch, several providers at the same time."""
    questions: dict[str, list[_Question]] = {}
    for case in cases:
        policy = queries.policy_of(case.rules.policy_id)
        for part in case.questions():
            for name in _route(policy, part.kind):
                questions.setdefault(name, []).append(_Question(case.claim.submission, part))
    found: dict[int, list[ProviderResult]] = {}
    for results in _in_parallel(questions):
        for row in results:
            found.setdefault(row.submission_id, []).append(row)
    return found


def _in_parallel(questions: Mapping[str, list[_Question]]) -> list[list[ProviderResult]]:
    """Ask outside providers at the same time, and the local ones meanwhile in this thread.

    Local ones may read the database, whose connections belong to threads.
    """
    local = {name: asked for name, asked in questions.items() if registry.is_local(name)}
    outside = {name: asked for name, asked in questions.items() if name not in local}
    if not outside:
        return [_ask(name, asked) for name, asked in local.items()]
    with ThreadPoolExecutor(max_workers=len(outside), thread_name_prefix="ask") as pool:
        waiting = [pool.submit(_ask, name, asked) for name, asked in outside.items()]
        answered = [_ask(name, asked) for name, asked in local.items()]
        return answered + [future.result() for future in waiting]


def _route(policy: Policy, kind: Part) -> tuple[str, ...]:
    names = policy.route.get(kind, ())
    if (
        policy.overload_then == "local_only"
        and policy.overload_seconds is not None
        and queries.oldest_due_seconds() > policy.overload_seconds
    ):
        return tuple(name for name in names if registry.is_local(name))
    return names


def _ask(name: str, questions: Sequence[_Question]) -> list[ProviderResult]:
    """Put all questions to one provider in one call; a failure answers every one of them."""
    started = time.perf_counter()
    model_version = ""
    try:
        provider = registry.get_provider(name)
        model_version = provider.model_version
        given = provider.judge([question.part for question in questions])
        answers = [_sound(answer) for _, answer in zip(questions, given, strict=True)]
    except ProviderError as error:
        answers = [Answer(Outcome.FAILED, error=error.code)] * len(questions)
    except Exception as error:
        # A provider's own fault must not stop the others: nothing was judged, and it says so.
        logger.exception("provider_crashed", extra={"provider": name})
        answers = [Answer(Outcome.FAILED, error=type(error).__name__)] * len(questions)
    latency_ms = (time.perf_counter() - started) * 1000 / max(len(questions), 1)
    return [
        _result(name, question, answer, latency_ms, answer.model_version or model_version)
        for question, answer in zip(questions, answers, strict=True)
    ]


def _sound(answer: Answer) -> Answer:
    """Return an answer that a verdict may rest on: a judgement without proper scores has failed.

    A score that is no number compares as low with every threshold, and none at all fires nothing.
    """
    scores = answer.scores.values()
    if answer.outcome is Outcome.JUDGED and not (
        scores and all(0.0 <= score <= 1.0 for score in scores)
    ):
        return replace(answer, outcome=Outcome.FAILED, scores={}, error="unsound_scores")
    return answer


def _result(
    name: str, question: _Question, answer: Answer, latency_ms: float, model_version: str
) -> ProviderResult:
    return ProviderResult(
        submission=question.submission,
        provider=name,
        model_version=model_version,
        part_kind=question.part.kind,
        part_key=question.part.key,
        outcome=answer.outcome,
        scores={str(category): score for category, score in answer.scores.items()},
        spans=[[span.start, span.end, str(span.category)] for span in answer.spans],
        regions=[list(region) for region in answer.regions],
        raw=dict(answer.raw),
        error=answer.error,
        latency_ms=latency_ms,
        cost_micros=answer.cost_micros,
    )
