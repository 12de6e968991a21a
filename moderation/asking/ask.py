"""Put questions before everyone on their policies' routes, round by round, in batches."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from moderation import queries, tracing
from moderation.asking import calls, spending
from moderation.asking.board import Board, Wanted
from moderation.asking.questions import LATE, Answered, Question, posts_of
from moderation.asking.sound import sound
from moderation.errors import ProviderError, ProviderRateLimited
from moderation.policy.document import Policy
from moderation.providers import registry
from moderation.providers.base import Answer
from moderation.vocabulary import Outcome, Part

logger = logging.getLogger(__name__)

# What services are not asked for while verdicts come too late and the policy says so.
OVERLOAD = "overload"
# What a name failed with that is nobody's here, or whose service is switched off.
UNKNOWN = "unknown_provider"
# What a service failed with that would have been asked later, had there been time.
_NO_TIME = (LATE, calls.NO_TURN, calls.IN_FLIGHT, ProviderRateLimited.code)
# Our own models, which answer in time.
_OWN_JUDGES = {
    Part.TEXT: "local_text",
    Part.IMAGE: "local_image",
    Part.GIF: "local_image",
    Part.VIDEO: "local_video",
}


def ask(
    questions: Sequence[Question],
    *,
    known: Iterable[Answered] = (),
    until: float | None = None,
) -> list[Answered]:
    """Return every answer of everyone on the routes of the questions' policies, `known` included.

    One of our own judges that knows nothing of a part is no answer.

    A provider that fails is an answer too (`failed`); it never raises from here. An answer may be
    pending: then ask again with all others as `known`. After `until` (monotonic clock) services
    are waited for no longer and nothing is pending: they have failed, as `late` or for want of a
    turn, and our own judges are asked where nobody else has judged.
    """
    board = Board(questions, known, _prices(questions))
    while wanted := board.wanted():
        board.take(_put(wanted, until))
    spending.flush()
    answers = [answered for answered in board.answers() if not _says_nothing(answered)]
    return answers if until is None else _stand_in(answers)


def _prices(questions: Sequence[Question]) -> dict[str, int]:
    """Return what one part costs with each service that a post's money may not reach for."""
    limited = {
        id(question.policy): question.policy
        for question in questions
        if question.policy.budget_micros is not None
    }
    names = {name for policy in limited.values() for name in policy.providers()}
    services = {name: registry.find_service(name) for name in names}
    return {name: one.terms.cost_micros for name, one in services.items() if one is not None}


def _says_nothing(answered: Answered) -> bool:
    answer = answered.answer
    return (
        answer.outcome is Outcome.NOT_JUDGED
        and not (answer.error or answer.raw or answer.text)
        and registry.is_local(answered.provider)
    )


def _stand_in(answers: Sequence[Answered]) -> list[Answered]:
    """Let our own judges answer for services that had no time to: the caller waits for nobody."""
    by_part: dict[tuple[int, str], list[Answered]] = defaultdict(list)
    for answered in answers:
        by_part[answered.question.subject, answered.question.part.key].append(answered)
    found: list[Answered] = []
    for said in by_part.values():
        failed = [item for item in said if _is_late(item)]
        name = _own_judge(said) if failed else None
        if failed and name is None:
            name = _OWN_JUDGES.get(failed[0].question.part.kind)
            extra = ask_here(name, [failed[0].question]) if name else []
            found += extra
            name = _own_judge(extra)
        found += [
            replace(item, stood_in=name) if name and item in failed else item for item in said
        ]
    return found


def _is_late(item: Answered) -> bool:
    """Whether it had no time, be it because its turn would have come too late."""
    return item.answer.error in _NO_TIME and not item.stood_in


def _own_judge(said: Sequence[Answered]) -> str | None:
    """Return which of our own models has judged this part already."""
    return next(
        (
            item.provider
            for item in said
            if item.answer.outcome is Outcome.JUDGED
            and item.provider == _OWN_JUDGES.get(item.question.part.kind)
        ),
        None,
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """Who is asked what at once; services within so many seconds, and replaceable or not."""

    local: dict[str, list[Question]]
    services: dict[tuple[str, float | None, bool], list[Question]]
    answered: list[Answered]


def _put(wanted: Sequence[Wanted], until: float | None) -> list[Answered]:
    this = _sort(wanted)
    started = [
        calls.start(service, questions, seconds=seconds, until=until, is_replaceable=is_replaceable)
        for (name, seconds, is_replaceable), questions in this.services.items()
        if (service := registry.find_service(name)) is not None
    ]
    # Our own judges may read the database, whose connections belong to threads: they run here.
    found = [answered for name, asked in this.local.items() for answered in ask_here(name, asked)]
    return [*this.answered, *found, *(item for call in started for item in call.wait())]


def _sort(wanted: Sequence[Wanted]) -> _Round:
    this = _Round(defaultdict(list), defaultdict(list), [])
    for item in wanted:
        if registry.is_local(item.provider):
            this.local[item.provider].append(item.question)
        elif _is_overloaded(item.question.policy):
            spared = Answer(Outcome.NOT_JUDGED, error=OVERLOAD)
            this.answered.append(Answered(item.question, item.provider, "", spared))
        elif registry.find_service(item.provider) is None:
            unknown = Answer(Outcome.FAILED, error=UNKNOWN)
            this.answered.append(Answered(item.question, item.provider, "", unknown))
        else:
            who = item.provider, item.seconds, item.is_replaceable
            this.services[who].append(item.question)
    return this


def _is_overloaded(policy: Policy) -> bool:
    return (
        policy.overload_then == "local_only"
        and policy.overload_seconds is not None
        and queries.oldest_due_seconds() > policy.overload_seconds
    )


def ask_here(name: str, questions: Sequence[Question]) -> list[Answered]:
    """Put all questions to one of our own judges in one call; a failure answers every one."""
    started = time.perf_counter()
    model_version = ""
    try:
        provider = registry.get_provider(name)
        model_version = provider.model_version
        with tracing.span("ask", about=posts_of(questions), provider=name, parts=len(questions)):
            given = provider.judge([question.part for question in questions])
        answers = [sound(answer) for _, answer in zip(questions, given, strict=True)]
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
