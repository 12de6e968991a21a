"""A worker that was frozen past its lease wakes up with verdicts that are not its to give."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path

from tests.faults import processes, report
from tests.faults.load import Clients, Letter, write_letters
from tests.faults.stack import Stack, json_lines, running_stack

POSTS = 100
# Short, so that the test is; the rule is the same for any.
SETTINGS = {"GATEHOUSE_LEASE_SECONDS": "3", "GATEHOUSE_LEASE_RENEW_SECONDS": "1"}
STEP_SECONDS = 60.0
# Far below the five seconds after which a wait for a row is given up.
SLOWEST_SECONDS = 2.0


def test_every_verdict_of_a_zombie_is_refused(seed: int, chance: random.Random):
    letters = write_letters(chance, posts=POSTS, edits=0, seconds=2.0, run=f"zombie-{seed}")
    with running_stack(**SETTINGS) as stack:
        key = _start(stack)
        _send(Clients(stack.web_ports, key), letters)
        log = stack.folder / "zombie.log"
        zombie = _freeze(stack, "freeze_before_enforcing", log)
        stack.add_workers(1)
        stack.add_sweepers(1)
        processes.wait_until(
            lambda: stack.undecided() == 0, seconds=STEP_SECONDS, what="another worker decided"
        )
        zombie.send_signal(signal.SIGCONT)
        assert zombie.wait(STEP_SECONDS) == 0
        tried = list(json_lines(log))[-1]
        found = {
            **tried,
            "counted_as_refused": sum(
                line["count"]
                for line in json_lines(log)
                if line.get("event") == "stale_verdicts_refused"
            ),
            **stack.judge_outcome([letter.expected() for letter in letters]),
        }
        report.keep("zombie", found)
        report.show("A worker frozen past its lease wakes up", found)
        assert tried == {"tried": POSTS, "effective": 0}
        assert found["counted_as_refused"] == POSTS
        assert {name: count for name, count in found["faults"].items() if count} == {}
        assert found["chain"]["fault"] == ""


def test_worker_frozen_in_its_transaction_holds_up_no_post(seed: int, chance: random.Random):
    first = write_letters(chance, posts=POSTS, edits=0, seconds=2.0, run=f"first-{seed}")
    # By the same authors, whose standing the frozen worker has just changed.
    second = write_letters(chance, posts=POSTS, edits=0, seconds=2.0, run=f"second-{seed}")
    with running_stack() as stack:
        key = _start(stack)
        _send(Clients(stack.web_ports, key), first)
        zombie = _freeze(stack, "freeze_while_enforcing", stack.folder / "zombie.log")
        clients = Clients(stack.web_ports, key)
        _send(clients, second)
        zombie.kill()
        zombie.wait(STEP_SECONDS)
        stack.add_workers(1)
        stack.add_sweepers(1)
        processes.wait_until(
            lambda: stack.undecided() == 0, seconds=STEP_SECONDS, what="another worker decided"
        )
        found = {
            "answers": dict(clients.tally.answers),
            "slowest_answer_seconds": max(clients.tally.seconds),
            **stack.judge_outcome([letter.expected() for letter in [*first, *second]]),
        }
        report.keep("frozen_in_transaction", found)
        report.show("A worker freezes in its transaction", found)
        assert found["answers"] == {"POST 202": POSTS}
        assert found["slowest_answer_seconds"] < SLOWEST_SECONDS
        assert {name: count for name, count in found["faults"].items() if count} == {}
        assert found["chain"]["fault"] == ""


def _start(stack: Stack) -> str:
    key = stack.prepare()
    stack.add_webs(1)
    stack.start_parts()
    return key


def _send(clients: Clients, letters: list[Letter]) -> None:
    clients.start(letters)
    try:
        processes.wait_until(
            lambda: clients.open_letters == 0, seconds=STEP_SECONDS, what="all posts are answered"
        )
    finally:
        clients.stop()
    assert clients.tally.faults == []


def _freeze(stack: Stack, act: str, log: Path) -> subprocess.Popen[bytes]:
    zombie = stack.start_inside(act, str(POSTS), log=log)
    processes.wait_until(
        lambda: {"frozen": POSTS} in json_lines(log),
        seconds=STEP_SECONDS,
        what=f"the zombie holds {POSTS} claims",
    )
    return zombie
