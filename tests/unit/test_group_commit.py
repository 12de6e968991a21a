"""Requests that come together share one commit, and never one another's fault."""

from __future__ import annotations

import threading
import time

import pytest

from moderation.pipeline.intake import group_commit
from moderation.pipeline.intake.group_commit import GroupCommit


def test_lone_item_goes_straight_through():
    batches: list[list[int]] = []

    def run(items):
        batches.append(list(items))
        return [item * 2 for item in items]

    commits = GroupCommit(run, max_batch=8)
    assert commits.submit(21) == 42
    assert batches == [[21]]


def test_items_that_wait_are_committed_together_each_with_its_own_result():
    sizes: list[int] = []

    def run(items):
        sizes.append(len(items))
        time.sleep(0.02)
        return [item * 2 for item in items]

    commits = GroupCommit(run, max_batch=8)
    results: dict[int, int] = {}

    def work(item: int) -> None:
        results[item] = commits.submit(item)

    threads = [threading.Thread(target=work, args=(item,)) for item in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {item: item * 2 for item in range(20)}
    assert sum(sizes) == 20
    assert max(sizes) <= 8
    assert len(sizes) < 20


def test_next_batch_waits_for_as_many_as_were_there_a_moment_ago(monkeypatch):
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 20)
    batches: list[list[int]] = []
    first_may_end = threading.Event()

    def run(items):
        batches.append(sorted(items))
        if items == [1]:
            first_may_end.wait(20)
        return list(items)

    commits = GroupCommit(run, max_batch=8)
    threads = {
        number: threading.Thread(target=commits.submit, args=(number,)) for number in range(1, 5)
    }
    threads[1].start()
    while not batches:
        time.sleep(0.001)
    threads[2].start()
    threads[3].start()
    while len(commits._queue) < 2:
        time.sleep(0.001)
    first_may_end.set()
    threads[1].join()
    time.sleep(0.05)  # two are there; one more was there a moment ago
    threads[4].start()
    for thread in threads.values():
        thread.join()
    assert batches == [[1], [2, 3, 4]]


def test_those_who_wait_are_told_when_the_commit_is_broken_off():
    def run(items):
        time.sleep(0.05)
        raise SystemExit

    commits = GroupCommit(run, max_batch=8)
    outcomes: list[str] = []

    def work(item: int) -> None:
        try:
            commits.submit(item)
        except (SystemExit, RuntimeError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=work, args=(item,)) for item in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(outcomes) == 4


def test_faulty_item_takes_no_neighbour_down():
    def run(items):
        if 13 in items:
            raise ValueError("unlucky")
        return list(items)

    commits = GroupCommit(run, max_batch=8)
    gate = threading.Barrier(4)
    outcomes: dict[int, object] = {}

    def work(item: int) -> None:
        gate.wait()
        try:
            outcomes[item] = commits.submit(item)
        except ValueError as error:
            outcomes[item] = str(error)

    threads = [threading.Thread(target=work, args=(item,)) for item in (11, 12, 13, 14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {11: 11, 12: 12, 13: "unlucky", 14: 14}


def test_what_a_run_raises_reaches_the_caller():
    def run(items):
        raise KeyError("gone")

    with pytest.raises(KeyError):
        GroupCommit(run, max_batch=1).submit(1)
