"""Everything is killed at random while people post and edit. Nothing may be lost or go wrong.

`FAULT_SECONDS` says how long. At night (`CHAOS`) there are `BOMBARDED_POSTS`, `BOMBARDED_EDITS` and
`FAULTS_OF_EACH_KIND` instead.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from typing import Any

from tests.faults import processes, report
from tests.faults.breakage import Saboteur
from tests.faults.load import Clients, Letter, percentile, write_letters
from tests.faults.sizes import size
from tests.faults.stack import Stack, running_stack

# Of the whole time that is given: the rest is for starting, recovering and checking.
BOMBARDED_SHARE = 0.55
SHORTEST_BOMBARDMENT_SECONDS = 35.0
# A run with less time than this is the short one.
LONG_RUN_SECONDS = 180.0
ALL_DECIDED_WITHIN_SECONDS = 60.0
MOST_SPENT_SHARE = 0.01
LAST_POSTS = 20
# At night; about half of it is what it takes to strike.
SECONDS_A_FAULT = 3.0
KINDS_OF_FAULTS = 12
IS_NIGHT = bool(os.environ.get("CHAOS"))


def test_no_fault_loses_doubles_or_misjudges_a_post(
    fault_seconds: float, seed: int, chance: random.Random
):
    bombarded, posts, edits, each = _sizes(fault_seconds)
    letters = write_letters(
        chance, posts=posts, edits=edits, seconds=bombarded, run=f"faults-{seed}"
    )
    last = write_letters(chance, posts=LAST_POSTS, edits=0, seconds=1.0, run=f"last-{seed}")
    with running_stack() as stack:
        key = _start(stack)
        clients = Clients(stack.web_ports, key, some_are_impatient=True)
        saboteur = Saboteur(stack, chance)
        clients.start(letters)
        try:
            saboteur.bombard(seconds=bombarded, each=each)
            recovery = _recover(stack, clients, since=saboteur.healed_at)
            silent_recovery = _post_without_bells(stack, Clients(stack.web_ports, key), last)
        finally:
            saboteur.heal()
            clients.stop()
            print("\n".join(saboteur.told))
        outcome = stack.judge_outcome([letter.expected() for letter in [*letters, *last]])
        found = {
            "seed": seed,
            "seconds": bombarded,
            "posts": posts + LAST_POSTS,
            "edits": edits,
            "faults_injected": dict(saboteur.count),
            "all_decided_seconds_after_last_fault": recovery,
            "all_decided_seconds_after_loss_of_bells": silent_recovery,
            **outcome,
            **_seen_by_clients(clients),
            **_seen_in_logs(stack),
        }
        if IS_NIGHT:
            zeros = {**found.pop("faults"), "clients at odds": len(clients.tally.faults)}
            report.publish("bombardment", "Bombardment", seed=seed, zeros=zeros, figures=found)
            found["faults"] = zeros
        else:
            report.keep("bombardment", found)
            report.show("Bombardment", found)
        _judge(found, clients)


def _sizes(fault_seconds: float) -> tuple[float, int, int, int]:
    """Return the seconds of bombardment, posts, edits and how often each kind strikes at least."""
    if IS_NIGHT:
        each = size("FAULTS_OF_EACH_KIND", short=2, full=50)
        posts = size("BOMBARDED_POSTS", short=500, full=10_000)
        edits = size("BOMBARDED_EDITS", short=100, full=2_000)
        return each * KINDS_OF_FAULTS * SECONDS_A_FAULT, posts, edits, each
    bombarded = max(SHORTEST_BOMBARDMENT_SECONDS, fault_seconds * BOMBARDED_SHARE)
    posts, edits = (1_000, 200) if fault_seconds >= LONG_RUN_SECONDS else (300, 60)
    return bombarded, posts, edits, 1


def _start(stack: Stack) -> str:
    key = stack.prepare()
    stack.add_webs(2)
    stack.add_workers(2)
    stack.add_sweepers(2)
    stack.start_parts()
    return key


def _post_without_bells(stack: Stack, clients: Clients, letters: Sequence[Letter]) -> float:
    """Post while there is no broker, which then comes back empty: only the sweeper knows of these.

    Return the seconds from the broker's return until all are decided.
    """
    stack.redis.kill()
    clients.start(letters)
    try:
        processes.wait_until(
            lambda: clients.open_letters == 0, seconds=30, what="all posts are answered"
        )
    finally:
        clients.stop()
    # What is under way through bells from before must not help.
    for worker in stack.workers:
        worker.kill()
    stack.redis.forget()
    stack.redis.start()
    return _recover(stack, clients, since=time.monotonic())


def _recover(stack: Stack, clients: Clients, *, since: float) -> float:
    """Wait until every client is answered and every post decided; return the seconds it took."""
    left = ALL_DECIDED_WITHIN_SECONDS - (time.monotonic() - since)
    try:
        processes.wait_until(
            lambda: clients.open_letters == 0 and stack.undecided() == 0,
            seconds=left,
            what="everything is answered and decided",
        )
    except TimeoutError as error:
        raise AssertionError(
            f"{ALL_DECIDED_WITHIN_SECONDS:.0f} s after the last fault {clients.open_letters} "
            f"clients wait and {stack.undecided()} submissions are undecided."
        ) from error
    return time.monotonic() - since


def _seen_by_clients(clients: Clients) -> dict[str, Any]:
    tally = clients.tally
    return {
        "answers": dict(sorted(tally.answers.items())),
        "clients_at_odds": tally.faults[:5],
        "answer_seconds": {
            name: percentile(tally.seconds, share)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
        },
    }


def _seen_in_logs(stack: Stack) -> dict[str, Any]:
    refused = sum(
        int(line.get("count", 1))
        for line in stack.log_lines(stack.workers)
        if line.get("event") == "stale_verdicts_refused"
    )
    return {
        "stale_verdicts_refused": refused,
        "restarts": {part.name: part.deaths for part in stack.parts()},
    }


def _judge(found: dict[str, Any], clients: Clients) -> None:
    assert clients.tally.faults == []
    assert {name: count for name, count in found["faults"].items() if count} == {}, found[
        "examples"
    ]
    assert found["numbers"]["posts"] == found["posts"]
    assert found["chain"]["fault"] == ""
    assert found["chain"]["unsealed"] == 0
    assert len(found["harmless_to_people_attempts_spent"]) <= MOST_SPENT_SHARE * found["posts"]
