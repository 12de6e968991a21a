"""Every page shows the final state soon after it is back, whoever is killed meanwhile.

Each of `SOCKETS` people watches one post of their own, which is edited and judged while the server
of their sockets or Redis is killed -9, `SOCKET_KILLS` times each.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.faults import processes, report
from tests.faults.load import HARMLESS, THREATS, Clients, Letter, numbered, percentile
from tests.faults.sizes import size
from tests.faults.stack import Stack, running_stack
from tests.faults.watchers import Audience, State, Watcher

SOCKETS = size("SOCKETS", short=100, full=1_000)
KILLS = size("SOCKET_KILLS", short=3, full=20)
SERVERS = 2
EDITS_A_SECOND = 20.0
CONVERGED_WITHIN_SECONDS = 5.0
# Until everybody is back and shows what is true: beyond that the run ends.
PATIENCE_SECONDS = 90.0
SITE = "http://localhost:8000"

pytestmark = pytest.mark.timeout(300 + KILLS * 2 * int(PATIENCE_SECONDS))


def test_every_screen_converges_after_each_kill(seed: int, chance: random.Random):
    with running_stack(GATEHOUSE_URL=SITE, ALLOWED_HOSTS="127.0.0.1") as stack:
        key = stack.prepare()
        _start(stack)
        letters = _letters(seed)
        _send(stack, key, letters)
        audience = _audience(stack, chance)
        audience.start()
        seconds: dict[str, list[float]] = {"server": [], "redis": []}
        late: list[str] = []
        try:
            _wait_for_all(audience)
            slices = [letters[number :: 2 * KILLS] for number in range(2 * KILLS)]
            for number, edited in enumerate(slices):
                victim = "redis" if number % 2 else "server"
                _edit_and_kill(stack, key, edited, victim, chance, number)
                took = _converge(stack, audience)
                seconds[victim] += took.values()
                late += [
                    f"{victim} {number // 2}: {post} after {after:.1f} s"
                    for post, after in took.items()
                    if after > CONVERGED_WITHIN_SECONDS
                ]
                print(f"{victim} {number // 2 + 1}: slowest {max(took.values()):.2f} s")
        finally:
            audience.stop()
        zeros = {
            "screens not true in time": len(late),
            "events of others": sum(one.foreign for one in audience.watchers),
            **stack.judge_outcome([letter.expected() for letter in letters])["faults"],
        }
        figures: dict[str, Any] = {
            "sockets": SOCKETS,
            "kills": dict.fromkeys(seconds, KILLS),
            "edits": SOCKETS,
            **{
                f"{victim} killed: seconds until true": {
                    name: percentile(took, share)
                    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
                }
                for victim, took in seconds.items()
            },
            "sockets_closed": dict(audience.closed),
        }
        report.publish("sockets", "Sockets", seed=seed, zeros=zeros, figures=figures)
        assert {name: count for name, count in zeros.items() if count} == {}, late[:5]


def _start(stack: Stack) -> None:
    stack.add_webs(1)
    for _ in range(SERVERS):
        port = processes.free_port()
        stack.socket_ports.append(port)
        stack.add_role("sockets", "--host", "127.0.0.1", port=port)
    stack.add_workers(1)
    stack.add_sweepers(1)
    stack.start_parts()


def _letters(seed: int) -> list[Letter]:
    """Return one post of each person, that is edited into its opposite."""
    return [
        Letter(
            key=f"watched-{seed}-{number}",
            author=f"watcher-{number}",
            revisions=[(HARMLESS[number % len(HARMLESS)].format(numbered(number)), False)],
            due=number / EDITS_A_SECOND,
            edit_pause=0.0,
        )
        for number in range(SOCKETS)
    ]


def _send(stack: Stack, key: str, letters: Sequence[Letter]) -> None:
    clients = Clients(stack.web_ports, key)
    clients.start(letters)
    try:
        processes.wait_until(
            lambda: clients.open_letters == 0 and stack.undecided() == 0,
            seconds=PATIENCE_SECONDS + len(letters) / EDITS_A_SECOND,
            what="everything is answered and decided",
        )
    finally:
        clients.stop()
    assert clients.tally.faults == []


def _audience(stack: Stack, chance: random.Random) -> Audience:
    seats = stack.ask_inside("seat_watchers")["seats"]
    watchers = [Watcher(seat["post"], seat["session"]) for seat in seats]
    return Audience(watchers, stack.socket_ports, SITE, chance)


def _wait_for_all(audience: Audience) -> None:
    processes.wait_until(
        lambda: audience.open == len(audience.watchers),
        seconds=PATIENCE_SECONDS + len(audience.watchers) / 20,
        what="every socket is open",
    )


def _edit_and_kill(
    stack: Stack,
    key: str,
    edited: Sequence[Letter],
    victim: str,
    chance: random.Random,
    number: int,
) -> None:
    """Edit some posts, and kill somewhere between the first edit and the last verdict."""
    for turn, letter in enumerate(edited):
        letter.revisions.append((THREATS[turn % len(THREATS)].format(turn), True))
        letter.due = turn / EDITS_A_SECOND
    clients = Clients(stack.web_ports, key)
    clients.start(edited)
    try:
        time.sleep(chance.uniform(0, len(edited) / EDITS_A_SECOND + 0.5))
        if victim == "redis":
            stack.redis.kill()
            time.sleep(chance.uniform(0, 1.5))
            stack.redis.start()
        else:
            part = stack.roles[number // 2 % SERVERS]
            part.kill()
            stack.wait_for(part)
        processes.wait_until(
            lambda: clients.open_letters == 0 and stack.undecided() == 0,
            seconds=PATIENCE_SECONDS,
            what="everything is answered and decided",
        )
    finally:
        clients.stop()
    assert clients.tally.faults == []


def _converge(stack: Stack, audience: Audience) -> dict[str, float]:
    """Wait until every page is true; return how long each took since it could be.

    That is since its socket was open again or its post decided, whichever was later.
    """
    truth = _truth(stack)

    def is_true(watcher: Watcher) -> bool:
        return watcher.is_open and watcher.shows == truth[watcher.post][0]

    processes.wait_until(
        lambda: all(map(is_true, audience.watchers)),
        seconds=PATIENCE_SECONDS,
        what="every screen is true",
    )
    return {
        one.post: max(0.0, one.shows_since - max(one.opened_at, truth[one.post][1]))
        for one in audience.watchers
    }


def _truth(stack: Stack) -> dict[str, tuple[State, float]]:
    """Return each post's revision and status, and when that was decided."""
    with stack.postgres.connect() as connection:
        rows: list[Any] = connection.execute(
            "SELECT post.id::text, post.revision, post.status,"
            " extract(epoch FROM max(submission.decided_at))::float8"
            " FROM moderation_post post JOIN moderation_submission submission"
            " ON submission.post_id = post.id GROUP BY post.id"
        ).fetchall()
    return {post: ((revision, status), decided) for post, revision, status, decided in rows}
