"""Processes tell that they live, and nothing of theirs fails for it."""

from __future__ import annotations

import os
import threading
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.db.models.functions import Now

import moderation
from moderation import queries
from moderation.coordination import own_process
from moderation.models import Heartbeat
from moderation.operations import heartbeat
from moderation.operations.heartbeat import KEPT, Heart
from moderation.operations.tidy import tidy
from moderation.vocabulary import Lane, ProcessRole

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_name_is_left():
    yield
    own_process.drop_name()


def age(name: str, seconds: float) -> None:
    Heartbeat.objects.filter(name=name).update(seen_at=Now() - timedelta(seconds=seconds))


def alive() -> dict[str, bool]:
    return {one.row.role: one.is_alive for one in queries.processes()}


def test_a_beat_says_who_lives_where_and_since_when():
    heart = Heart(ProcessRole.WORKER, lanes=[Lane.SCREEN, Lane.MEDIA], at_work=lambda: 3)
    heart.beat()
    row = Heartbeat.objects.get()
    assert row.name == f"worker@{row.host}:{os.getpid()}"
    assert (row.role, row.pid, row.lanes) == ("worker", os.getpid(), ["screen", "media"])
    assert (row.at_work, row.version) == (3, moderation.VERSION)
    assert abs(queries.database_now() - row.seen_at) < timedelta(seconds=20)


def test_the_version_is_that_of_the_project():
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert project["version"] == moderation.VERSION


def test_beats_keep_one_row_and_the_time_of_the_start():
    heart = Heart(ProcessRole.SWEEPER)
    heart.beat()
    Heartbeat.objects.update(started_at=Now() - timedelta(hours=1))
    began = Heartbeat.objects.get().started_at
    age(heart.name, 500)
    heart.beat()
    assert Heartbeat.objects.get().started_at == began
    assert alive() == {"sweeper": True}


def test_a_process_that_takes_the_name_of_a_dead_one_begins_anew():
    first = Heart(ProcessRole.WORKER, lanes=[Lane.SCREEN])
    first.beat()
    Heartbeat.objects.update(started_at=Now() - timedelta(hours=1), drain_asked_at=Now())
    Heart(ProcessRole.WORKER, lanes=[Lane.MEDIA]).beat()
    row = Heartbeat.objects.get()
    assert row.drain_asked_at is None
    assert row.lanes == ["media"]
    assert queries.database_now() - row.started_at < timedelta(minutes=5)


def test_loops_beat_only_when_it_is_time(django_assert_num_queries):
    heart = Heart(ProcessRole.SWEEPER)
    heart.keep_beating()
    with django_assert_num_queries(0):
        for _ in range(100):
            heart.keep_beating()


def test_who_is_silent_is_told_from_who_lives():
    for role, seconds in ((ProcessRole.SWEEPER, 1), (ProcessRole.SCHEDULER, 3600)):
        heart = Heart(role)
        heart.beat()
        age(heart.name, seconds)
    assert alive() == {"sweeper": True, "scheduler": False}


def test_a_database_that_is_away_costs_a_beat_and_one_line(monkeypatch, caplog, settings):
    settings.MODERATION = {**settings.MODERATION, "heartbeat_seconds": 0.001}
    heart = Heart(ProcessRole.SWEEPER)

    def away():
        raise DatabaseError("no connection")

    monkeypatch.setattr(heart, "beat", away)
    monkeypatch.setattr(heartbeat.time, "monotonic", iter(range(1, 1000)).__next__)
    monkeypatch.setattr(heartbeat.connection, "close", lambda: None)
    for _ in range(5):
        heart.keep_beating()
    lines = [record for record in caplog.records if record.message == "heartbeat_failed"]
    assert len(lines) == 1


def test_an_orderly_end_takes_the_row_away():
    heart = Heart(ProcessRole.READER, about="Kafka posts as a")
    heart.beat()
    heart.stop()
    assert not Heartbeat.objects.exists()
    assert own_process.own_name() == ""


def test_who_starts_anew_takes_the_place_of_the_dead_on_its_host_alone():
    def dead(name, **fields):
        Heartbeat.objects.create(
            name=name,
            **{"role": "sweeper", "host": own_process.host(), "pid": 1, **fields},
        )
        age(name, 3600)

    dead("here")
    dead("elsewhere", host="another")
    dead("other role", role="worker")
    Heart(ProcessRole.SWEEPER).beat()
    assert {"elsewhere", "other role"} < set(Heartbeat.objects.values_list("name", flat=True))
    assert not Heartbeat.objects.filter(name="here").exists()


def test_long_silent_ones_are_forgotten():
    Heart(ProcessRole.SCHEDULER).beat()
    for name, seconds in (("old", KEPT.total_seconds() + 60), ("night", 8 * 3600)):
        Heartbeat.objects.create(name=name, role="worker", host="h", pid=1)
        age(name, seconds)
    assert tidy().processes == 1
    assert not Heartbeat.objects.filter(name="old").exists()
    assert Heartbeat.objects.filter(name="night").exists()


def test_lanes_count_their_live_workers_that_claim():
    for number, (lanes, silent, drains) in enumerate(
        [
            ([Lane.SCREEN, Lane.MEDIA], 0, False),
            ([Lane.SCREEN], 0, True),
            ([Lane.SCREEN], 3600, False),
        ]
    ):
        name = f"w{number}"
        Heartbeat.objects.create(name=name, role="worker", host="h", pid=1, lanes=lanes)
        age(name, silent)
        if drains:
            Heartbeat.objects.filter(name=name).update(drain_asked_at=Now())
    found = queries.workers_by_lane(queries.processes())
    assert (found[Lane.SCREEN], found[Lane.MEDIA], found[Lane.DELIVER]) == (1, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_a_worker_beats_in_a_thread_and_hears_that_it_shall_drain(settings):
    settings.MODERATION = {**settings.MODERATION, "heartbeat_seconds": 0.02}
    heard: list[bool] = []
    told = threading.Event()

    def hear(drain: bool) -> None:
        heard.append(drain)
        told.set()

    heart = Heart(ProcessRole.WORKER, lanes=[Lane.SCREEN], on_drain=hear)
    heart.beat()
    Heartbeat.objects.update(drain_asked_at=Now())
    heart.start()
    assert told.wait(20)
    told.clear()
    Heartbeat.objects.update(drain_asked_at=None)
    assert told.wait(20)
    heart.stop()
    assert heard == [True, False]
    assert not Heartbeat.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_threads_connection_is_not_of_the_pool():
    found: list[bool] = []

    def look() -> None:
        heartbeat._leave_the_pool()
        found.append("pool" in heartbeat.connection.settings_dict["OPTIONS"])
        Heartbeat.objects.exists()
        heartbeat.connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False]
