"""Put parts before the providers of a policy's route: each is asked once for a whole batch.

Knows nothing of what is stored, so that a check without a post asks exactly as screening does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache

from moderation import queries
from moderation.errors import ProviderError
from moderation.policy.document import Policy
from moderation.policy.verdict import Evidence, PartRef
from moderation.providers import registry
from moderation.providers.base import Answer, AnyPart
from moderation.vocabulary import Outcome, Part

logger = logging.getLogger(__name__)

TEXT_KEY = "text"
# An author's display name, which readers see above every post.
NAME_KEY = "author_name"
# What an outside provider failed with that had not answered when the time was over.
LATE = "late"
# Calls that are late go on until their own timeout; more of them than this wait their turn, and
# fail when it does not come in time.
MOST_TIMED_CALLS = 32


@dataclass(frozen=True, slots=True)
class Question:
    """One part to be asked about under a policy. `subject` is the asker's own number of a post."""

    subject: int
    policy: Policy
    part: AnyPart


@dataclass(frozen=True, slots=True)
class Answered:
    """What one provider said of one question; `latency_ms` is its share of the batch's time."""

    question: Question
    provider: str
    model_version: str
    answer: Answer
    latency_ms: float

    def evidence(self) -> Evidence:
        """Return the answer as the policy reads it."""
        part = self.question.part
        return Evidence(
            provider=self.provider,
            part=PartRef(part.key, part.kind),
            outcome=self.answer.outcome,
            scores=self.answer.scores,
            spans=[(span.start, span.end, str(span.category)) for span in self.answer.spans],
        )


def visible_text(title: str, body: str, alt_texts: Sequence[str]) -> str:
    """Return a post's text as its readers see it, "" for one without any."""
    return "\n".join(text for text in (title, body, *alt_texts) if text)


def ask(questions: Sequence[Question], *, until: float | None = None) -> list[Answered]:
    """Return every answer of every provider that the questions' policies route to.

    A provider that fails is an answer too (`failed`); it never raises from here. After `until`
    (monotonic clock) outside providers are waited for no longer: they have failed as `late`.
    Local ones always run.
    """
    by_provider: dict[str, list[Question]] = {}
    for question in questions:
        for name in _route(question.policy, question.part.kind):
            by_provider.setdefault(name, []).append(question)
    local = {name: asked for name, asked in by_provider.items() if registry.is_local(name)}
    outside = {name: asked for name, asked in by_provider.items() if name not in local}
    if not outside:
        return _ask_here(local)
    if until is not None:
        return _ask_in_time(local, outside, until)
    with ThreadPoolExecutor(max_workers=len(outside), thread_name_prefix="ask") as pool:
        waiting = [pool.submit(_ask, name, asked) for name, asked in outside.items()]
        found = _ask_here(local)
        return found + [answered for future in waiting for answered in future.result()]


def _route(policy: Policy, kind: Part) -> tuple[str, ...]:
    names = policy.route.get(kind, ())
    if (
        policy.overload_then == "local_only"
        and policy.overload_seconds is not None
        and queries.oldest_due_seconds() > policy.overload_seconds
    ):
        return tuple(name for name in names if registry.is_local(name))
    return names


def _ask_here(local: Mapping[str, Sequence[Question]]) -> list[Answered]:
    """Ask local providers in this thread: they may read the database, whose connections belong
    to threads.
    """
    return [answered for name, asked in local.items() for answered in _ask(name, asked)]


def _ask_in_time(
    local: Mapping[str, Sequence[Question]],
    outside: Mapping[str, Sequence[Question]],
    until: float,
) -> list[Answered]:
    began = time.monotonic()
    waiting = {name: _timed_calls().submit(_ask, name, asked) for name, asked in outside.items()}
    found = _ask_here(local)
    wait(waiting.values(), timeout=max(0.0, until - time.monotonic()))
    for name, future in waiting.items():
        found += _take(name, outside[name], future, began)
    return found


def _take(
    name: str, questions: Sequence[Question], future: Future[list[Answered]], began: float
) -> list[Answered]:
    if future.done():
        return future.result()
    future.cancel()
    waited_ms = (time.monotonic() - began) * 1000
    late = Answer(Outcome.FAILED, error=LATE)
    return [Answered(question, name, "", late, waited_ms) for question in questions]


@cache
def _timed_calls() -> ThreadPoolExecutor:
    # Made at the first call: threads do not outlive a fork.
    return ThreadPoolExecutor(MOST_TIMED_CALLS, thread_name_prefix="ask-timed")


def _ask(name: str, questions: Sequence[Question]) -> list[Answered]:
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
        Answered(question, name, answer.model_version or model_version, answer, latency_ms)
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
