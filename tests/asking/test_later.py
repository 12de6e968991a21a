"""Services that answer later are asked how far they are, many at once."""

from __future__ import annotations

import threading

import pytest

from moderation.asking import poll_services, spending
from moderation.providers import registry
from moderation.providers.base import Answer
from moderation.vocabulary import Category, Outcome, Part
from tests.asking.fakes import FakeService, LaterService, clean
from tests.pipeline.helpers import add_provider


@pytest.fixture(autouse=True)
def _no_database(monkeypatch):
    monkeypatch.setattr(registry, "_services", dict)
    monkeypatch.setattr(spending, "flush", lambda: None)
    yield
    spending.forget()


def ask(*jobs: str, of: str = "later") -> list[Answer | None]:
    return poll_services([(of, job, Part.IMAGE) for job in jobs])


def test_each_job_has_its_own_answer(monkeypatch):
    service = LaterService("later")
    service.answers["job-2"] = clean(None)
    add_provider(monkeypatch, service)
    first, second = ask("job-1", "job-2")
    assert (first.outcome, second.outcome) == (Outcome.PENDING, Outcome.JUDGED)
    assert second.scores == {Category.TOXIC: 0.01}
    assert sorted(service.polled) == ["job-1", "job-2"]


def test_no_thread_looks_up_who_is_set_up(monkeypatch):
    """A thread that reads the database keeps the connection, until the pool has none left."""
    add_provider(monkeypatch, LaterService("later"))
    known, lookers = registry._services(), set()

    def services():
        lookers.add(threading.current_thread())
        return known

    monkeypatch.setattr(registry, "_services", services)
    ask("job-1", "job-2", "job-3")
    assert lookers == {threading.current_thread()}


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(None, id="nobody"),
        pytest.param(FakeService("later"), id="one that answers at once"),
    ],
)
def test_a_job_of_a_service_that_has_none_has_failed(monkeypatch, service):
    if service is not None:
        add_provider(monkeypatch, service)
    (answer,) = ask("job-1")
    assert (answer.outcome, answer.error) == (Outcome.FAILED, "not_set_up")
