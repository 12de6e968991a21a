"""Couriers as they really run: in threads and processes, some of which hang or are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from moderation import tasks, webhooks
from moderation.coordination.slots import Slots
from moderation.delivery import outbox
from moderation.models import Community, Endpoint, OutboxMessage
from moderation.pipeline import notify
from moderation.vocabulary import DeliveryState, Lane
from tests.delivery.conftest import TIMEOUT_SECONDS
from tests.delivery.helpers import add_webhook
from tests.delivery.receiver import Answer, Receiver
from tests.factories import CommunityFactory
from tests.pipeline.helpers import HARMLESS, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def garden(transactional_db: None) -> Community:
    community: Community = CommunityFactory(name="Garden", slug="garden")
    return community


@pytest.fixture(autouse=True)
def _no_courier_outlives_its_test(receiver: Receiver) -> Iterator[None]:
    yield
    receiver.released.set()
    assert wait_until(_all_home, seconds=10)


def _all_home() -> bool:
    return (
        notify._room[False]._value == notify.MOST_COURIERS
        and notify._room[True]._value == notify.MOST_FOR_FAILING
    )


def wait_until(holds: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if holds():
            return True
        time.sleep(0.01)
    return False


def sweep_until(holds: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Do what the sweeper's bell asks of a worker, until something is so."""

    def swept() -> bool:
        notify.drain()
        return holds()

    return wait_until(swept, seconds=seconds)


def is_delivered(endpoint: Endpoint) -> Callable[[], bool]:
    left = OutboxMessage.objects.filter(endpoint=endpoint).exclude(state=DeliveryState.DELIVERED)
    return lambda: not left.exists()


def test_the_bell_of_the_lane_starts_couriers(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    send(garden, HARMLESS)
    tasks.look(lane=Lane.DELIVER)
    assert wait_until(is_delivered(endpoint))
    assert len(receiver.sent) == 1


def test_whoever_is_rung_does_not_wait_for_one_that_hangs(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer(Answer(hangs=5))
    send(garden, HARMLESS)
    began = time.monotonic()
    assert notify.drain() == 1
    assert time.monotonic() - began < TIMEOUT_SECONDS / 2


def test_one_that_hangs_delays_nobody_else(
    garden: Community, receiver: Receiver, settings: Settings
) -> None:
    settings.MODERATION = {**settings.MODERATION, "delivery_timeout_seconds": 3.0}
    add_webhook(garden, receiver.url("/hangs"))
    receiver.answer(Answer(hangs=30), path="/hangs")
    well = add_webhook(garden, receiver.url("/well"))
    began = time.monotonic()
    send(garden, *[HARMLESS] * 40)
    assert sweep_until(is_delivered(well))
    # Less than the time-out of the other: nothing here waited for it.
    assert max(one.at for one in receiver.to("/well")) - began < 3.0
    assert len(receiver.to("/well")) == 40
    assert 1 <= len(receiver.to("/hangs")) <= notify.AT_ONCE


def test_many_that_fail_leave_room_for_those_that_do_not(
    garden: Community, receiver: Receiver, settings: Settings
) -> None:
    settings.MODERATION = {**settings.MODERATION, "delivery_timeout_seconds": 8.0}
    receiver.answer(Answer(hangs=30), path="/hangs")
    failing = [
        add_webhook(garden, receiver.url("/hangs")) for _ in range(notify.MOST_FOR_FAILING + 4)
    ]
    Endpoint.objects.filter(pk__in=[one.pk for one in failing]).update(
        failing_since=failing[0].created_at
    )
    send(garden, HARMLESS)
    started = notify.drain()
    assert started == notify.MOST_FOR_FAILING
    well = add_webhook(garden, receiver.url("/well"))
    send(garden, HARMLESS)
    assert sweep_until(is_delivered(well), seconds=6)
    assert notify._room[True]._value == 0


def test_one_endpoint_has_a_few_couriers_at_most(
    garden: Community, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "BATCH", 1)
    endpoint = add_webhook(garden, receiver.url("/slow"))
    receiver.answer(Answer(hangs=0.05), path="/slow")
    send(garden, *[HARMLESS] * 30)
    assert sweep_until(is_delivered(endpoint))
    # It answers, so that it has more than one; and no more than it may have.
    assert 1 < receiver.peak <= notify.AT_ONCE


def test_slots_are_given_back(garden: Community, endpoint: Endpoint, receiver: Receiver) -> None:
    send(garden, HARMLESS)
    assert sweep_until(is_delivered(endpoint))
    assert wait_until(_all_home)
    assert Slots(f"endpoint:{endpoint.pk}", 1).take(1.0) is not None


def test_a_stream_of_messages_arrives_once_each(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    for _ in range(10):
        send(garden, *[HARMLESS] * 12)
        notify.drain()
    assert sweep_until(is_delivered(endpoint))
    assert Counter(one.id for one in receiver.sent).most_common(1)[0][1] == 1
    assert len(receiver.sent) == 120


def _dispatch_until_killed() -> None:
    """A worker of its own, that hands over until it is killed."""
    while True:
        notify.drain()
        time.sleep(0.01)


def test_a_dispatcher_that_is_killed_repeats_under_the_same_id(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    count, kills = 60, 4
    # Each answer takes its time, so that every kill finds something in the air.
    receiver.answer(Answer(hangs=0.02))
    send(garden, *[HARMLESS] * count)
    fork = multiprocessing.get_context("fork")
    _share_no_connection()
    for number in range(kills):
        worker = fork.Process(target=_dispatch_until_killed, daemon=True)
        worker.start()
        wanted = (number + 1) * 6
        assert wait_until(lambda wanted=wanted: len(receiver.sent) >= wanted)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        # What it held and its slots are free when their leases are over: that is waited for below.
        _free_slots(endpoint)
    assert sweep_until(is_delivered(endpoint), seconds=40)
    told = Counter(one.id for one in receiver.sent)
    assert set(told) == set(OutboxMessage.objects.values_list("message_id", flat=True))
    assert len(told) == count
    repeats = len(receiver.sent) - count
    assert repeats <= kills * notify.AT_ONCE
    bodies = {(one.id, one.body) for one in receiver.sent}
    assert len(bodies) == count


def _share_no_connection() -> None:
    """Two processes that talk to a database by one connection understand nothing."""
    connections.close_all()
    for one in connections.all():
        if hasattr(one, "close_pool"):
            one.close_pool()


def _free_slots(endpoint: Endpoint) -> None:
    """Spend no minute of a test on waiting for a dead process's slots."""
    from tests.stack import forget_redis

    forget_redis()


def test_a_crash_between_the_answer_and_its_record_repeats_the_message(
    garden: Community, endpoint: Endpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    settle = outbox.settle

    def die(*_: object) -> None:
        raise Killed

    [post] = send(garden, HARMLESS)
    monkeypatch.setattr(outbox, "settle", die)
    with pytest.raises(Killed):
        notify._take_turn(endpoint.pk)
    monkeypatch.setattr(outbox, "settle", settle)
    assert sweep_until(is_delivered(endpoint))
    first, second = receiver.sent
    assert first.id == second.id
    assert first.json["data"]["id"] == str(post.pk)


def test_a_removed_endpoint_is_served_no_more(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    send(garden, HARMLESS)
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    assert notify.drain() == 0
    assert not notify._take_turn(endpoint.pk)
    assert receiver.sent == []
