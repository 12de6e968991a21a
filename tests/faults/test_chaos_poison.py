"""Posts that kill whoever judges them reach a person, and nobody else's post waits for them.

`POISON_SECONDS` of posts without such ones, and as long again with them, `POISON_RATE` a second.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.faults import processes, report
from tests.faults.load import Clients, Letter, spread, write_letters
from tests.faults.poisoned import DEVOURS, KILLS
from tests.faults.sizes import IS_FULL, size
from tests.faults.stack import Stack, running_stack

SECONDS = size("POISON_SECONDS", short=30, full=300)
RATE = size("POISON_RATE", short=10, full=20)
MOST_ATTEMPTS = 5
WITH_A_PERSON_WITHIN_SECONDS = 300.0
# A machine that has other work measures that, too: the bar holds for the full run.
MOST_ADDED_TO_P99 = 1.2

pytestmark = pytest.mark.timeout(int(600 + SECONDS * 2 + WITH_A_PERSON_WITHIN_SECONDS))


def test_poison_reaches_a_person_and_holds_up_nobody(seed: int, chance: random.Random):
    clean = _letters(chance, f"clean-{seed}")
    mixed = _letters(chance, f"mixed-{seed}")
    poison = [
        Letter(
            key=f"poison-{seed}-{number}",
            author=f"poisoner-{number}",
            revisions=[(f"Some {kind}, {number}.", False)],
            due=1.0,
            edit_pause=0.0,
        )
        for number, kind in enumerate((KILLS, DEVOURS))
    ]
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(1)
        stack.add_workers(2, application="tests.faults.poisoned")
        stack.add_sweepers(1)
        stack.start_parts()
        for letters in (clean, [*mixed, *poison]):
            Clients(stack.web_ports, key).deliver(letters, seconds=SECONDS + 60)
        processes.wait_until(
            lambda: stack.undecided() == 0,
            seconds=WITH_A_PERSON_WITHIN_SECONDS,
            what="everything is decided",
        )
        outcome = stack.judge_outcome([letter.expected() for letter in [*clean, *mixed]])
        before, after = (spread(stack.waits(run)) for run in (f"clean-{seed}", f"mixed-{seed}"))
        poisoned = _poisoned(stack)
        zeros = {
            "poison not with a person": sum(one["status"] != "in_review" for one in poisoned),
            "poison tried more than 5 times": sum(one["tries"] > MOST_ATTEMPTS for one in poisoned),
            "poison with a person after 5 min": sum(
                one["seconds"] > WITH_A_PERSON_WITHIN_SECONDS for one in poisoned
            ),
            "neighbours given up": len(outcome["harmless_to_people_attempts_spent"]),
            "record broken": int(bool(outcome["chain"]["fault"])),
            **outcome["faults"],
        }
        figures: dict[str, Any] = {
            "posts": len(clean) + len(mixed),
            "poison": {
                one["body"]: f"{one['tries']} tries, {one['seconds']:.0f} s" for one in poisoned
            },
            "seconds_to_verdict_without": before,
            "seconds_to_verdict_with": after,
        }
        report.publish("poison", "Poison posts", seed=seed, zeros=zeros, figures=figures)
        assert {name: count for name, count in zeros.items() if count} == {}, outcome["examples"]
        if IS_FULL:
            assert after["p99"] <= before["p99"] * MOST_ADDED_TO_P99


def _letters(chance: random.Random, run: str) -> list[Letter]:
    return write_letters(chance, posts=SECONDS * RATE, edits=0, seconds=SECONDS, run=run)


def _poisoned(stack: Stack) -> list[dict[str, Any]]:
    """Return what became of the poison; the last claim gives it to a person, untried."""
    with stack.postgres.connect() as connection:
        rows: list[Any] = connection.execute(
            "SELECT post.body, post.status, submission.attempts - 1,"
            " extract(epoch FROM submission.decided_at - submission.created_at)::float8"
            " FROM moderation_submission submission"
            " JOIN moderation_post post ON post.id = submission.post_id"
            " WHERE starts_with(post.channel, 'poison-') ORDER BY post.channel"
        ).fetchall()
    return [dict(zip(("body", "status", "tries", "seconds"), row, strict=True)) for row in rows]
