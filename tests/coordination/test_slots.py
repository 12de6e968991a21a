"""Slots: never one too many, never one lost."""

from __future__ import annotations

import multiprocessing
import time

from moderation.coordination.slots import Slots
from tests.coordination.conftest import in_processes, in_threads, nobody, use_client


def test_as_many_as_there_are_slots_get_one(name, either):
    slots = Slots(name, 3)
    tokens = in_threads(16, lambda: slots.take(5))
    assert len(set(tokens) - {None}) == 3


def test_slot_given_back_is_free(name, either):
    slots = Slots(name, 1)
    token = slots.take(5)
    assert slots.take(5) is None
    slots.give_back(token)
    assert slots.take(5)


def test_slot_of_a_crashed_holder_is_free_after_its_lease(name, either):
    slots = Slots(name, 1)
    slots.take(0.1)
    assert slots.take(5) is None
    time.sleep(0.11)
    assert slots.take(5)


def test_late_holder_does_not_free_the_slot_of_another(name, either):
    slots = Slots(name, 1)
    late = slots.take(0.05)
    time.sleep(0.06)
    assert slots.take(5)
    slots.give_back(late)
    assert slots.take(5) is None


def test_short_lease_does_not_end_a_long_one(name, either):
    slots = Slots(name, 2)
    slots.take(5)
    slots.take(0.02)
    time.sleep(0.05)
    assert slots.take(5)
    assert slots.take(5) is None


def test_four_processes_never_hold_more_than_there_are(name):
    slots = Slots(name, 3)
    held = multiprocessing.get_context("fork").Value("i", 0)

    def hammer(begins: float) -> tuple[int, int]:
        """Return how many slots this process had, and the most that were held at once."""
        had = most = 0
        while time.monotonic() < begins + 0.7:
            if token := slots.take(5):
                had += 1
                with held.get_lock():
                    held.value += 1
                    most = max(most, held.value)
                time.sleep(0.001)
                with held.get_lock():
                    held.value -= 1
                slots.give_back(token)
        return had, most

    found = in_processes(4, hammer)
    assert max(most for _, most in found) == 3
    assert sum(had for had, _ in found) > 20
    assert len([slots.take(5) for _ in range(4)]) - 1 == 3


def test_slot_taken_without_redis_is_given_back_when_it_is_there_again(name, monkeypatch):
    slots = Slots(name, 1)
    with monkeypatch.context() as away:
        use_client(away, nobody())
        token = slots.take(60)
    slots.give_back(token)
    use_client(monkeypatch, nobody())
    assert slots.take(5)
