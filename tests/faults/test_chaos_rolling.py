"""A deploy under load: every process is told to end and is started again, one after the other.

All roles run by the image's own entrypoint, two of each, as Compose would start them, on
PostgreSQL, RabbitMQ and Redis. `ROLLING_ROUNDS` and `ROLLING_RATE` (posts a second).
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from typing import Any

import pytest

from tests.faults import processes, report
from tests.faults.load import Clients, percentile, write_letters
from tests.faults.sizes import size
from tests.faults.stack import Part, Stack, running_stack

ROUNDS = size("ROLLING_ROUNDS", short=1, full=10)
RATE = size("ROLLING_RATE", short=10, full=50)
# One post in so many is edited.
POSTS_AN_EDIT = 10
# What Compose grants each role; then it is killed, which is a failure of its own.
GRACE_SECONDS = {"web": 30, "sockets": 20, "worker": 170, "sweeper": 60, "scheduler": 20}
# About what one round takes; posting goes on until all of them are over.
ROUND_SECONDS = 120.0
ALL_DECIDED_WITHIN_SECONDS = 60.0
TEXTS = "screen.high,screen,screen.low,deliver"

pytestmark = pytest.mark.timeout(int(600 + ROUNDS * 4 * ROUND_SECONDS))


def test_nobody_notices_that_everything_is_restarted(seed: int, chance: random.Random):
    with running_stack() as stack:
        stack.use_rabbit()
        key = stack.prepare()
        port = _start(stack)
        letters = write_letters(
            chance,
            posts=int(RATE * ROUNDS * ROUND_SECONDS),
            edits=int(RATE * ROUNDS * ROUND_SECONDS / POSTS_AN_EDIT),
            seconds=ROUNDS * ROUND_SECONDS,
            run=f"rolling-{seed}",
        )
        clients = Clients([port], key, threads=24)
        clients.start(letters)
        ended: dict[str, list[float]] = defaultdict(list)
        killed = 0
        began = time.monotonic()
        try:
            for number in range(ROUNDS):
                for part in chance.sample(stack.roles, len(stack.roles)):
                    took, was_killed = _restart(stack, part)
                    ended[_role(part)].append(took)
                    killed += was_killed
                print(f"Round {number + 1} of {ROUNDS} after {time.monotonic() - began:.0f} s")
            clients.take_no_more()
            recovery = processes.wait_until(
                lambda: clients.open_letters == 0 and stack.undecided() == 0,
                seconds=ALL_DECIDED_WITHIN_SECONDS,
                what="everything is answered and decided",
            )
        finally:
            clients.stop()
        sent = [letter for letter in letters if letter.id]
        outcome = stack.judge_outcome([letter.expected() for letter in sent])
        zeros = {
            "answers 5xx": clients.tally.errors(),
            "connections broken": clients.tally.broken(),
            "clients at odds": len(clients.tally.faults),
            "judged a second time": _judged_again(outcome["numbers"]),
            "killed because they did not end": killed,
            "record broken": int(bool(outcome["chain"]["fault"])),
            **outcome["faults"],
        }
        figures: dict[str, Any] = {
            "posts": len(sent),
            "edits": sum(letter.revision - 1 for letter in sent),
            "posts_a_second": len(sent) / (time.monotonic() - began),
            "processes_restarted": sum(map(len, ended.values())),
            "seconds_to_end": {
                role: f"{percentile(took, 0.5):.1f} (most {max(took):.1f})"
                for role, took in sorted(ended.items())
            },
            "answer_seconds": {
                name: percentile(clients.tally.seconds, share)
                for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            },
            "seconds_to_verdict": outcome["numbers"]["seconds_to_verdict"],
            "all_decided_seconds_after_the_last": recovery,
            "answers": dict(clients.tally.answers),
        }
        report.publish("rolling", "Rolling restarts", seed=seed, zeros=zeros, figures=figures)
        assert {name: count for name, count in zeros.items() if count} == {}, (
            outcome["examples"],
            clients.tally.faults[:5],
        )


def _start(stack: Stack) -> int:
    """Start two of each role, but one scheduler, behind a balancer; return its port."""
    webs, sockets = ([processes.free_port() for _ in range(2)] for _ in range(2))
    for port in webs:
        stack.add_role("web", "--host", "127.0.0.1", port=port)
    for port in sockets:
        stack.add_role("sockets", "--host", "127.0.0.1", port=port)
    for number in range(2):
        stack.add_role("worker", TEXTS, "-n", f"texts{number}@%h")
    stack.add_role("worker", "media,rescan", "-n", "media@%h")
    for _ in range(2):
        stack.add_role("sweeper")
    stack.add_role("scheduler", "--schedule", str(stack.folder / "beat"))
    front = processes.free_port()
    stack.add_balancer(front, {"/": webs, "/live/": sockets, "/api/v1/events": sockets})
    stack.start_parts()
    return front


def _restart(stack: Stack, part: Part) -> tuple[float, bool]:
    """Ask a part to end, wait for its successor; return its seconds and whether it was killed."""
    deaths, began = part.deaths, time.monotonic()
    grace = GRACE_SECONDS[_role(part)]
    part.ask_to_end()
    try:
        took = processes.wait_until(
            lambda: part.deaths > deaths, seconds=grace, what=f"{part.name} has ended"
        )
        was_killed = False
    except TimeoutError:
        part.kill()
        took, was_killed = time.monotonic() - began, True
    stack.wait_for(part)
    return took, was_killed


def _role(part: Part) -> str:
    return part.name.rpartition("-")[0]


def _judged_again(numbers: dict[str, Any]) -> int:
    return sum(count for attempts, count in numbers["attempts"].items() if int(attempts) > 1)
