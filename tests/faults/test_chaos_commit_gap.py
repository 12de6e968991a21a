"""Web servers die between the commit of a post and the message about it: none is lost.

`COMMIT_GAP_DEATHS` of them; what they accepted has only its row to speak for it.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from tests.faults import processes, report
from tests.faults.load import Clients, write_letters
from tests.faults.sizes import size
from tests.faults.stack import running_stack

DEATHS = size("COMMIT_GAP_DEATHS", short=5, full=100)
RATE = 5.0
# A successor's start takes most of it.
LONGEST_SECONDS_A_DEATH = 30.0
ALL_DECIDED_WITHIN_SECONDS = 60.0

pytestmark = pytest.mark.timeout(int(300 + DEATHS * LONGEST_SECONDS_A_DEATH))


def test_no_post_is_lost_between_commit_and_message(seed: int, chance: random.Random):
    seconds = DEATHS * LONGEST_SECONDS_A_DEATH
    letters = write_letters(
        chance,
        posts=int(seconds * RATE),
        edits=int(seconds * RATE / 5),
        seconds=seconds,
        run=f"gap-{seed}",
    )
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(2, application="tests.faults.dying_web:application")
        stack.add_workers(1)
        stack.add_sweepers(1)
        stack.start_parts()
        died = stack.folder / "died"
        clients = Clients(stack.web_ports, key)
        clients.start(letters)
        began = time.monotonic()
        try:
            processes.wait_until(
                lambda: died.exists() and died.stat().st_size >= DEATHS,
                seconds=seconds,
                what=f"{DEATHS} web servers died",
            )
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
            "clients at odds": len(clients.tally.faults),
            "record broken": int(bool(outcome["chain"]["fault"])),
            **outcome["faults"],
        }
        figures: dict[str, Any] = {
            "posts": len(sent),
            "edits": sum(letter.revision - 1 for letter in sent),
            "deaths": died.stat().st_size,
            "seconds": time.monotonic() - began,
            "all_decided_seconds_after_the_last": recovery,
            "seconds_to_verdict": outcome["numbers"]["seconds_to_verdict"],
            "answers": dict(clients.tally.answers),
        }
        report.publish(
            "commit_gap",
            "Web servers killed between commit and message",
            seed=seed,
            zeros=zeros,
            figures=figures,
        )
        assert {name: count for name, count in zeros.items() if count} == {}, (
            outcome["examples"],
            clients.tally.faults[:5],
        )
