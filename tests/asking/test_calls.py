"""Asking a service: known answers, one question for many, turns, breaker, retries, halves."""

import time
from uuid import uuid4

import pytest

from moderation.asking import Question, ask, spending
from moderation.asking.calls import breaker_name
from moderation.coordination.breaker import Breaker, BreakerState
from moderation.errors import (
    ProviderAuthFailed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.models import ProviderCall, ProviderDay
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.providers.base import Answer, TextPart
from moderation.vocabulary import Category, Outcome
from tests.asking.fakes import FakeService, clean, toxic
from tests.pipeline.helpers import add_provider

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_spending_from_before():
    spending.forget()


@pytest.fixture
def service(monkeypatch):
    """Add a service under a name that no other test has used."""

    def service(judge=clean, *, name="fake", **terms):
        made = FakeService(f"{name}-{uuid4().hex[:8]}", judge)
        add_provider(monkeypatch, made, **terms)
        return made

    return service


def put(texts, *services, until=None, **more):
    names = [{"provider": services[0].name, "otherwise": [one.name for one in services[1:]]}]
    rules = parse_policy({**DEFAULT_DOCUMENT, "route": {"text": [{"ask": names}]}, **more})
    questions = [Question(n, rules, TextPart("text", text)) for n, text in enumerate(texts)]
    answers = ask(questions, until=until)
    return sorted(answers, key=lambda one: one.question.subject)


def outcomes(answers):
    return [(one.provider.split("-")[0], str(one.answer.outcome)) for one in answers]


def test_a_batch_is_as_few_calls_as_the_service_takes(service):
    fake = service(batch_size=4)
    found = put([f"text {n}" for n in range(10)], fake)
    assert sorted(len(call) for call in fake.calls) == [2, 4, 4]
    assert {one.answer.outcome for one in found} == {Outcome.JUDGED}
    assert len({one.question.subject for one in found}) == 10


def test_the_same_text_is_asked_about_once_and_paid_for_once(service):
    fake = service(cost_micros=100)
    found = put(["same", "other", "same", "same"], fake)
    assert sorted(fake.asked) == ["other", "same"]
    assert [one.answer.cost_micros for one in found] == [100, 100, 0, 0]
    assert [one.cached for one in found] == [False, False, True, True]


def test_an_answer_is_used_again_while_it_is_fresh(service):
    fake = service(toxic, cache_seconds=60, cost_micros=5)
    put(["again"], fake)
    [found] = put(["again"], fake)
    assert fake.asked == ["again"]
    assert (found.cached, found.answer.cost_micros) == (True, 0)
    assert found.answer.scores == {Category.TOXIC: 0.99}


def test_an_answer_of_another_model_is_not_used(service):
    fake = service(cache_seconds=60)
    put(["again"], fake)
    fake.model_version = "fake-2"
    put(["again"], fake)
    assert fake.asked == ["again", "again"]


def test_a_failure_is_never_kept(service):
    fake = service(ProviderUnavailable(), cache_seconds=60)
    put(["again"], fake)
    fake.says = clean
    [found] = put(["again"], fake)
    assert found.answer.outcome is Outcome.JUDGED


def test_what_another_worker_asks_about_right_now_is_waited_for(service, monkeypatch):
    inner = []

    def judge(part):
        # While this call runs, another worker meets the same text.
        inner.extend(put(["same"], fake))
        return clean(part)

    fake = service(judge, cache_seconds=60)
    [outer] = put(["same"], fake)
    assert outer.answer.outcome is Outcome.JUDGED
    assert (inner[0].answer.outcome, inner[0].answer.error) == (Outcome.PENDING, "asked_elsewhere")
    assert inner[0].again_in_seconds > 0
    [after] = put(["same"], fake)
    assert after.cached


def test_a_hiccup_is_tried_once_more(service):
    said = iter([ProviderUnavailable("once")])

    def judge(part):
        for error in said:
            raise error
        return clean(part)

    fake = service(judge)
    [found] = put(["text"], fake)
    assert (found.answer.outcome, len(fake.calls)) == (Outcome.JUDGED, 2)


def test_an_outage_is_a_failure_and_the_next_one_stands_in(service):
    down, other = service(ProviderUnavailable(), name="down"), service(name="other")
    found = put(["text"], down, other)
    assert outcomes(found) == [("down", "failed"), ("other", "judged")]
    assert [one.stood_in for one in found] == [other.name, ""]


def test_one_bad_part_does_not_spoil_its_neighbours(service):
    def judge(part):
        if "bad" in part.text:
            raise ProviderRejected()
        return clean(part)

    fake = service(judge, batch_size=8)
    found = put(["a", "b", "bad", "c", "d", "e"], fake)
    said = {one.question.part.text: one.answer for one in found}
    assert said["bad"].outcome is Outcome.FAILED
    assert {said[text].outcome for text in "abcde"} == {Outcome.JUDGED}


def test_a_breaker_opens_for_everyone_and_nobody_is_called_any_more(service):
    fake = service(ProviderUnavailable(), batch_size=1)
    put([f"text {n}" for n in range(8)], fake)
    called = len(fake.calls)
    [found] = put(["one more"], fake)
    assert (found.answer.outcome, found.answer.error) == (Outcome.FAILED, "breaker_open")
    assert len(fake.calls) == called
    assert Breaker(breaker_name(fake.name)).state().state is BreakerState.OPEN


def test_a_wrong_key_opens_the_breaker_at_once(service):
    fake = service(ProviderAuthFailed())
    put(["text"], fake)
    assert Breaker(breaker_name(fake.name)).state().reason == "provider_auth_failed"
    put(["another"], fake)
    assert len(fake.calls) == 1


def test_a_refused_part_is_no_outage(service):
    fake = service(ProviderRejected())
    put([f"text {n}" for n in range(10)], fake)
    assert Breaker(breaker_name(fake.name)).state().state is BreakerState.CLOSED


def test_who_is_asked_to_wait_comes_back_and_everybody_waits(service):
    fake = service(ProviderRateLimited(retry_after_seconds=30.0))
    [found] = put(["text"], fake)
    assert (found.answer.outcome, found.again_in_seconds) == (Outcome.PENDING, 30.0)
    fake.says = clean
    [other] = put(["another"], fake)
    assert (other.answer.outcome, other.answer.error) == (Outcome.PENDING, "no_turn")
    assert 28 < other.again_in_seconds <= 30
    assert len(fake.calls) == 1


def test_a_short_wait_is_waited_here(service):
    waits = iter([ProviderRateLimited(retry_after_seconds=0.2)])

    def judge(part):
        for error in waits:
            raise error
        return clean(part)

    fake = service(judge)
    began = time.monotonic()
    [found] = put(["text"], fake)
    assert found.answer.outcome is Outcome.JUDGED
    assert time.monotonic() - began >= 0.2


def test_a_burst_becomes_a_queue(service):
    fake = service(batch_size=1, per_second=5.0)
    found = put([f"text {n}" for n in range(40)], fake)
    judged = [one for one in found if one.answer.outcome is Outcome.JUDGED]
    later = [one for one in found if one.answer.outcome is Outcome.PENDING]
    assert len(judged) + len(later) == 40
    assert 1 <= len(judged) <= 10
    waits = sorted(one.again_in_seconds for one in later)
    assert waits[0] < 2 < waits[-1] < 12


def test_nothing_is_pending_for_a_caller_who_waits(service):
    fake = service(batch_size=1, per_second=1.0)
    found = put([f"text {n}" for n in range(6)], fake, until=time.monotonic() + 0.3)
    assert Outcome.PENDING not in {one.answer.outcome for one in found}


def test_a_post_that_has_waited_long_enough_goes_on_without(service, settings):
    settings.MODERATION = {**settings.MODERATION, "provider_wait_seconds": 60.0}
    fake = service(ProviderRateLimited(retry_after_seconds=30.0))
    rules = parse_policy({**DEFAULT_DOCUMENT, "route": {"text": [fake.name]}})
    [found] = ask([Question(0, rules, TextPart("text", "x"), waited_seconds=61.0)])
    assert found.answer.outcome is Outcome.FAILED


def test_a_slow_stage_ends_and_the_next_one_stands_in(service):
    def judge(part):
        time.sleep(1.0)
        return clean(part)

    slow, quick = service(judge, name="slow"), service(name="quick")
    names = [{"provider": slow.name, "otherwise": [quick.name]}]
    stages = [{"ask": names, "seconds": 0.1}]
    rules = parse_policy({**DEFAULT_DOCUMENT, "route": {"text": stages}})
    began = time.monotonic()
    found = ask([Question(0, rules, TextPart("text", "x"))])
    assert time.monotonic() - began < 0.8
    assert {(one.provider, one.answer.error) for one in found} == {
        (slow.name, "late"),
        (quick.name, ""),
    }


def test_every_call_is_on_record_with_its_cost(service):
    fake = service(batch_size=2, cost_micros=10)
    put(["a", "b", "c"], fake)
    rows = ProviderCall.objects.filter(provider=fake.name)
    assert sorted(rows.values_list("parts", "cost_micros")) == [(1, 10), (2, 20)]
    day = ProviderDay.objects.get(provider=fake.name)
    assert (day.calls, day.parts, day.failures, day.cost_micros) == (2, 3, 0, 30)
    assert day.latency_ms > 0


def test_a_service_whose_day_is_spent_is_not_called_and_says_so_once(service, caplog):
    fake, cheap = service(cost_micros=60, daily_budget_micros=100), service(name="cheap")
    put(["a", "b"], fake)
    spending._days.clear()
    found = put(["c"], fake, cheap)
    assert {(one.provider, one.answer.error) for one in found} == {
        (fake.name, "daily_budget"),
        (cheap.name, ""),
    }
    assert len(fake.asked) == 2
    put(["d"], fake, cheap)
    assert [one.message for one in caplog.records].count("provider_budget_spent") == 1
    assert ProviderDay.objects.get(provider=fake.name).budget_spent_at is not None


def test_a_crash_of_an_adapter_is_a_failure_of_its_own_parts_only(service):
    broken, fine = service(ZeroDivisionError(), name="broken"), service(name="fine")
    found = put(["a"], broken, fine)
    assert {one.answer.error for one in found} == {"ZeroDivisionError", ""}


def test_an_answer_with_the_wrong_number_of_parts_fails(service, monkeypatch):
    fake = service()
    monkeypatch.setattr(fake, "judge", lambda parts: [])
    [found] = put(["a"], fake)
    assert found.answer.outcome is Outcome.FAILED


def test_scores_that_are_none_are_no_judgement(service):
    fake = service(lambda part: Answer(Outcome.JUDGED, scores={}))
    [found] = put(["a"], fake)
    assert (found.answer.outcome, found.answer.error) == (Outcome.FAILED, "unsound_scores")


def test_what_no_database_keeps_is_left_out_of_the_evidence(service):
    raw = {"a\0b": ["x\0y", "\ud800 half", float("nan"), 1.5, {"deep": "\0"}]}
    fake = service(lambda part: Answer(Outcome.JUDGED, scores={Category.TOXIC: 0.1}, raw=raw))
    [found] = put(["a"], fake)
    assert found.answer.raw == {"ab": ["xy", "? half", None, 1.5, {"deep": ""}]}
