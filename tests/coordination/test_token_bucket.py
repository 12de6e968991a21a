"""Limits: exact under concurrency, and still there without Redis."""

from __future__ import annotations

import time
from itertools import chain

import pytest

from moderation.coordination import token_bucket
from moderation.coordination.token_bucket import Limit, pause, take, take_many
from tests.coordination.conftest import in_processes, in_threads

SLOW = Limit(burst=10, per_second=0.01)


def test_exactly_the_burst_passes_however_many_ask_at_once(name):
    def five() -> int:
        return sum(take(name, SLOW).allowed for _ in range(5))

    assert sum(in_threads(16, five)) == 10


def test_refusal_says_when_to_come_back(name, either):
    limit = Limit(burst=2, per_second=10)
    assert [take(name, limit).remaining for _ in range(2)] == [1, 0]
    refused = take(name, limit)
    assert not refused.allowed
    assert 0 < refused.retry_after_seconds <= 0.1
    time.sleep(refused.retry_after_seconds + 0.02)
    assert take(name, limit).allowed


def test_request_larger_than_the_bucket_takes_all_of_it(name, either):
    assert take(name, SLOW, tokens=100).allowed
    assert not take(name, SLOW).allowed


def test_limit_holds_in_the_process_while_redis_is_away(name, no_redis):
    def five() -> int:
        return sum(take(name, SLOW).allowed for _ in range(5))

    assert sum(in_threads(8, five)) == 10


def test_refusals_do_not_keep_a_slow_bucket_from_filling(name, either):
    limit = Limit(burst=1, per_second=4)
    take(name, limit)
    began = time.monotonic()
    while not take(name, limit).allowed:
        assert time.monotonic() - began < 1
    assert time.monotonic() - began == pytest.approx(0.25, abs=0.1)


def test_as_many_tokens_as_there_are_are_granted(name, either):
    limit = Limit(burst=10, per_second=5)
    assert take_many(name, limit, 4).tokens == 4
    rest = take_many(name, limit, 20)
    assert rest.tokens == 6
    assert 0 < rest.next_in_seconds <= 0.2
    none = take_many(name, limit, 20)
    assert none.tokens == 0
    time.sleep(none.next_in_seconds)
    assert take_many(name, limit, 20).tokens == 1


def test_next_token_is_due_now_while_some_are_left(name, either):
    assert take_many(name, SLOW, 9).next_in_seconds == 0
    assert take_many(name, SLOW, 0).tokens == 0
    assert take_many(name, SLOW, 1).next_in_seconds > 90


def test_tokens_wanted_together_and_one_by_one_come_from_one_bucket(name, either):
    take_many(name, SLOW, 7)
    assert not take(name, SLOW, tokens=4).allowed
    assert take(name, SLOW, tokens=3).allowed


@pytest.mark.parametrize("calls", [1, 7, 60, 250])
def test_no_second_sees_more_than_the_limit_under_four_processes(name, calls):
    limit = Limit.at_most(calls, in_seconds=0.5)

    def hammer(begins: float) -> list[tuple[float, float, int]]:
        """Return each grant with the moments between which it was made."""
        grants = []
        while time.monotonic() < begins + 1.3:
            before = time.monotonic()
            granted = take_many(name, limit, 5)
            if granted.tokens:
                grants.append((before, time.monotonic(), granted.tokens))
            time.sleep(0.001)
        return grants

    grants = sorted(chain.from_iterable(in_processes(4, hammer)))
    # Only what was granted within a window for certain counts: so not one too many is excused.
    for begins, _, _ in grants:
        within = [n for before, after, n in grants if begins <= before and after < begins + 0.5]
        assert sum(within) <= calls
    # 1.3 s are 2.6 windows: nothing is held back either.
    assert sum(n for _, _, n in grants) >= 2 * calls


@pytest.mark.parametrize(("seconds", "all_who_wait"), [(0.3, 0), (0.0, 10), (float("nan"), 10)])
def test_pause_stops_everyone(name, either, seconds, all_who_wait):
    take_many(name, SLOW, 0)
    pause(name, seconds)

    def one() -> int:
        return take_many(name, SLOW, 1).tokens

    assert sum(in_threads(12, one)) == all_who_wait


def test_pause_says_when_it_is_over_and_begins_gently(name, either):
    limit = Limit(burst=10, per_second=100)
    pause(name, 0.2)
    pause(name, 0.1)
    refused = take(name, limit)
    assert not refused.allowed
    assert refused.retry_after_seconds == pytest.approx(0.2, abs=0.02)
    assert take_many(name, limit, 3).next_in_seconds == pytest.approx(0.2, abs=0.02)
    time.sleep(take_many(name, limit, 3).next_in_seconds)
    # One, and what came in since: not the ten that a full bucket holds.
    assert 1 <= take_many(name, limit, 10).tokens <= 4


def test_pause_in_one_process_holds_in_another(name):
    pause(name, 5)
    assert in_processes(2, lambda _: take_many(name, SLOW, 1).tokens) == [0, 0]


def test_pause_outlasts_redis(name, server):
    pause(name, 5)
    server.kill()
    assert take_many(name, SLOW, 1).tokens == 0


def test_nobody_is_paused_for_more_than_an_hour(name, either):
    pause(name, 10**9)
    assert take(name, SLOW).retry_after_seconds == pytest.approx(3600, abs=1)


def test_memory_of_one_process_is_bounded(monkeypatch):
    buckets = token_bucket._ProcessBuckets()
    monkeypatch.setattr(buckets, "_MOST", 10)
    for number in range(100):
        buckets.take(str(number), SLOW, 1, partial=False)
    assert len(buckets._kept) <= 11
