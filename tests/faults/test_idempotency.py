"""Many send one request with one key at once, and web processes are killed meanwhile: done once.

`ROUNDS` says how often (five times when absent).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tests.faults import report
from tests.faults.stack import Stack, running_stack

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SENDERS = 200
PATIENCE_SECONDS = 60.0
# A burst takes about a second: within this some are under way.
LATEST_KILL_SECONDS = 0.3


@dataclass
class Outcome:
    """What the senders of one round were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    bodies: set[str] = field(default_factory=set)
    firsts: int = 0
    broken: int = 0


def test_one_key_is_one_post_however_many_send_it_and_whoever_dies(
    chance: random.Random, seed: int
):
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(2)
        stack.start_parts()
        found: Counter[str] = Counter()
        for number in range(ROUNDS):
            payload = {"author": {"id": "bo"}, "text": f"Round {number} of {seed}"}
            # Every other round somebody dies.
            with _death(stack, chance) if number % 2 else nullcontext():
                outcome = _burst(stack, key, f"key-{number}", payload)
            assert len(outcome.bodies) == 1, outcome
            assert set(outcome.statuses) <= {202, 409}, outcome
            other = {**payload, "text": "Another payload."}
            status, *_ = _send(stack.web_ports[0], key, f"key-{number}", other)
            found["rounds"] += 1
            found["answered 202"] += outcome.statuses[202]
            found["answered 409 while running"] += outcome.statuses[409]
            found["replayed"] += outcome.statuses[202] - outcome.firsts
            found["connections broken"] += outcome.broken
            found["another payload: 422"] += status == 422
        found["processes killed"] = sum(web.deaths for web in stack.webs)
        found |= _rows(stack)
        report.keep("idempotency", dict(found))
        report.show("One key, many at once", dict(found))
        assert found["posts"] == found["records"] == found["another payload: 422"] == ROUNDS
        assert found["answered 202"] == ROUNDS * SENDERS
        assert found["answered 409 while running"] > 0
        assert found["processes killed"] >= ROUNDS // 2


def _burst(stack: Stack, key: str, name: str, payload: dict[str, Any]) -> Outcome:
    outcome, guard = Outcome(), threading.Lock()
    together = threading.Barrier(SENDERS)

    def send(number: int) -> None:
        """Repeat until it is answered, as the manual says."""
        together.wait()
        ends = time.monotonic() + PATIENCE_SECONDS
        port = stack.web_ports[number % len(stack.web_ports)]
        while time.monotonic() < ends:
            try:
                status, body, replayed = _send(port, key, name, payload)
            except (OSError, http.client.HTTPException):
                with guard:
                    outcome.broken += 1
                time.sleep(0.1)
                continue
            with guard:
                outcome.statuses[status] += 1
                if status != 409:
                    # Databases keep an object's fields in an order of their own.
                    outcome.bodies.add(json.dumps(json.loads(body), sort_keys=True))
                    outcome.firsts += not replayed
                    return
            time.sleep(0.05)

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, range(SENDERS)))
    return outcome


def _send(port: int, key: str, name: str, payload: dict[str, Any]) -> tuple[int, str, bool]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            "POST",
            "/api/v1/posts",
            json.dumps(payload),
            {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "Idempotency-Key": name,
            },
        )
        answer = connection.getresponse()
        body = answer.read().decode()
        return answer.status, body, answer.getheader("Idempotent-Replayed") == "true"
    finally:
        connection.close()


@contextmanager
def _death(stack: Stack, chance: random.Random) -> Iterator[None]:
    """Kill -9 one of the web processes, with all that it has started, while a block runs."""
    victim = chance.choice(stack.webs)
    killer = threading.Timer(chance.uniform(0.02, LATEST_KILL_SECONDS), _kill, [victim, chance])
    killer.start()
    yield
    killer.join()


def _kill(victim: Any, chance: random.Random) -> None:
    victim.kill_child(chance)
    victim.kill()


def _rows(stack: Stack) -> Counter[str]:
    with stack.postgres.connect() as connection:
        counted = {
            name: connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for name, table in (
                ("posts", "moderation_post"),
                ("records", "moderation_idempotencyrecord"),
            )
        }
    return Counter({name: int(str(row[0])) for name, row in counted.items() if row})
