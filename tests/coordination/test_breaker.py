"""A breaker: opens when a provider fails, tries it carefully, closes when it is well again."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from moderation.coordination import connection
from moderation.coordination.breaker import (
    Breaker,
    BreakerRules,
    BreakerState,
    BreakerStatus,
    states,
)
from moderation.coordination.breaker_rule import ProcessBreaker
from moderation.coordination.connection import SharedRedis
from tests.coordination.conftest import in_processes, in_threads, nobody, use_client

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN

QUICK = BreakerRules(
    window_seconds=0.5, min_calls=4, open_seconds=0.1, max_open_seconds=0.4, probe_seconds=0.2
)


@pytest.fixture
def breaker(name) -> Breaker:
    return Breaker(name, QUICK)


def report(breaker: Breaker, calls: str, seconds: float = 0.0) -> BreakerStatus | None:
    """Report calls one by one, `.` for one that went well; return what the last one turned."""
    for call in calls:
        turned = breaker.report(call == ".", seconds)
    return turned


def opened(breaker: Breaker) -> BreakerStatus:
    turned = report(breaker, "x" * breaker.rules.min_calls)
    assert turned is not None
    assert turned.state is OPEN
    return turned


def half_opened(breaker: Breaker) -> None:
    opened(breaker)
    time.sleep(breaker.rules.open_seconds)
    assert breaker.state().state is HALF_OPEN


def wait_for_probe(breaker: Breaker) -> str:
    """Return the token of the next probe that is let through."""
    while not (admission := breaker.admit()).allowed:
        time.sleep(admission.retry_after_seconds)
    return admission.probe


def closed_again(breaker: Breaker) -> None:
    for _ in range(breaker.rules.successes_to_close):
        turned = breaker.report(True, 0.01, probe=wait_for_probe(breaker))
    assert turned.state is CLOSED


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ("xxx", CLOSED),  # too few to tell
        ("xxxx", OPEN),
        ("...x", CLOSED),
        ("..xx", OPEN),  # the share itself opens
        (".....xxxx", CLOSED),
        ("......xxxxxx", OPEN),
    ],
)
def test_share_of_failures_decides(breaker, either, calls, state):
    report(breaker, calls)
    status = breaker.state()
    assert (status.state, status.calls, status.failures) == (state, len(calls), calls.count("x"))


def test_whoever_turned_it_is_told_why(breaker, either):
    assert report(breaker, "xxx") is None
    began = datetime.now(UTC)
    turned = report(breaker, "x")
    assert (turned.state, turned.reason, turned.opened_times) == (OPEN, "errors", 1)
    assert (turned.calls, turned.failures, turned.held) == (4, 4, None)
    assert abs((turned.since - began).total_seconds()) < 0.1
    assert 0.075 <= (turned.retry_at - turned.since).total_seconds() <= 0.101
    assert report(breaker, "x") is None


def test_failures_of_long_ago_do_not_count(breaker, either):
    report(breaker, "xxx")
    # The window, and what it moves on by at once.
    time.sleep(0.58)
    assert report(breaker, "x") is None
    assert breaker.state().calls == 1


@pytest.mark.parametrize(
    ("slow", "state"),
    [(4, OPEN), (3, CLOSED)],  # of five
)
def test_slow_calls_open_it_though_they_go_well(name, either, slow, state):
    breaker = Breaker(name, replace(QUICK, min_calls=5, slow_seconds=2.0))
    report(breaker, "." * (5 - slow), seconds=1.9)
    turned = report(breaker, "." * slow, seconds=2.0)
    status = breaker.state()
    assert (status.state, status.slow, status.failures) == (state, slow, 0)
    assert (turned.reason if turned else "") == ("slow" if state is OPEN else "")


def test_time_that_calls_take_is_nothing_without_a_rule(breaker, either):
    assert report(breaker, "......", seconds=500) is None


def test_many_that_fail_at_once_turn_it_once(breaker, either):
    turned = in_threads(16, lambda: breaker.report(False, 0.01))
    assert [status.state for status in turned if status] == [OPEN]
    assert breaker.state().opened_times == 1


def test_open_one_lets_nobody_through_and_says_when_to_come_back(breaker, either):
    opened(breaker)
    refused = breaker.admit()
    assert (refused.allowed, refused.state, refused.probe) == (False, OPEN, "")
    assert 0 < refused.retry_after_seconds <= 0.1


# --- probing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("probes", [1, 3])
def test_exactly_the_probes_of_many_threads_go_through(name, either, probes):
    breaker = Breaker(name, replace(QUICK, probes=probes, probe_seconds=5))
    half_opened(breaker)
    admissions = in_threads(16, breaker.admit)
    allowed = [admission for admission in admissions if admission.allowed]
    assert len({admission.probe for admission in allowed}) == len(allowed) == probes
    assert {admission.state for admission in admissions} == {HALF_OPEN}
    assert sum(admission.changed for admission in admissions) == 1


@pytest.mark.parametrize("probes", [1, 3])
def test_exactly_the_probes_of_many_processes_go_through(name, probes):
    breaker = Breaker(name, replace(QUICK, probes=probes, probe_seconds=5))
    half_opened(breaker)
    admissions = in_processes(8, lambda _: breaker.admit())
    assert sum(admission.allowed for admission in admissions) == probes
    assert sum(admission.changed for admission in admissions) == 1


def test_closes_after_enough_probes_that_go_well(breaker, either):
    half_opened(breaker)
    assert breaker.report(True, 0.01, probe=breaker.admit().probe) is None
    assert breaker.state().state is HALF_OPEN
    turned = breaker.report(True, 0.01, probe=breaker.admit().probe)
    assert (turned.state, turned.calls, turned.opened_times) == (CLOSED, 0, 1)
    admission = breaker.admit()
    assert (admission.allowed, admission.state, admission.probe) == (True, CLOSED, "")
    assert report(breaker, "xxx") is None


def test_each_probe_that_fails_doubles_the_wait_to_its_most(breaker, either):
    waits = [opened(breaker)]
    for _ in range(3):
        waits.append(breaker.report(False, 0.01, probe=wait_for_probe(breaker)))
        assert waits[-1].reason == "errors"
    seconds = [(status.retry_at - status.since).total_seconds() for status in waits]
    for waited, most in zip(seconds, [0.1, 0.2, 0.4, 0.4], strict=True):
        assert 0.75 * most - 0.001 <= waited <= most + 0.001
    assert breaker.state().opened_times == 1
    closed_again(breaker)
    assert 0.07 <= (opened(breaker).retry_at - datetime.now(UTC)).total_seconds() <= 0.1


def test_one_failure_after_a_success_opens_it_again(breaker, either):
    half_opened(breaker)
    breaker.report(True, 0.01, probe=breaker.admit().probe)
    assert breaker.report(False, 0.01, probe=breaker.admit().probe).state is OPEN
    assert breaker.report(True, 0.01, probe=wait_for_probe(breaker)) is None
    assert breaker.state().state is HALF_OPEN


def test_probe_that_is_slow_opens_it_again(name, either):
    breaker = Breaker(name, replace(QUICK, slow_seconds=1.0))
    half_opened(breaker)
    turned = breaker.report(True, 1.0, probe=breaker.admit().probe)
    assert (turned.state, turned.reason) == (OPEN, "slow")


def test_probe_that_never_reports_makes_room(breaker, either):
    half_opened(breaker)
    dead = breaker.admit().probe
    assert 0.09 < breaker.admit().retry_after_seconds <= 0.1
    time.sleep(0.15)
    waiting = breaker.admit()
    assert not waiting.allowed
    assert 0 < waiting.retry_after_seconds <= 0.05
    time.sleep(waiting.retry_after_seconds + 0.001)
    living = breaker.admit().probe
    assert living
    # The dead one was given up: what it says late is not what the provider is like now.
    assert breaker.report(False, 0.01, probe=dead) is None
    assert breaker.report(True, 0.01, probe=living) is None
    assert breaker.state().state is HALF_OPEN


def test_call_that_was_not_made_after_all_makes_room_at_once(breaker, either):
    half_opened(breaker)
    breaker.give_back(breaker.admit().probe)
    breaker.give_back("")
    assert breaker.admit().probe
    assert not breaker.admit().allowed


def test_calls_from_before_it_opened_say_nothing_of_now(breaker, either):
    half_opened(breaker)
    assert report(breaker, "xxxx..", seconds=0.2) is None
    closed_again(breaker)
    assert report(breaker, "xxxxxx", seconds=0.4) is None
    assert breaker.state().calls == 0
    # A moment after it closed, calls that began since do count.
    assert report(breaker, "xxxx").state is OPEN


# --- shutting and holding -----------------------------------------------------------------------


def test_shut_one_is_open_at_once_and_for_long(breaker, either):
    turned = breaker.shut("provider_auth_failed")
    assert (turned.state, turned.reason, turned.opened_times) == (OPEN, "provider_auth_failed", 1)
    assert 225 <= breaker.admit().retry_after_seconds <= 300
    assert breaker.shut("provider_auth_failed") is None
    assert breaker.shut("provider_gone").reason == "provider_gone"


def test_shut_one_is_tried_afterwards(breaker, either):
    breaker.shut("provider_quota_exhausted", 0.1)
    wait_for_probe(breaker)
    assert breaker.shut("provider_quota_exhausted", 0.1).opened_times == 1
    closed_again(breaker)


def test_shutting_makes_no_wait_shorter(breaker, either):
    breaker.shut("provider_gone", 300)
    breaker.shut("provider_gone", 1)
    assert breaker.admit().retry_after_seconds > 200


def test_held_open_lets_nobody_through_until_released(breaker, either):
    status = breaker.hold_open("ada")
    assert (status.state, status.held, status.held_by) == (OPEN, OPEN, "ada")
    assert (status.reason, status.retry_at, status.opened_times) == ("held", None, 0)
    assert not breaker.admit().allowed
    assert breaker.shut("provider_gone") is None
    time.sleep(0.11)
    assert not breaker.admit().allowed
    status = breaker.release()
    assert (status.state, status.held, status.held_by) == (HALF_OPEN, None, "")
    closed_again(breaker)


def test_waits_begin_anew_once_it_was_held(breaker, either):
    half_opened(breaker)
    breaker.report(False, 0.01, probe=breaker.admit().probe)
    breaker.hold_open("ada")
    breaker.release()
    turned = breaker.report(False, 0.01, probe=breaker.admit().probe)
    assert (turned.retry_at - turned.since).total_seconds() <= 0.101


def test_held_closed_lets_everybody_through_until_released(breaker, either):
    opened(breaker)
    assert breaker.hold_closed("ada").state is CLOSED
    assert report(breaker, "x" * 20) is None
    assert breaker.shut("provider_gone") is None
    status = breaker.state()
    assert (status.state, status.held, status.failures) == (CLOSED, CLOSED, 20)
    assert breaker.admit().allowed
    status = breaker.release()
    assert (status.state, status.held, status.failures) == (CLOSED, None, 0)
    opened(breaker)


def test_released_one_is_tried_at_once(breaker, either):
    breaker.shut("provider_auth_failed")
    assert breaker.release().state is HALF_OPEN
    closed_again(breaker)


def test_releasing_one_that_is_closed_forgets_nothing(breaker, either):
    report(breaker, "xxx")
    assert breaker.release().failures == 3


# --- across processes, and without Redis --------------------------------------------------------


def test_states_of_many_come_in_one_round_trip(name, either, monkeypatch):
    several = [Breaker(f"{name}-{number}", QUICK) for number in range(5)]
    opened(several[1])
    several[2].hold_open("ada")
    report(several[3], "x.")
    trips, use = [], SharedRedis.use
    monkeypatch.setattr(SharedRedis, "use", lambda self, work: trips.append(1) or use(self, work))
    found = states(breaker.name for breaker in several)
    assert len(trips) == 1
    assert [status.state for status in found.values()] == [CLOSED, OPEN, OPEN, CLOSED, CLOSED]
    assert (found[f"{name}-3"].calls, found[f"{name}-3"].failures) == (2, 1)
    assert found[f"{name}-4"] == BreakerStatus()
    assert states([]) == {}


def test_failing_provider_gets_probes_only_until_it_is_well(name):
    """Four processes: opens within the window, tells one of them, closes soon after healing."""
    breaker = Breaker(name, replace(QUICK, window_seconds=1.0))

    def call(begins: float) -> tuple[list[tuple], list[tuple], float]:
        """Return (when it was asked, when it was known, what) of calls and turns; when it heals."""
        calls, turns, heals = [], [], begins + 0.8
        while (asked := time.monotonic()) < begins + 1.9:
            admission = breaker.admit()
            if not admission.allowed:
                time.sleep(min(0.005, admission.retry_after_seconds))
                continue
            calls.append((asked, time.monotonic(), bool(admission.probe)))
            time.sleep(0.005)
            well, told = time.monotonic() > heals, time.monotonic()
            if turned := breaker.report(well, 0.005, probe=admission.probe):
                turns.append((told, time.monotonic(), turned.state))
        return calls, turns, heals

    found = in_processes(4, call)
    calls = [made for several, _, _ in found for made in several]
    turns = sorted(turn for _, several, _ in found for turn in several)
    opening, closing, heals = turns[0], turns[-1], found[0][2]
    assert [state for _, _, state in turns] == [OPEN] * (len(turns) - 1) + [CLOSED]
    assert opening[1] < heals
    assert closing[1] - heals < 0.4 + 0.3
    between = [probe for asked, at, probe in calls if opening[1] < asked and at < closing[0]]
    assert all(between)
    assert len(turns) <= len(between) + 1 <= 8
    assert len([probe for asked, _, probe in calls if asked > closing[1]]) > 20


def test_memory_of_a_breaker_is_bounded(name):
    breaker = Breaker(name, replace(QUICK, window_seconds=0.1, min_calls=10**6))
    ends = time.monotonic() + 0.3
    while time.monotonic() < ends:
        breaker.report(False, 0.0)
    key = next(connection.shared_redis().use(lambda client: client.scan_iter(f"*{name}")))
    assert connection.shared_redis().use(lambda client: client.hlen(key)) <= 11


def test_rules_hold_in_the_process_when_redis_goes(breaker, server):
    server.freeze()
    assert breaker.admit().allowed
    opened(breaker)
    assert not breaker.admit().allowed
    time.sleep(0.1)
    assert sum(admission.allowed for admission in in_threads(16, breaker.admit)) == 1


def test_what_was_open_in_redis_is_open_without_it(breaker, monkeypatch):
    breaker.shut("provider_gone")
    assert not breaker.admit().allowed
    use_client(monkeypatch, nobody())
    assert breaker.admit().retry_after_seconds > 200


def test_what_is_held_is_held_without_redis(breaker, monkeypatch):
    in_processes(1, lambda _: breaker.hold_open("ada") and None)
    assert not breaker.admit().allowed
    use_client(monkeypatch, nobody())
    time.sleep(0.41)
    assert not breaker.admit().allowed


def test_what_closed_in_redis_is_closed_without_it(breaker, monkeypatch):
    half_opened(breaker)
    closed_again(breaker)
    assert breaker.admit().allowed
    use_client(monkeypatch, nobody())
    assert [breaker.admit().allowed for _ in range(3)] == [True] * 3


class Twins:
    """One breaker in Redis and one in the process, to which the same things happen."""

    # No wait lasts and no call ages, so that time decides nothing.
    RULES = BreakerRules(
        window_seconds=1000,
        min_calls=3,
        slow_seconds=1.0,
        open_seconds=0,
        max_open_seconds=0,
        probes=2,
    )

    def __init__(self, name: str, seed: int) -> None:
        self.shared, self.alone = Breaker(name, self.RULES), ProcessBreaker()
        self.dice = random.Random(seed)
        self.probes: list[tuple[str, str]] = []
        self.admitted = 0

    def live(self, steps: int) -> None:
        acts = {
            self.admit: 30,
            self.report: 20,
            self.report_probe: 40,
            self.give_back: 4,
            self.shut: 2,
            self.hold: 1,
            self.release: 3,
        }
        for act in self.dice.choices(list(acts), list(acts.values()), k=steps):
            act()
            self.same(self.shared.state(), self.alone.status())

    def same(self, one: BreakerStatus | None, other: BreakerStatus | None) -> None:
        assert self.timeless(one) == self.timeless(other)

    def timeless(self, status: BreakerStatus | None) -> object:
        if status is None:
            return None
        times = (status.since is None, status.retry_at is None)
        return replace(status, since=None, retry_at=None), times

    def admit(self) -> None:
        self.admitted += 1
        one, other = self.shared.admit(), self.alone.admit(self.RULES, str(self.admitted))
        assert replace(one, probe="") == replace(other, probe="")
        assert bool(one.probe) == bool(other.probe)
        if one.probe:
            self.probes.append((one.probe, other.probe))

    def report(self, one: str = "", other: str = "") -> None:
        ok, seconds = self.dice.random() < 0.6, self.dice.choice([0.0, 0.0, 0.0, 1.0])
        self.same(
            self.shared.report(ok, seconds, probe=one),
            self.alone.report(self.RULES, ok=ok, seconds=seconds, probe=other),
        )

    def report_probe(self) -> None:
        self.report(*self.some_probe())

    def give_back(self) -> None:
        one, other = self.some_probe()
        self.shared.give_back(one)
        self.alone.give_back(other)

    def some_probe(self) -> tuple[str, str]:
        if not self.probes:
            return "", ""
        return self.probes.pop(self.dice.randrange(len(self.probes)))

    def shut(self) -> None:
        reason = self.dice.choice(["provider_gone", "provider_auth_failed"])
        self.same(self.shared.shut(reason, 0), self.alone.shut(reason, 0))

    def hold(self) -> None:
        if self.dice.random() < 0.5:
            self.same(self.shared.hold_open("ada"), self.alone.hold(OPEN, "ada"))
        else:
            self.same(self.shared.hold_closed("ada"), self.alone.hold(CLOSED, "ada"))

    def release(self) -> None:
        self.same(self.shared.release(), self.alone.release())


@pytest.mark.parametrize("seed", range(25))
def test_the_rule_is_one_in_redis_and_in_the_process(name, seed):
    Twins(name, seed).live(steps=120)
