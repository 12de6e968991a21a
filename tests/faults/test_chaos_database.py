"""PostgreSQL killed -9 under load: what was acknowledged is there, and posting goes on soon.

`DATABASE_KILLS` times, at `DATABASE_RATE` posts a second.
"""

from __future__ import annotations

import random
import time
from bisect import bisect
from typing import Any

import pytest

from tests.faults import processes, report
from tests.faults.load import Clients, spread, write_letters
from tests.faults.sizes import size
from tests.faults.stack import running_stack

KILLS = size("DATABASE_KILLS", short=3, full=20)
RATE = size("DATABASE_RATE", short=10, full=50)
APART_SECONDS = (3.0, 8.0)
AWAY_SECONDS = (0.0, 3.0)
# More than they take, so that posts keep coming; the rest is not sent.
SECONDS_A_KILL = 30.0
FIRST_SUCCESS_WITHIN_SECONDS = 10.0
ALL_DECIDED_WITHIN_SECONDS = 60.0
# While the database is away each request holds one.
THREADS = 64

pytestmark = pytest.mark.timeout(int(300 + KILLS * SECONDS_A_KILL * 2))


def test_what_was_acknowledged_survives_the_databases_death(seed: int, chance: random.Random):
    letters = write_letters(
        chance,
        posts=int(RATE * KILLS * SECONDS_A_KILL),
        edits=int(RATE * KILLS * SECONDS_A_KILL / 10),
        seconds=KILLS * SECONDS_A_KILL,
        run=f"database-{seed}",
    )
    back: list[float] = []
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(2)
        stack.add_workers(2)
        stack.add_sweepers(1)
        stack.start_parts()
        clients = Clients(stack.web_ports, key, threads=THREADS)
        clients.start(letters)
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(*APART_SECONDS))
                stack.postgres.kill()
                time.sleep(chance.uniform(*AWAY_SECONDS))
                stack.postgres.start()
                back.append(time.monotonic())
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
        first = [_seconds_to_success(clients, since) for since in back]
        zeros = {
            "first success later than 10 s": sum(
                took > FIRST_SUCCESS_WITHIN_SECONDS for took in first
            ),
            "clients at odds": len(clients.tally.faults),
            "record broken": int(bool(outcome["chain"]["fault"])),
            **outcome["faults"],
        }
        figures: dict[str, Any] = {
            "posts": len(sent),
            "kills": KILLS,
            "seconds_to_first_success": spread(first),
            "all_decided_seconds_after_the_last": recovery,
            "harmless_to_people_attempts_spent": len(outcome["harmless_to_people_attempts_spent"]),
            "asked_twice": outcome["numbers"]["provider_calls"]
            - outcome["numbers"]["submissions_decided"],
            "answers": dict(clients.tally.answers),
        }
        report.publish("database", "PostgreSQL killed", seed=seed, zeros=zeros, figures=figures)
        assert {name: count for name, count in zeros.items() if count} == {}, outcome["examples"]


def _seconds_to_success(clients: Clients, since: float) -> float:
    """Return when, after the database answered again, a request succeeded for the first time."""
    successes = clients.tally.successes
    return successes[bisect(successes, since)] - since
