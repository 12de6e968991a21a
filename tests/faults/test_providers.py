"""Services fail, call back twice, late or never, and allow so much a second: real processes ask
them, and nothing is judged by chance, judged twice or lost.
"""

from __future__ import annotations

import http.client
import io
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from PIL import Image

from tests.faults import processes, report
from tests.faults.load import Clients, Letter, percentile
from tests.faults.outside import BadLine, Knocker, Outside, Seen, Weather, running_line
from tests.faults.stack import Part, Stack, running_stack

WORKERS = 4
# A run with less time than this is the short one.
LONG_RUN_SECONDS = 180.0
STEP_SECONDS = 60.0

PRIMARY, SECONDARY = "openai", "mistral"
POSTS_A_SECOND = 15
HEALTHY_SECONDS = 4.0
OPENS_WITHIN_SECONDS = 10.0
CLOSES_WITHIN_SECONDS = 60.0
ASKED_AGAIN_WITHIN_SECONDS = 60.0
# A call waits no longer than this for the service that is slow, which takes longer.
CALL_SECONDS, SLOW_SECONDS = 1.5, 2.5

PICTURES_A_POST = 2
CALLBACKS_A_SECOND = {1_000: 30, 10_000: 33}
EDITED_SHARE = 0.1
SECONDS_A_KILL = 10.0
# The sandbox finds next to nothing in a picture, and exactly so much in these bytes: with a
# threshold in the midst of it about half of the posts are to be rejected.
BLOCK_AT = 0.0095
SLOWEST_ACK_P99_SECONDS = 0.25
# A machine on which a request for nothing takes longer is busy with other things.
CALM_KNOCK_SECONDS = 0.05

CALLS_A_SECOND = 50
A_BULK = 100
SLOW_FOR_SECONDS = 2.0

COMMUNITIES: dict[str, dict[str, Any]] = {
    "standing-in": {
        "accounts": [
            {
                "name": PRIMARY,
                "adapter": "openai",
                "secrets": {"api_key": "a-key"},
                "timeout_seconds": CALL_SECONDS,
                "per_second": 500,
            },
            {
                "name": SECONDARY,
                "adapter": "mistral",
                "secrets": {"api_key": "a-key"},
                "timeout_seconds": CALL_SECONDS,
            },
        ],
        "policy": {
            "route": {"text": [{"ask": [{"provider": PRIMARY, "otherwise": [SECONDARY]}]}]},
        },
    },
    "turns": {
        "accounts": [
            {
                "name": "limited",
                "adapter": "hive",
                "secrets": {"text_key": "a-key"},
                "per_second": CALLS_A_SECOND,
                "concurrency": 16,
            },
        ],
        "policy": {"route": {"text": ["limited"]}},
    },
    "later": {
        "accounts": [
            {
                "name": "later",
                "adapter": "hive",
                "secrets": {"visual_key": "a-key"},
                "options": {"pictures": "later"},
            },
        ],
        "policy": {
            "route": {"text": ["local_text"], "image": ["later"]},
            "thresholds": {
                "categories": {"extremism": {"warn": None, "review": None, "block": BLOCK_AT}},
            },
        },
    },
}


@dataclass(frozen=True, slots=True)
class World:
    """The stack, its communities' keys, what is outside of it, and the line from there."""

    stack: Stack
    keys: Mapping[str, str]
    outside: Outside
    line: BadLine

    def ask_inside(self, *words: str) -> dict[str, Any]:
        return self.stack.ask_inside(*words, module="inside_providers")

    def write(self, name: str, content: object) -> str:
        file = self.stack.folder / f"{name}.json"
        file.write_text(json.dumps(content))
        return str(file)

    @contextmanager
    def told_on_failure(self) -> Iterator[None]:
        """Forget what tests before did outside; print what the processes said if this one fails."""
        self.outside.reset()
        try:
            yield
        except BaseException:
            print(self.stack.tails())
            raise


@pytest.fixture(scope="module")
def world(seed: int) -> Iterator[World]:
    """One stack for all: starting it takes as long as a test."""
    sandbox_port, line_port = processes.free_port(), processes.free_port()
    with (
        running_stack(
            GATEHOUSE_PROVIDER_ALLOWED_HOSTS=f"127.0.0.1:{sandbox_port}",
            # Where services call back.
            GATEHOUSE_URL=f"http://127.0.0.1:{line_port}",
        ) as stack,
        running_line(line_port, random.Random(seed), Weather()) as line,
    ):
        stack.prepare()
        keys = {
            community: set_up(stack, sandbox_port, community, **wanted)
            for community, wanted in COMMUNITIES.items()
        }
        stack.add_sandbox(sandbox_port)
        stack.add_webs(2)
        stack.add_workers(WORKERS)
        stack.add_sweepers(1)
        stack.start_parts()
        line.ports = stack.web_ports
        outside = Outside(sandbox_port)
        processes.wait_until(outside.answers, seconds=STEP_SECONDS, what="the sandbox answers")
        yield World(stack, keys, outside, line)


def set_up(
    stack: Stack,
    sandbox_port: int,
    community: str,
    *,
    accounts: Sequence[dict[str, Any]],
    policy: Mapping[str, Any],
) -> str:
    """Make a community under a policy, and accounts on the sandbox; return the community's key."""
    on_sandbox = [
        {
            **account,
            "options": {
                "base_url": f"http://127.0.0.1:{sandbox_port}/{account['adapter']}",
                **account.get("options", {}),
            },
            # What is kept of an answer would hide calls.
            "cache_seconds": 0,
        }
        for account in accounts
    ]
    file = stack.folder / "set_up.json"
    file.write_text(
        json.dumps(
            {
                "community": community,
                "accounts": on_sandbox,
                "policy": {"version": 1, "on_failure": "hold", **policy},
            }
        )
    )
    key: str = stack.ask_inside("set_up", str(file), module="inside_providers")["key"]
    return key


# --- one stands in for another -----------------------------------------------------------------

# By the sandbox's marks: Mistral has no label that OpenAI calls harassment.
TEXTS = {
    "harmless": "The ferry leaves at noon, letter {}.",
    "bad_for_both": "You do not belong here, letter {}. [[hate=0.97]]",
    "bad_for_primary": "Nobody likes you, letter {}. [[harassment=0.97]]",
}


def test_another_judges_while_a_service_is_down_and_it_is_asked_again_afterwards(
    world: World, fault_seconds: float, seed: int, chance: random.Random
) -> None:
    down_seconds = 60.0 if fault_seconds >= LONG_RUN_SECONDS else 15.0
    letters = write_marked(chance, seconds=HEALTHY_SECONDS + down_seconds, run=f"down-{seed}")
    clients = Clients(world.stack.web_ports, world.keys["standing-in"], threads=16)
    with world.told_on_failure():
        found = Outage(world, clients).run(letters, seconds=down_seconds)
        found |= {"seed": seed, **judge_outage(world, letters)}
        report.keep("standing_in", found)
        report.show(f"{PRIMARY} down for {down_seconds:.0f} s, {SECONDARY} stands in", found)
        assert clients.tally.faults == []
        assert faults_in(found) == {}, found["examples"]
        assert found["breaker_opened_seconds_after_first_failure"] <= OPENS_WITHIN_SECONDS
        assert found["breaker_closed_seconds_after_healing"] <= CLOSES_WITHIN_SECONDS
        assert found["posts"] == len(letters)
        assert found["posts_with_a_stand_in"] > 0
        assert found["of_these_approved_first_and_rejected_by_the_primary"] > 0
        assert found["verdicts_on_a_second_look"] >= found["posts_with_a_stand_in"]


def faults_in(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: count for name, count in found["faults"].items() if count}


def write_marked(chance: random.Random, *, seconds: float, run: str) -> list[Letter]:
    count = int(seconds * POSTS_A_SECOND)
    letters = []
    for number in range(count):
        kind = chance.choice(list(TEXTS))
        letters.append(
            Letter(
                key=f"{run}-{number}-{kind}",
                # Each has one author, so that no strike of another post is in its way.
                author=f"writer-{number}",
                revisions=[(TEXTS[kind].format(number), kind != "harmless")],
                due=seconds * number / count,
                edit_pause=0.0,
            )
        )
    return letters


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that fails every call for a while, under load."""

    world: World
    clients: Clients

    def run(self, letters: Sequence[Letter], *, seconds: float) -> dict[str, Any]:
        outside, stack = self.world.outside, self.world.stack
        self.clients.start(letters)
        try:
            time.sleep(HEALTHY_SECONDS)
            self._break()
            time.sleep(seconds)
            failures = [one for one in outside.seen(PRIMARY) if one.fault]
            outside.heal()
            healed_at = time.time()
            processes.wait_until(
                lambda: self.clients.open_letters == 0, seconds=STEP_SECONDS, what="all is sent"
            )
        finally:
            self.clients.stop()
        closed = self._wait_until_closed()
        processes.wait_until(
            lambda: not any(self.world.ask_inside("reevaluations").values()),
            seconds=ASKED_AGAIN_WITHIN_SECONDS,
            what="the primary has been asked again about everything",
        )
        turns = breaker_turns(stack)
        opened = next(at for at, state in turns if state == "open")
        return {
            "answers": dict(self.clients.tally.answers),
            "failed_calls": dict(Counter(one.fault for one in failures)),
            "breaker_turns": [f"{at - healed_at:+.1f} s {state}" for at, state in turns],
            "breaker_opened_seconds_after_first_failure": opened - failures[0].at,
            "breaker_closed_seconds_after_healing": closed - healed_at,
            "all_asked_again_seconds_after_healing": time.time() - healed_at,
        }

    def _break(self) -> None:
        """Fail every call: each kind takes its share of what those before it have left."""
        fail = self.world.outside.fail
        fail(PRIMARY, "500", probability=0.25)
        fail(PRIMARY, "reset", probability=0.33)
        fail(PRIMARY, "truncated", probability=0.5)
        fail(PRIMARY, "slow", delay_seconds=SLOW_SECONDS)

    def _wait_until_closed(self) -> float:
        def is_closed() -> bool:
            turns = breaker_turns(self.world.stack)
            return bool(turns) and turns[-1][1] == "closed"

        processes.wait_until(is_closed, seconds=CLOSES_WITHIN_SECONDS, what="the breaker closes")
        return breaker_turns(self.world.stack)[-1][0]


def breaker_turns(stack: Stack) -> list[tuple[float, str]]:
    """Return when (Unix time) the workers' shared breaker was turned, and how."""
    return sorted(
        (datetime.fromisoformat(line["timestamp"]).timestamp(), line["state"])
        for line in stack.log_lines(stack.workers)
        if line.get("event") == "breaker_turned"
    )


def judge_outage(world: World, letters: Sequence[Letter]) -> dict[str, Any]:
    expected = [
        {"id": letter.id, "key": letter.key, "kind": letter.key.rpartition("-")[2]}
        for letter in letters
    ]
    file = world.write("expected", expected)
    return world.ask_inside("judge_standing_in", "standing-in", file, PRIMARY, SECONDARY)


# --- services that answer later ----------------------------------------------------------------


def test_callbacks_count_once_whatever_the_line_does_to_them(
    world: World, fault_seconds: float, seed: int, chance: random.Random
) -> None:
    callbacks = 10_000 if fault_seconds >= LONG_RUN_SECONDS else 1_000
    seconds = callbacks / CALLBACKS_A_SECOND[callbacks]
    letters = write_pictures(
        chance, callbacks // PICTURES_A_POST, seconds=seconds, run=f"later-{seed}"
    )
    clients = Clients(world.stack.web_ports, world.keys["later"], threads=16)
    with world.told_on_failure():
        with Knocker(world.stack.web_ports, "/health/live") as knocker:
            found = call_back(world, clients, letters, chance, seconds=seconds)
        found |= {"seed": seed, **judge_callbacks(world, letters)}
        found["request_for_nothing_seconds"] = percentiles(knocker.seconds)
        report.keep("callbacks", found)
        report.show(f"{callbacks} callbacks over a bad line, receivers killed", found)
        assert clients.tally.faults == []
        assert faults_in(found) == {}, found["examples"]
        assert found["posts"] == len(letters)
        assert found["callbacks"] >= callbacks
        assert set(found["answers_to_callbacks"]) == {"204"}
        assert set(found["answers_to_forged_ones"]) == {"404"}
        assert found["callbacks_about_older_revisions"] > 0
        assert found["settled_by_polling"] > 0
        assert found["ack_seconds"]["p99"] <= slowest_ack_p99(knocker)


def slowest_ack_p99(knocker: Knocker) -> float:
    """Return the bar; higher on a machine that is too busy for it, as the report shows."""
    knock = percentile(knocker.seconds, 0.99)
    # Taking a callback in is ten round trips to the database, a request for nothing none.
    return SLOWEST_ACK_P99_SECONDS + (2 * knock if knock > CALM_KNOCK_SECONDS else 0)


def write_pictures(chance: random.Random, count: int, *, seconds: float, run: str) -> list[Letter]:
    letters = []
    for number in range(count):
        revisions = 1 + (chance.random() < EDITED_SHARE)
        letters.append(
            Letter(
                key=f"{run}-{number}",
                author=f"painter-{number}",
                revisions=[(f"Picture {number}-{turn}.", False) for turn in range(revisions)],
                due=seconds * number / count,
                # While the service works on the first ones.
                edit_pause=chance.uniform(0.3, 0.8),
                pictures=[
                    [paint(chance) for _ in range(PICTURES_A_POST)] for _ in range(revisions)
                ],
            )
        )
    return letters


def paint(chance: random.Random) -> bytes:
    noise = Image.frombytes("RGB", (12, 12), chance.randbytes(12 * 12 * 3))
    png = io.BytesIO()
    noise.save(png, "PNG")
    return png.getvalue()


def call_back(
    world: World,
    clients: Clients,
    letters: Sequence[Letter],
    chance: random.Random,
    *,
    seconds: float,
) -> dict[str, Any]:
    """Post pictures while receivers are killed, until all that is to come has come."""
    line, killed = world.line, 0
    kills = round(seconds / SECONDS_A_KILL)
    clients.start(letters)
    try:
        for _ in range(kills):
            time.sleep(seconds / (kills + 1))
            killed += kill_receiver(chance.choice(world.stack.webs), chance)
        processes.wait_until(
            lambda: clients.open_letters == 0, seconds=seconds + STEP_SECONDS, what="all is sent"
        )
    finally:
        clients.stop()
    processes.wait_until(
        lambda: line.open == 0 and waiting_jobs(world.stack) <= len(line.found.lost_tokens),
        seconds=STEP_SECONDS + seconds / 5,
        what="all that was not lost is delivered",
    )
    seconds_to_poll = processes.wait_until(
        lambda: is_decided_as_time_passes(world.stack),
        seconds=STEP_SECONDS,
        what="what was lost on the way is polled",
    )
    return {"receivers_killed": killed, "seconds_to_poll_what_was_lost": seconds_to_poll}


def kill_receiver(web: Part, chance: random.Random) -> bool:
    """Kill -9 a web server, or only its process that answers; return whether there was one."""
    if chance.random() < 0.5:
        return web.kill_child(chance)
    is_there = bool(web.pid)
    web.kill()
    return is_there


def waiting_jobs(stack: Stack) -> int:
    with stack.postgres.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM moderation_providerjob WHERE state = 'waiting'"
        ).fetchone()
    return int(str(row[0])) if row else 0


def is_decided_as_time_passes(stack: Stack) -> bool:
    """Whether no post waits any more; make as if another minute were over, for those that do.

    Their jobs are then polled at once, and half a second later once more.
    """
    if stack.undecided() == 0:
        return True
    with stack.postgres.connect() as connection:
        connection.execute(
            "UPDATE moderation_providerjob SET poll_at = now(), poll_after_seconds = 0.5"
            " WHERE state = 'waiting' AND poll_after_seconds > 0.5"
        )
        connection.execute(
            "UPDATE moderation_submission SET due_at = now() WHERE state = 'due'"
            " AND lease_token IS NULL AND due_at > now() + interval '1 second'"
        )
    return False


def judge_callbacks(world: World, letters: Sequence[Letter]) -> dict[str, Any]:
    found = world.line.found
    outcome = world.ask_inside(
        "judge_callbacks",
        "later",
        world.write("expected", [letter.expected() for letter in letters]),
        world.write("lost", found.lost_tokens),
        str(BLOCK_AT),
    )
    return {
        **found.count,
        "answers_to_callbacks": {str(status): n for status, n in found.statuses.items()},
        "answers_to_forged_ones": {str(status): n for status, n in found.forged_statuses.items()},
        "tries_that_broke": dict(found.tries_that_broke),
        "ack_seconds": percentiles(found.ack_seconds),
        **outcome,
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    return {
        name: percentile(seconds, share)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    }


# --- limits that services set ------------------------------------------------------------------


def test_no_second_sees_more_calls_than_a_service_allows(
    world: World, fault_seconds: float, seed: int
) -> None:
    posts = 2_000 if fault_seconds >= LONG_RUN_SECONDS else 400
    with world.told_on_failure():
        world.outside.limit_rate("hive", CALLS_A_SECOND)
        # Whoever has a turn and then waits must not use it beside those of later.
        world.outside.fail("hive", "slow", delay_seconds=1.0, seconds=SLOW_FOR_SECONDS)
        with world.outside.knocker() as knocker:
            calls = burst(world, world.keys["turns"], posts=posts, run=f"burst-{seed}")
        window = second_as_seen(knocker)
        found = {
            "calls": len(calls),
            "most_calls_in_any_second": most_within(calls, seconds=1.0),
            "longest_request_for_nothing_seconds": max(knocker.seconds),
            "window_seconds": window,
            "most_calls_in_any_window": most_within(calls, seconds=window),
            "allowed_a_second": CALLS_A_SECOND,
            "refused_as_too_many": world.outside.exceeded("hive"),
            "answers": dict(Counter(str(one.status) for one in calls)),
            "seconds": calls[-1].at - calls[0].at,
            **world.ask_inside("judge_turns", "turns", "limited"),
        }
        report.keep("turns", found)
        report.show(f"{posts} posts at once, {CALLS_A_SECOND} calls a second allowed", found)
        assert faults_in(found) == {}, found["examples"]
        assert found["posts"] == posts
        assert found["calls"] >= posts
        assert found["answers"] == {"200": len(calls)}
        assert found["refused_as_too_many"] == 0
        assert found["most_calls_in_any_window"] <= CALLS_A_SECOND


def second_as_seen(knocker: Knocker) -> float:
    """Return how long calls that were made within one second take to arrive, at the least.

    A busy machine holds some up on their way, and others catch up with them.
    """
    longest = max(knocker.seconds)
    return 1.0 if longest <= CALM_KNOCK_SECONDS else max(0.5, 1.0 - longest)


def burst(world: World, key: str, *, posts: int, run: str) -> list[Seen]:
    """Send all posts at once; return every call that was made for them, in order."""
    calls: dict[float, Seen] = {}

    def all_decided() -> bool:
        # The sandbox tells of the last thousand only.
        calls.update({one.at: one for one in world.outside.seen("hive")})
        return world.stack.undecided() == 0

    send_bulks(world.stack.web_ports, key, posts=posts, run=run)
    processes.wait_until(
        all_decided, seconds=STEP_SECONDS + 2 * posts / CALLS_A_SECOND, what="all is decided"
    )
    all_decided()
    return sorted(calls.values(), key=lambda one: one.at)


def send_bulks(ports: Sequence[int], key: str, *, posts: int, run: str) -> None:
    for first in range(0, posts, A_BULK):
        items = [
            {"text": f"The {number}th of {run}.", "author": {"id": f"writer-{number}"}}
            for number in range(first, first + A_BULK)
        ]
        connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=30)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/posts/bulk", json.dumps({"posts": items}), headers)
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        connection.close()


def most_within(calls: Sequence[Seen], *, seconds: float) -> int:
    """Return the most calls that arrived within so long, wherever it begins."""
    most = first = 0
    for last, call in enumerate(calls):
        while calls[first].at <= call.at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
