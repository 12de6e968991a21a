"""The bell: coalesced, behind the request, and never a reason to fail."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from moderation.delivery import doorbell
from moderation.vocabulary import Lane


@pytest.fixture
def bells(monkeypatch):
    """What reaches the broker, instead of a broker."""
    rung: list[str] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, kwargs, **_: rung.append(kwargs["lane"])
    )
    for lane in Lane:
        doorbell.answer(lane)
    return rung


def settle() -> None:
    time.sleep(0.1)


def test_burst_rings_once_until_it_is_answered(bells):
    for _ in range(50):
        doorbell.ring([Lane.SCREEN])
    settle()
    assert bells == [Lane.SCREEN]
    doorbell.answer(Lane.SCREEN)
    doorbell.ring([Lane.SCREEN])
    settle()
    assert bells == [Lane.SCREEN, Lane.SCREEN]


def test_each_lane_has_its_own_bell(bells):
    doorbell.ring([Lane.SCREEN, Lane.MEDIA])
    settle()
    assert sorted(bells) == [Lane.MEDIA, Lane.SCREEN]


def test_sweeper_rings_although_a_bell_hangs(bells):
    doorbell.ring([Lane.SCREEN])
    settle()
    doorbell.ring_now([Lane.SCREEN])
    assert bells == [Lane.SCREEN, Lane.SCREEN]


def test_broken_broker_is_no_error_and_no_delay(monkeypatch):
    def refuse(*_, **__):
        time.sleep(0.3)
        raise OperationalError(f"no broker {uuid4()}")

    monkeypatch.setattr(current_app, "send_task", refuse)
    started = time.perf_counter()
    doorbell.ring([Lane.SCREEN])
    assert time.perf_counter() - started < 0.05
    doorbell.ring_now([Lane.SCREEN_LOW])
