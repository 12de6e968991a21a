"""After an outage: what has piled up is worked off at full speed, and how new posts fare meanwhile.

`BACKLOG` due posts while nobody works, `BACKLOG_NORMAL` for comparison; new posts at
`BACKLOG_RATE` a second.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.faults import processes, report
from tests.faults.load import Clients, spread, write_letters
from tests.faults.sizes import IS_FULL, size
from tests.faults.stack import Stack, running_stack

BACKLOG = size("BACKLOG", short=6_000, full=100_000)
NORMAL = size("BACKLOG_NORMAL", short=3_000, full=10_000)
RATE = size("BACKLOG_RATE", short=5, full=10)
NORMAL_SECONDS = 20.0
LEAST_SHARE_OF_RATE = 0.8
LEAST_A_SECOND = 50

pytestmark = pytest.mark.timeout(600 + (BACKLOG + NORMAL) // LEAST_A_SECOND * 2)


def test_a_backlog_is_worked_off_at_full_speed(seed: int, chance: random.Random):
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(1)
        stack.add_workers(2)
        stack.add_sweepers(1)
        stack.start_parts()
        _new_posts(stack, key, chance, f"before-{seed}", seconds=NORMAL_SECONDS)
        _pile_up(stack, NORMAL, f"normal-{seed}")
        normal_rate = _work_off(stack, NORMAL, f"normal-{seed}")
        _pile_up(stack, BACKLOG, f"backlog-{seed}")
        # Some come while the pile is high.
        _new_posts(stack, key, chance, f"after-{seed}", seconds=max(5.0, BACKLOG / normal_rate / 2))
        rate = _work_off(stack, BACKLOG, f"backlog-{seed}")
        normal_waits, waits = stack.waits(f"before-{seed}"), stack.waits(f"after-{seed}")
        outcome = stack.judge_outcome([])
        zeros = {
            "posts missing": BACKLOG - len(stack.waits(f"backlog-{seed}")),
            "record broken": int(bool(outcome["chain"]["fault"])),
            **outcome["faults"],
        }
        figures: dict[str, Any] = {
            "backlog": BACKLOG,
            "decided_a_second_normally": normal_rate,
            "decided_a_second_after_the_outage": rate,
            "share": rate / normal_rate,
            "new_posts_wait_normally": spread(normal_waits),
            "new_posts_wait_after_the_outage": spread(waits),
        }
        report.publish("backlog", "After an outage", seed=seed, zeros=zeros, figures=figures)
        assert {name: count for name, count in zeros.items() if count} == {}, outcome["examples"]
        if IS_FULL:
            assert rate >= normal_rate * LEAST_SHARE_OF_RATE


def _new_posts(stack: Stack, key: str, chance: random.Random, run: str, *, seconds: float) -> None:
    letters = write_letters(chance, posts=int(seconds * RATE), edits=0, seconds=seconds, run=run)
    Clients(stack.web_ports, key).deliver(letters, seconds=seconds + 60)


def _pile_up(stack: Stack, count: int, run: str) -> None:
    """Let posts pile up while nobody works, and wait until work has begun again."""
    # What a killed worker held would wait for its lease to end.
    _until_decided(stack, 0)
    for worker in stack.workers:
        worker.send_home()
    stack.ask_inside("pile_up", str(count), run, seconds=60 + count / LEAST_A_SECOND)
    for worker in stack.workers:
        worker.call_back()
    processes.wait_until(lambda: stack.waits(run), seconds=120, what="the first is decided")


def _work_off(stack: Stack, count: int, run: str) -> float:
    """Wait until the pile is worked off; return how many posts were decided a second."""
    _until_decided(stack, count)
    return stack.decided_a_second(run)


def _until_decided(stack: Stack, count: int) -> None:
    processes.wait_until(
        lambda: stack.undecided() == 0,
        seconds=60 + count / LEAST_A_SECOND,
        what="everything is decided",
    )
