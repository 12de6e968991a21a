"""Accepting needs the database only: a broker that accepts and never answers delays nobody."""

from __future__ import annotations

import random
import time

from tests.faults import processes, report
from tests.faults.load import Clients, percentile, write_letters
from tests.faults.sizes import size
from tests.faults.stack import running_stack

# Long enough for the five seconds' pause between two tries to pass several times.
FROZEN_SECONDS = float(size("FROZEN_SECONDS", short=20, full=300))
POSTS_A_SECOND = size("FROZEN_RATE", short=20, full=50)
SLOWEST_P99_SECONDS = 0.5
ALL_DECIDED_WITHIN_SECONDS = 60.0
# One post's answer must not wait for another's, so there are more clients than can be waiting.
THREADS = 24


def test_posts_are_accepted_at_once_while_the_broker_is_frozen(seed: int, chance: random.Random):
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(2)
        stack.add_workers(1)
        stack.add_sweepers(1)
        stack.start_parts()
        _send(Clients(stack.web_ports, key, threads=THREADS), chance, f"warm-{seed}", seconds=3.0)
        clients = Clients(stack.web_ports, key, threads=THREADS)
        stack.redis.freeze()
        try:
            _send(clients, chance, f"frozen-{seed}", seconds=FROZEN_SECONDS)
        finally:
            stack.redis.thaw()
        thawed_at = time.monotonic()
        processes.wait_until(
            lambda: stack.undecided() == 0,
            seconds=ALL_DECIDED_WITHIN_SECONDS,
            what="everything is decided",
        )
        found = {
            "posts": int(FROZEN_SECONDS * POSTS_A_SECOND),
            "answers": dict(clients.tally.answers),
            "answer_seconds": {
                name: percentile(clients.tally.seconds, share)
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
            },
            "all_decided_seconds_after_thaw": time.monotonic() - thawed_at,
        }
        report.keep("frozen_broker", found)
        report.show(
            f"Broker frozen for {FROZEN_SECONDS:.0f} s at {POSTS_A_SECOND} posts a second", found
        )
        assert found["answers"] == {"POST 202": found["posts"]}
        assert clients.tally.faults == []
        assert found["answer_seconds"]["p99"] <= SLOWEST_P99_SECONDS


def _send(clients: Clients, chance: random.Random, run: str, *, seconds: float) -> None:
    letters = write_letters(
        chance, posts=int(seconds * POSTS_A_SECOND), edits=0, seconds=seconds, run=run
    )
    clients.start(letters)
    try:
        processes.wait_until(
            lambda: clients.open_letters == 0, seconds=seconds + 30, what="every post is answered"
        )
    finally:
        clients.stop()
