"""Identifiers sort by time, so that a large table's index stays warm at its end."""

from __future__ import annotations

import time

from moderation.identifiers import new_id


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
