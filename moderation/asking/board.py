"""How far each question is on its policy's route. Pure: the same answers lead to the same place,
so that a post which waited for a service goes on exactly where it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from moderation.asking.questions import Answered, Question, read_text
from moderation.policy.route import Ask, Stage
from moderation.policy.verdict import asks_for
from moderation.providers.base import Answer
from moderation.vocabulary import Category, Outcome

# What a provider was not asked for when a post's time or money was spent.
POST_BUDGET = "post_budget"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One provider that is to be asked one question now, within so many seconds.

    `is_replaceable`: somebody else can be asked in its place.
    """

    provider: str
    question: Question
    seconds: float | None
    is_replaceable: bool = False


class Board:
    """Answers so far, and who is to be asked next. `price_of` says what one part usually costs."""

    def __init__(
        self,
        questions: Sequence[Question],
        known: Iterable[Answered],
        price_of: dict[str, int],
    ) -> None:
        self._questions = list(questions)
        self._answers: dict[tuple[int, str, str], Answered] = {}
        self._of_subject: dict[int, dict[tuple[int, str, str], Answered]] = defaultdict(dict)
        self._price_of = price_of
        # What this round's questions will cost, by subject: their answers are not there yet.
        self._to_pay: dict[int, int] = defaultdict(int)
        self.take(known)

    def take(self, answers: Iterable[Answered]) -> None:
        """Note answers; what was read in an attachment becomes a question of its own."""
        asked = {(question.subject, question.part.key) for question in self._questions}
        for answered in answers:
            self._answers[answered.place] = answered
            self._of_subject[answered.question.subject][answered.place] = answered
            further = read_text(answered)
            if further is not None and (further.subject, further.part.key) not in asked:
                asked.add((further.subject, further.part.key))
                self._questions.append(further)

    def wanted(self) -> list[Wanted]:
        """Return who is to be asked now; nobody once every question is answered or waits."""
        self._to_pay.clear()
        return [item for question in list(self._questions) for item in self._next(question)]

    def answers(self) -> list[Answered]:
        """Return every answer, failures marked with who stood in for them."""
        for question in self._questions:
            for stage in question.policy.route.get(question.part.kind, ()):
                for ask in stage.asks:
                    self._mark_stood_in(question, ask)
        return list(self._answers.values())

    def _next(self, question: Question) -> Iterator[Wanted]:
        earlier: list[Answered] = []
        for number, stage in enumerate(question.policy.route.get(question.part.kind, ())):
            entered = any(self._answer(question, ask.provider) for ask in stage.asks)
            if not entered and not self._enters(question, stage, number, earlier):
                continue
            wanted, waits = [], False
            for ask in stage.asks:
                name, answered = self._last_of(question, ask)
                if answered is None:
                    is_last = name == (ask.provider, *ask.otherwise)[-1]
                    wanted.append(Wanted(name, question, stage.seconds, not is_last))
                else:
                    earlier.append(answered)
                    waits = waits or answered.answer.outcome is Outcome.PENDING
            for item in wanted:
                self._to_pay[question.subject] += self._price_of.get(item.provider, 0)
            yield from wanted
            if wanted or waits:
                return

    def _enters(
        self, question: Question, stage: Stage, number: int, earlier: Sequence[Answered]
    ) -> bool:
        policy, around = question.policy, question.around
        if not stage.when.holds(_highest(earlier), around):
            return False
        if number == 0:
            return True
        said = list(self._of_subject[question.subject].values())
        if policy.stop_at is not None and asks_for(
            policy, [answered.evidence() for answered in said], policy.stop_at
        ):
            return False
        if self._is_spent(question, stage, said):
            for ask in stage.asks:
                unasked = Answer(Outcome.NOT_JUDGED, error=POST_BUDGET)
                self.take([Answered(question, ask.provider, "", unasked)])
            return False
        return True

    def _is_spent(self, question: Question, stage: Stage, said: Sequence[Answered]) -> bool:
        policy = question.policy
        if policy.budget_seconds is not None:
            spent_ms = sum(answered.latency_ms for answered in said)
            if spent_ms / 1000 + question.waited_seconds >= policy.budget_seconds:
                return True
        if policy.budget_micros is None:
            return False
        price = sum(self._price_of.get(ask.provider, 0) for ask in stage.asks)
        paid = sum(answered.answer.cost_micros for answered in said)
        paid += self._to_pay[question.subject]
        return price > 0 and paid + price > policy.budget_micros

    def _last_of(self, question: Question, ask: Ask) -> tuple[str, Answered | None]:
        """Return whose answer counts: the first who has something to say, else the last."""
        name, answered = ask.provider, None
        for name in (ask.provider, *ask.otherwise):
            answered = self._answer(question, name)
            if answered is None or _counts(answered.answer):
                break
        return name, answered

    def _mark_stood_in(self, question: Question, ask: Ask) -> None:
        name, answered = self._last_of(question, ask)
        if answered is None or answered.answer.outcome is not Outcome.JUDGED:
            return
        for failed in (ask.provider, *ask.otherwise):
            if failed == name:
                return
            place = (question.subject, question.part.key, failed)
            if self._answers[place].answer.outcome is Outcome.FAILED:
                self._answers[place] = replace(self._answers[place], stood_in=name)

    def _answer(self, question: Question, provider: str) -> Answered | None:
        return self._answers.get((question.subject, question.part.key, provider))


def _counts(answer: Answer) -> bool:
    """Whether nobody else need be asked in this provider's place."""
    return (
        answer.outcome in (Outcome.JUDGED, Outcome.PENDING)
        or bool(answer.text)
        or answer.error == POST_BUDGET
    )


def _highest(answers: Sequence[Answered]) -> dict[Category, float]:
    """Return the highest score so far of each category that anybody judged."""
    highest: dict[Category, float] = {}
    for answered in answers:
        if answered.answer.outcome is Outcome.JUDGED:
            for category, score in answered.answer.scores.items():
                highest[category] = max(score, highest.get(category, 0.0))
    return highest
