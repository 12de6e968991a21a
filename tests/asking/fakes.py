"""Services that say what a test has them say, with the terms that a test sets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from moderation.errors import CallbackRefused
from moderation.providers.base import Answer, AnyPart, Callback, Facts, Job, Notice
from moderation.vocabulary import Category, Outcome, Part

EVERY_PART = frozenset(Part)


def clean(part: AnyPart) -> Answer:
    return Answer(Outcome.JUDGED, scores={Category.TOXIC: 0.01})


def toxic(part: AnyPart) -> Answer:
    return Answer(Outcome.JUDGED, scores={Category.TOXIC: 0.99})


class FakeService:
    """A service over no network: `judge` is what it says of one part, or an error to raise."""

    parts = EVERY_PART
    facts = Facts("Fake", EVERY_PART, doc="fake")

    def __init__(
        self,
        name: str,
        judge: Callable[[AnyPart], Answer] | Exception = clean,
        *,
        is_local: bool = False,
        model_version: str = "fake-1",
    ) -> None:
        self.name = name
        self.is_local = is_local
        self.model_version = model_version
        self.says = judge
        self.calls: list[list[AnyPart]] = []
        self._guard = threading.Lock()

    def is_available(self) -> bool:
        return True

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        with self._guard:
            self.calls.append(list(parts))
        if isinstance(self.says, Exception):
            raise self.says
        return [self.says(part) for part in parts]

    @property
    def asked(self) -> list[str]:
        """Which texts it was asked about, in order."""
        return [getattr(part, "text", part.key) for call in self.calls for part in call]


class LaterService(FakeService):
    """A service that begins a job for each part, and answers when a test lets it."""

    facts = Facts("Later", EVERY_PART, doc="later", answers_later=True, signs_callbacks=False)

    def __init__(self, name: str, *, poll_after: float = 30.0, give_up: float = 900.0) -> None:
        super().__init__(name)
        self.says = self._begin
        self.poll_after, self.give_up = poll_after, give_up
        self.answers: dict[str, Answer | Exception] = {}
        self.polled: list[str] = []

    def _begin(self, part: AnyPart) -> Answer:
        number = sum(len(call) for call in self.calls)
        job = Job(
            f"job-{number}",
            token=f"token-{number}",
            poll_after_seconds=self.poll_after,
            give_up_after_seconds=self.give_up,
        )
        return Answer(Outcome.PENDING, job=job)

    def poll(self, job_id: str, kind: Part) -> Answer:
        self.polled.append(job_id)
        answer = self.answers.get(job_id, Answer(Outcome.PENDING))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read_callback(self, callback: Callback) -> Notice:
        if b"forged" in callback.body:
            raise CallbackRefused()
        message, _, verdict = callback.body.decode().partition(":")
        answers: dict[str, Any] = {"clean": clean, "toxic": toxic}
        made = answers[verdict](None) if verdict in answers else None
        return Notice(message_id=message, answer=made)

    def confirm(self, url: str) -> None:
        raise AssertionError(url)
