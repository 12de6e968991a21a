"""Machines whose clocks are wrong: hours apart, and stepping while posts are judged.

One worker's clock is two hours fast and the sweeper's two hours slow, and both step by ten minutes
to and fro, `CLOCK_STEPS` times. Needs libfaketime, which is Debian's package `faketime`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from moderation.conf import Conf
from tests.faults import processes, report
from tests.faults.load import Clients, write_letters
from tests.faults.sizes import size
from tests.faults.stack import Part, running_stack

STEPS = size("CLOCK_STEPS", short=3, full=30)
RATE = size("CLOCK_RATE", short=10, full=20)
STEP_SECONDS = 6.0
HOURS_APART = 2
STEP_MINUTES = 10
ALL_DECIDED_WITHIN_SECONDS = 60.0

LIBRARY = next(
    (
        path
        for path in (
            Path(os.environ.get("FAKETIME_LIBRARY") or "/none"),
            *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
        )
        if path.is_file()
    ),
    None,
)

pytestmark = [
    pytest.mark.timeout(int(300 + STEPS * STEP_SECONDS * 2)),
    pytest.mark.skipif(
        LIBRARY is None, reason="libfaketime was not found: it is Debian's package faketime."
    ),
]


def test_clocks_do_not_matter(seed: int, chance: random.Random):
    seconds = STEPS * STEP_SECONDS
    letters = write_letters(
        chance,
        posts=int(seconds * RATE),
        edits=int(seconds * RATE / 5),
        seconds=seconds,
        run=f"clocks-{seed}",
    )
    leases: list[float] = []
    with running_stack() as stack:
        key = stack.prepare()
        stack.add_webs(1)
        stack.add_workers(2)
        stack.add_sweepers(1)
        fast, slow = stack.folder / "fast", stack.folder / "slow"
        _mistime(stack.workers[0], fast)
        _mistime(stack.sweepers[0], slow)
        _set(fast, hours=HOURS_APART)
        _set(slow, hours=-HOURS_APART)
        stack.start_parts()
        clients = Clients(stack.web_ports, key)
        clients.start(letters)
        try:
            for number in range(STEPS):
                _set(fast, hours=HOURS_APART, minutes=(-1) ** number * STEP_MINUTES)
                _set(slow, hours=-HOURS_APART, minutes=-((-1) ** number) * STEP_MINUTES)
                # A worker dies now and then, so that leases run out by somebody's clock.
                stack.workers[number % 2].kill()
                leases += _watch_leases(stack.postgres, STEP_SECONDS)
            recovery = processes.wait_until(
                lambda: clients.open_letters == 0 and stack.undecided() == 0,
                seconds=ALL_DECIDED_WITHIN_SECONDS,
                what="everything is answered and decided",
            )
        finally:
            clients.stop()
        wrong_by = [_hours_off(part) for part in (stack.workers[0], stack.sweepers[0])]
        outcome = stack.judge_outcome([letter.expected() for letter in letters])
        longest = Conf().lease_seconds
        zeros = {
            "leases longer than they may be": sum(left > longest for left in leases),
            "clients at odds": len(clients.tally.faults),
            "answers 5xx": clients.tally.errors(),
            "record broken": int(bool(outcome["chain"]["fault"])),
            **outcome["faults"],
        }
        figures: dict[str, Any] = {
            "posts": len(letters),
            "steps": STEPS,
            "worker_and_sweeper_hours_off": [round(hours, 2) for hours in wrong_by],
            "leases_seen": len(leases),
            "longest_lease_left_seconds": max(leases, default=0.0),
            "all_decided_seconds_after_the_last": recovery,
            "harmless_to_people_attempts_spent": len(outcome["harmless_to_people_attempts_spent"]),
            "seconds_to_verdict": outcome["numbers"]["seconds_to_verdict"],
        }
        report.publish("clocks", "Wrong clocks", seed=seed, zeros=zeros, figures=figures)
        # Otherwise nothing was tried.
        assert wrong_by[0] > 1 > -1 > wrong_by[1]
        assert {name: count for name, count in zeros.items() if count} == {}, outcome["examples"]


def _mistime(part: Part, file: Path) -> None:
    """Let a part go by a clock that is as wrong as a file says; waiting takes as long as ever."""
    part.env |= {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _set(file: Path, *, hours: int, minutes: int = 0) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{(hours * 60 + minutes) * 60:+d}\n")
    fresh.replace(file)


def _hours_off(part: Part) -> float:
    """Ask a program with the clock of a part for the time; return how far it is from ours."""
    said = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=part.env,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return (float(said.stdout) - time.time()) / 3600


def _watch_leases(postgres: Any, seconds: float) -> list[float]:
    """Return what is left of each lease that is seen, by the database's clock."""
    found: list[float] = []
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        with postgres.connect() as connection:
            found += [
                row[0]
                for row in connection.execute(
                    "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8"
                    " FROM moderation_submission WHERE lease_until IS NOT NULL AND state = 'due'"
                ).fetchall()
            ]
        time.sleep(0.2)
    return found
