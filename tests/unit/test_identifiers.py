"""Identifiers sort by time, so that a large table's index stays warm at its end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from moderation.identifiers import first_id_at, made_at, new_id


def test_later_id_sorts_after_an_earlier_one():
    first = new_id()
    time.sleep(0.002)
    second = new_id()
    assert first < second
    assert str(first) < str(second)


def test_id_is_a_version_7_uuid_and_unique():
    made = {new_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert {item.version for item in made} == {7}


def test_moment_stands_between_the_ids_before_it_and_those_from_it_on():
    before = new_id()
    time.sleep(0.002)
    now = datetime.now(UTC)
    after = new_id()
    assert before < first_id_at(now) < after
    assert abs(made_at(after) - now) < timedelta(seconds=1)


def test_moment_before_all_ids_has_a_first_id_too():
    assert first_id_at(datetime(1, 1, 1, tzinfo=UTC)).int == 0
