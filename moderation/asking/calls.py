"""One service, many questions: what is known already, whose turn it is, breaker, retries, halves.

What can be known without waiting is found in the asker's thread; calls themselves run in threads
that touch no database.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from moderation import tracing
from moderation.asking import at_work, spending
from moderation.asking.questions import LATE, Answered, Question, posts_of
from moderation.asking.sound import begun, sound
from moderation.conf import get_conf
from moderation.coordination import answers as shared_answers
from moderation.coordination import token_bucket
from moderation.coordination.breaker import Breaker, BreakerRules, BreakerState
from moderation.coordination.slots import Slots
from moderation.coordination.token_bucket import Limit
from moderation.errors import (
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderShut,
    ProviderUnavailable,
)
from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.providers.registry import Service, Terms
from moderation.vocabulary import Outcome, Reason

logger = logging.getLogger(__name__)

BREAKER_OPEN = "breaker_open"
DAY_SPENT = "daily_budget"
NO_TURN = "no_turn"
IN_FLIGHT = "asked_elsewhere"
# Threads of this process that wait for services; what finds none free waits its turn.
MOST_CALLS_AT_ONCE = 32
# A second try is worth it for a hiccup, not for an outage: that is the breaker's to see.
TRIES = 2
_RETRY_AFTER_SECONDS = (0.1, 0.4)
# What a service that says nothing of when to come back is spared for.
_PAUSE_SECONDS = 1.0
_HEADROOM = 0.1
# Of a service without a limit, only its own wish that everybody waits counts.
_NO_LIMIT = Limit(1_000_000, 1_000_000)
_LONGEST_PAUSE_SECONDS = 300.0
# Rows that wait come back in steps of this, so that they share their claims.
_LEAST_WAIT_SECONDS = 0.25
# How often a post looks whether the job of another one has brought the answer.
_JOB_WAIT_SECONDS = 5.0
# A call that takes this share of its time is as bad as one that fails, if most do.
_SLOW_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Started:
    """Calls under way, and what is answered already."""

    desk: _Desk
    answered: list[Answered]
    running: dict[Future[list[Answered]], Sequence[_Group]] = field(default_factory=dict)

    def wait(self) -> list[Answered]:
        """Return every answer; a call that has not ended by now has failed as late."""
        wait(self.running, timeout=max(0.0, self.desk.seconds_left()))
        found = list(self.answered)
        for future, groups in self.running.items():
            if future.done():
                found += future.result()
            elif future.cancel():
                _release(groups)
                found += self.desk.later(groups, _LEAST_WAIT_SECONDS, LATE)
            else:
                found += self.desk.late(groups)
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """Questions about the same content: one of them is asked for all."""

    service: Service
    key: str
    questions: Sequence[Question]
    # Under which nobody else asks about it meanwhile, "" where nobody claimed it.
    claim: str = ""

    @property
    def part(self) -> AnyPart:
        return self.questions[0].part

    def answered(
        self,
        answer: Answer,
        latency_ms: float = 0.0,
        *,
        cached: bool = False,
        again_in_seconds: float = 0.0,
    ) -> list[Answered]:
        """Return the answer to every question; only the first of them was paid for."""
        provider = self.service.provider
        version = answer.model_version or provider.model_version
        return [
            Answered(
                question,
                provider.name,
                version,
                answer if number == 0 else replace(answer, cost_micros=0),
                latency_ms,
                cached=cached or number > 0,
                again_in_seconds=again_in_seconds,
            )
            for number, question in enumerate(self.questions)
        ]


def start(
    service: Service,
    questions: Sequence[Question],
    *,
    seconds: float | None,
    until: float | None,
    is_replaceable: bool = False,
) -> Started:
    """Begin to put questions to a service.

    Whoever has not answered within `seconds` of its stage, or by `until`, is late. Only without
    `until` may an answer be pending; where somebody else can be asked instead, no longer than that.
    """
    conf = get_conf()
    longest = seconds or service.terms.timeout_seconds * TRIES + conf.provider_turn_seconds
    ends_at = min(time.monotonic() + longest, until if until is not None else float("inf"))
    desk = _Desk(
        service,
        ends_at,
        may_wait=until is None,
        longest_wait=min(longest, conf.provider_wait_seconds)
        if is_replaceable
        else conf.provider_wait_seconds,
        is_replaceable=is_replaceable,
    )
    groups = _same_content(service, questions)
    answered, groups = _take_known(service, groups)
    why_not = refusal(service)
    if why_not:
        return Started(desk, answered + desk.failed(groups, why_not))
    if desk.seconds_left() <= 0:
        return Started(desk, answered + desk.late(groups))
    elsewhere, groups = _take_at_work(desk, groups)
    answered += elsewhere
    elsewhere, groups = _take_asked_elsewhere(desk, groups)
    too_dear, groups = _take_too_dear(desk, groups)
    elsewhere += too_dear
    if not groups:
        return Started(desk, answered + elsewhere)
    chunks = _chunks(groups, service.terms)
    granted, refused = _turns(desk, chunks)
    running: dict[Future[list[Answered]], Sequence[_Group]] = {
        threads().submit(tracing.bound(desk.call), chunk): chunk for chunk in granted
    }
    return Started(desk, [*answered, *elsewhere, *refused], running)


@cache
def threads() -> ThreadPoolExecutor:
    """Return this process's threads for calls; they touch no database."""
    # Made at the first call: threads do not outlive a fork.
    return ThreadPoolExecutor(MOST_CALLS_AT_ONCE, thread_name_prefix="ask")


def breaker_of(service: Service) -> Breaker:
    """Return the breaker that all workers share for a service."""
    timeout = service.terms.timeout_seconds
    rules = BreakerRules(slow_seconds=timeout * _SLOW_SHARE, probe_seconds=timeout * TRIES + 5)
    return Breaker(breaker_name(service.provider.name), rules)


def breaker_name(provider: str) -> str:
    return f"provider:{provider}"


# --- before anyone is called -----------------------------------------------------------------


def _same_content(service: Service, questions: Sequence[Question]) -> list[_Group]:
    by_key: dict[str, list[Question]] = defaultdict(list)
    provider = service.provider
    who = f"{provider.name}:{provider.model_version}:{service.changed}"
    for question in questions:
        part = question.part
        by_key[f"{who}:{part.kind}:{part.fingerprint}{_afresh(question)}"].append(question)
    return [_Group(service, key, asked) for key, asked in by_key.items()]


def _afresh(question: Question) -> str:
    """Tell the question of a second opinion apart from all that was asked about such content."""
    around = question.around
    return f":appeal:{around.share_key}" if around.reason is Reason.APPEAL else ""


def _take_known(service: Service, groups: list[_Group]) -> tuple[list[Answered], list[_Group]]:
    """Return answers that are still good, and the groups that have none."""
    if not service.terms.cache_seconds:
        return [], groups
    kept = shared_answers.get_many([group.key for group in groups])
    found: list[Answered] = []
    missing: list[_Group] = []
    for group in groups:
        answer = _read_kept(kept.get(group.key))
        if answer is None:
            missing.append(group)
        else:
            found += group.answered(answer, cached=True)
    if found:
        spending.note(spending.Spent(service.provider.name, parts=0, cached=len(found)))
    return found, missing


def _read_kept(value: str | None) -> Answer | None:
    if value is None:
        return None
    try:
        return replace(Answer.from_json(json.loads(value)), cost_micros=0)
    except (ValueError, KeyError, TypeError):
        # Kept by another version of ours: asked again.
        return None


def refusal(service: Service) -> str:
    """Return why nobody asks this service now, "" when it may be asked."""
    name = service.provider.name
    if not service.provider.is_available():
        return "not_set_up"
    if spending.is_day_spent(name, service.terms.daily_budget_micros):
        return DAY_SPENT
    return ""


def _take_at_work(desk: _Desk, groups: list[_Group]) -> tuple[list[Answered], list[_Group]]:
    """Leave out what the service is at work on for another post: its answer will be known."""
    service = desk.service
    if not (desk.may_wait and service.terms.cache_seconds and service.provider.facts.answers_later):
        return [], groups
    keys = at_work.find([group.key for group in groups])
    return (
        desk.wait_for_job([group for group in groups if group.key in keys]),
        [group for group in groups if group.key not in keys],
    )


def _take_asked_elsewhere(desk: _Desk, groups: list[_Group]) -> tuple[list[Answered], list[_Group]]:
    """Leave out what another worker is asking about right now: its answer will be known soon."""
    if not desk.may_wait or not desk.service.terms.cache_seconds:
        return [], groups
    terms = desk.service.terms
    mine = shared_answers.claim_many(
        [group.key for group in groups], seconds=terms.timeout_seconds * TRIES + 1
    )
    others = [group for group in groups if group.key not in mine.keys]
    return (
        desk.later(others, _LEAST_WAIT_SECONDS, IN_FLIGHT),
        [replace(group, claim=mine.token) for group in groups if group.key in mine.keys],
    )


def _take_too_dear(desk: _Desk, groups: list[_Group]) -> tuple[list[Answered], list[_Group]]:
    """Leave out what the day's money does not reach for."""
    terms = desk.service.terms
    number = spending.affordable_parts(desk.name, terms.daily_budget_micros, terms.cost_micros)
    if number is None:
        return [], groups
    _release(groups[number:])
    return desk.failed(groups[number:], DAY_SPENT), groups[:number]


def _release(groups: Sequence[_Group]) -> None:
    """Let others ask about it: it is answered, or this call brought nothing."""
    claimed = [group for group in groups if group.claim]
    if claimed:
        keys = frozenset(group.key for group in claimed)
        shared_answers.release_claims(shared_answers.Claim(keys, claimed[0].claim))


def _chunks(groups: Sequence[_Group], terms: Terms) -> list[Sequence[_Group]]:
    texts = [group for group in groups if isinstance(group.part, TextPart)]
    media = [group for group in groups if not isinstance(group.part, TextPart)]
    return [
        together[at : at + size]
        for together, size in ((texts, terms.batch_size), (media, terms.media_batch_size))
        for at in range(0, len(together), size)
    ]


def _turns(
    desk: _Desk, chunks: Sequence[Sequence[_Group]]
) -> tuple[Sequence[Sequence[_Group]], list[Answered]]:
    """Return the calls that may get their turn within our patience, and what becomes of others.

    The turn itself is taken right before a call: one that was taken early could be used late,
    beside those of that moment.
    """
    soon = desk.service.terms.concurrency + int(desk.limit.per_second * desk.patience())
    later: list[Answered] = []
    for number, chunk in enumerate(chunks[soon:]):
        _release(chunk)
        later += desk.later(chunk, desk.patience() + number / desk.limit.per_second, NO_TURN)
    return chunks[:soon], later


# --- a call ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where the calls of one round to one service are made.

    `may_wait`: answers may be pending, for `longest_wait` seconds in all. `is_replaceable`: another
    one can be asked in its place.
    """

    service: Service
    ends_at: float
    may_wait: bool
    longest_wait: float
    is_replaceable: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.service.provider.name

    @property
    def bucket(self) -> str:
        return breaker_name(self.name)

    @property
    def limit(self) -> Limit:
        """How often all workers together may call."""
        rate = self.service.terms.per_second
        if rate is None:
            return _NO_LIMIT
        # Exact when it is granted, not when a call arrives: a tenth is left for the way there.
        calls = int(rate * (1 - _HEADROOM))
        return Limit.at_most(calls) if calls >= 1 else Limit(1, rate * (1 - _HEADROOM))

    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()

    def patience(self) -> float:
        """Return how long a turn may still be waited for here."""
        spent = time.monotonic() - self.began
        return min(get_conf().provider_turn_seconds - spent, self.seconds_left())

    def call(self, chunk: Sequence[_Group]) -> list[Answered]:
        """Return the answers of one call, or of what became of it. Never raises."""
        about = posts_of(question for group in chunk for question in group.questions)
        with tracing.span("ask", about=about, kind="client", provider=self.name, parts=len(chunk)):
            answered = self._call(chunk)
            if tracing.is_on():
                errors = sorted({item.answer.error for item in answered if item.answer.error})
                outcomes = sorted({str(item.answer.outcome) for item in answered})
                tracing.tell_all(outcome=",".join(outcomes), error=",".join(errors))
        return answered

    def _call(self, chunk: Sequence[_Group]) -> list[Answered]:
        slots = Slots(self.bucket, self.service.terms.concurrency)
        token = self.take_slot(slots)
        if token is None:
            return self.later(chunk, _PAUSE_SECONDS, NO_TURN)
        try:
            wait_seconds = self.take_turn()
            if wait_seconds:
                return self.later(chunk, wait_seconds, NO_TURN)
            return self._try(chunk, TRIES)
        except Exception as error:
            logger.exception("provider_crashed", extra={"provider": self.name})
            return self.failed(chunk, type(error).__name__)
        finally:
            slots.give_back(token)
            _release(chunk)

    def take_slot(self, slots: Slots) -> str | None:
        lease = self.service.terms.timeout_seconds * TRIES + 5
        token = slots.take(lease)
        while token is None and self.patience() > 0:
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - only spreads the tries
            token = slots.take(lease)
        return token

    def _try(self, chunk: Sequence[_Group], tries: int) -> list[Answered]:
        gate = Gate(self.service)
        if not gate.admit():
            return self.failed(chunk, BREAKER_OPEN)
        began = time.perf_counter()
        try:
            given = self._judge(chunk)
        except ProviderError as error:
            gate.report(error)
            self._note(chunk, began, error.code)
            return self._make_good(chunk, error, tries)
        except Exception:
            gate.give_back()
            self._note(chunk, began, "crashed")
            raise
        gate.report(None)
        return self._keep(chunk, given, time.perf_counter() - began)

    def _make_good(
        self, chunk: Sequence[_Group], error: ProviderError, tries: int
    ) -> list[Answered]:
        """Return what can still be had after a call has failed."""
        if isinstance(error, ProviderRateLimited):
            return self._wait_as_told(chunk, error.retry_after_seconds, tries)
        if isinstance(error, ProviderUnavailable):
            return self._try_again(chunk, tries, error.code)
        if isinstance(error, ProviderRejected):
            return self._in_halves(chunk, tries, error.code)
        return self.failed(chunk, error.code)

    def _judge(self, chunk: Sequence[_Group]) -> list[Answer]:
        given = self.service.provider.judge([group.part for group in chunk])
        if len(given) != len(chunk):
            raise ProviderUnavailable("It answered another number of parts.")
        return [begun(sound(answer)) for answer in given]

    def _wait_as_told(
        self, chunk: Sequence[_Group], told: float | None, tries: int
    ) -> list[Answered]:
        """Everyone waits as long as the service asks one of us to."""
        pause = pause_as_told(self.service, told)
        if tries > 1 and not self.take_turn():
            return self._try(chunk, tries - 1)
        return self.later(chunk, pause, ProviderRateLimited.code)

    def _try_again(self, chunk: Sequence[_Group], tries: int, error: str) -> list[Answered]:
        pause = random.uniform(*_RETRY_AFTER_SECONDS)  # noqa: S311 - only spreads the tries
        if tries <= 1 or self.seconds_left() <= pause:
            return self.failed(chunk, error)
        time.sleep(pause)
        return self.failed(chunk, error) if self.take_turn() else self._try(chunk, tries - 1)

    def take_turn(self) -> float:
        """Wait for the turn of one call; return 0.0, or in how many seconds it may be had."""
        while True:
            taken = token_bucket.take(self.bucket, self.limit)
            if taken.allowed:
                return 0.0
            if taken.retry_after_seconds > self.patience():
                return taken.retry_after_seconds
            time.sleep(taken.retry_after_seconds)

    def _in_halves(self, chunk: Sequence[_Group], tries: int, error: str) -> list[Answered]:
        """One bad part spoils a whole call: find it, and let the others be judged."""
        if len(chunk) == 1:
            return self.failed(chunk, error)
        found: list[Answered] = []
        middle = len(chunk) // 2
        for half in (chunk[:middle], chunk[middle:]):
            wait_seconds = self.take_turn()
            found += (
                self.later(half, wait_seconds, NO_TURN) if wait_seconds else self._try(half, tries)
            )
        return found

    def _keep(
        self, chunk: Sequence[_Group], given: Sequence[Answer], seconds: float
    ) -> list[Answered]:
        usual = self.service.terms.cost_micros
        answers = [
            replace(answer, cost_micros=answer.cost_micros or usual)
            if answer.outcome is not Outcome.FAILED
            else answer
            for answer in given
        ]
        spending.note(
            spending.Spent(
                self.name,
                parts=len(chunk),
                latency_ms=seconds * 1000,
                cost_micros=sum(answer.cost_micros for answer in answers),
            )
        )
        ttl = self.service.terms.cache_seconds
        if ttl:
            shared_answers.put_many(
                {
                    group.key: json.dumps(answer.to_json())
                    for group, answer in zip(chunk, answers, strict=True)
                    if answer.outcome is Outcome.JUDGED or answer.text
                },
                ttl_seconds=ttl,
            )
        share_ms = seconds * 1000 / len(chunk)
        return [
            item
            for group, answer in zip(chunk, answers, strict=True)
            for item in self._said(group, answer, share_ms)
        ]

    def _said(self, group: _Group, answer: Answer, share_ms: float) -> list[Answered]:
        if answer.outcome is not Outcome.PENDING or answer.job is None:
            return group.answered(answer, share_ms)
        if not self.may_wait:
            return group.answered(Answer(Outcome.FAILED, error=LATE), share_ms)
        # A job belongs to one post: others with the same content come back for its answer.
        first = replace(group, questions=group.questions[:1])
        others = replace(group, questions=group.questions[1:])
        if self.service.terms.cache_seconds:
            at_work.note_job(self.name, group.key, answer.job)
        return [
            *first.answered(answer, share_ms, again_in_seconds=answer.job.poll_after_seconds),
            *(self.wait_for_job([others]) if others.questions else ()),
        ]

    def _note(self, chunk: Sequence[_Group], began: float, error: str) -> None:
        spending.note(
            spending.Spent(
                self.name,
                parts=len(chunk),
                outcome=Outcome.FAILED,
                error=error,
                latency_ms=(time.perf_counter() - began) * 1000,
            )
        )

    def failed(self, chunk: Sequence[_Group], error: str) -> list[Answered]:
        failed = Answer(Outcome.FAILED, error=error)
        return [item for group in chunk for item in group.answered(failed)]

    def late(self, chunk: Sequence[_Group]) -> list[Answered]:
        failed = Answer(Outcome.FAILED, error=LATE)
        waited_ms = (time.monotonic() - self.began) * 1000
        return [item for group in chunk for item in group.answered(failed, waited_ms)]

    def later(self, chunk: Sequence[_Group], seconds: float, error: str) -> list[Answered]:
        """Return answers that are asked for again, or failures of what has waited long enough.

        Where somebody else can be asked, nobody begins a wait that would be too long.
        """
        longest = self.longest_wait - (seconds if self.is_replaceable else 0.0)
        return self._put_off(chunk, seconds, error, longest)

    def wait_for_job(self, chunk: Sequence[_Group]) -> list[Answered]:
        """Return answers that come with the job of another post."""
        longest = get_conf().provider_wait_seconds
        return self._put_off(chunk, _JOB_WAIT_SECONDS, IN_FLIGHT, longest)

    def _put_off(
        self, chunk: Sequence[_Group], seconds: float, error: str, longest: float
    ) -> list[Answered]:
        found: list[Answered] = []
        for group in chunk:
            waited = max(question.waited_seconds for question in group.questions)
            if not self.may_wait or waited > longest:
                found += group.answered(Answer(Outcome.FAILED, error=error))
                continue
            found += group.answered(
                Answer(Outcome.PENDING, error=error),
                again_in_seconds=max(seconds, _LEAST_WAIT_SECONDS),
            )
        return found


@contextmanager
def turn_at(service: Service) -> Iterator[bool]:
    """Wait a little for the turn of one call, and say whether it has come: not if it takes longer.

    Everything that calls a service takes its turn, so that its limits hold.
    """
    conf = get_conf()
    ends_at = time.monotonic() + conf.provider_turn_seconds
    desk = _Desk(service, ends_at, may_wait=True, longest_wait=conf.provider_wait_seconds)
    slots = Slots(desk.bucket, service.terms.concurrency)
    token = desk.take_slot(slots)
    if token is None:
        yield False
        return
    try:
        yield not desk.take_turn()
    finally:
        slots.give_back(token)


def pause_as_told(service: Service, told: float | None) -> float:
    """Let nobody call a service for as long as it said, or a little; return for how long."""
    pause = min(told if told is not None else _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    token_bucket.pause(breaker_name(service.provider.name), pause)
    return pause


class Gate:
    """A service's breaker around one call, and the log of how it turns."""

    def __init__(self, service: Service) -> None:
        self._name = service.provider.name
        self._breaker = breaker_of(service)
        self._probe = ""
        self._began = 0.0

    def admit(self) -> bool:
        admission = self._breaker.admit()
        self._probe, self._began = admission.probe, time.perf_counter()
        return admission.allowed

    def report(self, error: ProviderError | None) -> None:
        """Tell how the call went. Being asked to wait, or refused one part, is no outage."""
        if isinstance(error, ProviderShut):
            turned = self._breaker.shut(error.code)
        elif isinstance(error, ProviderRateLimited):
            turned = None
            self.give_back()
        else:
            turned = self._breaker.report(
                not isinstance(error, ProviderUnavailable),
                time.perf_counter() - self._began,
                probe=self._probe,
            )
        if turned is not None:
            level = logging.WARNING if turned.state is BreakerState.CLOSED else logging.ERROR
            logger.log(
                level,
                "breaker_turned",
                extra={
                    "provider": self._name,
                    "state": str(turned.state),
                    "reason": turned.reason,
                },
            )

    def give_back(self) -> None:
        """The call says nothing of how the service is."""
        self._breaker.give_back(self._probe)
