"""The measurements, one function each. All load comes from this machine, and ends by itself."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import prefill
from benchmarks.database import PREFIX, Services
from benchmarks.processes import Program, free_port, pss_megabytes, stop, tree, wait_for_port
from benchmarks.stacks import BASE, Flow, Gatehouse, NaivePeer, Shape, Stack

Numbers = dict[str, Any]
WARM_UP_SECONDS = 2.0
# Posts on an idle machine come this far apart.
IDLE_PAUSE_SECONDS = 0.1
POLL_SECONDS = 0.002
# How long the embedded product rests before its memory is read.
REST_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a run may do."""

    rounds: int = 3
    seconds: float = 10.0
    connections: int = 16
    bulk_connections: int = 4
    per_bulk: int = 100
    idle_posts: int = 100
    images: int = 40
    checks_per_second: float = 50.0
    asked_alone: int = 300
    asked_together: int = 60
    outside_per_second: float = 100.0
    repeated_share: float = 0.2
    small: int = 10_000
    large: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs."""

    services: Services
    bounds: Bounds
    shape: Shape
    say: Callable[[str], None]


# Driving


def drive(stack: Stack, **given: Any) -> Numbers:
    """Run the load driver; raise when a request was refused."""
    plan = stack.plan(**given)
    driver = BASE / "benchmarks" / "load.py"
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(driver)],
        check=False,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=plan["seconds"] + 120,
    )
    if done.returncode:
        raise RuntimeError(f"{stack.name}: {done.stderr.strip()[-500:]}")
    result: Numbers = json.loads(done.stdout)
    if result["first_refusal"]:
        raise RuntimeError(f"{stack.name}: {result['statuses']}\n{result['first_refusal']}")
    return result


def burst(stack: Stack, **given: Any) -> tuple[Flow, Numbers]:
    """Drive a stack and wait until all of it is decided; every accepted post must be there."""
    began = stack.database_time()
    result = drive(stack, **given)
    flow = stack.flow_since(began)
    if flow.undecided or flow.posts != result["posts"]:
        raise RuntimeError(
            f"{stack.name}: {result['posts']} accepted, {flow.posts} stored, "
            f"{flow.undecided} of them undecided"
        )
    return flow, result


def warm_up(stack: Stack, bench: Bench) -> None:
    burst(stack, connections=bench.bounds.connections, seconds=WARM_UP_SECONDS)


def leg(stack: Stack, bench: Bench) -> Numbers:
    """One post a request, every connection always busy."""
    return _busy(stack, connections=bench.bounds.connections, seconds=bench.bounds.seconds)


def bulk_leg(stack: Gatehouse, bench: Bench) -> Numbers:
    return _busy(
        stack,
        connections=bench.bounds.bulk_connections,
        seconds=bench.bounds.seconds,
        path=stack.bulk_path,
        per_request=bench.bounds.per_bulk,
    )


def _busy(stack: Stack, **given: Any) -> Numbers:
    before = stack.cpu()
    flow, result = burst(stack, **given)
    used = sum(seconds - before.get(pid, 0.0) for pid, seconds in stack.cpu().items())
    return {
        "posts": flow.posts,
        "accepted_per_second": flow.accepted_per_second,
        "decided_per_second": flow.decided_per_second,
        # Says more than a rate does on a machine that others use too.
        "cpu_ms_per_post": used * 1000 / flow.posts,
        "request_ms": percentiles(result["latencies"]),
    }


# Throughput


def single(bench: Bench) -> Numbers:
    """Accepted to decided, one post a request, Gatehouse and the peer by turns."""
    return _by_turns(bench, "single", leg)


def bulk(bench: Bench) -> Numbers:
    """Accepted to decided, 100 posts a request, against the peer's one by one."""
    return _by_turns(bench, "bulk", bulk_leg)


def _by_turns(
    bench: Bench, name: str, gatehouse_leg: Callable[[Gatehouse, Bench], Numbers]
) -> Numbers:
    ours = Gatehouse(bench.services, shape=bench.shape)
    peer = NaivePeer(bench.services)
    rounds = []
    try:
        ours.prepare()
        peer.prepare()
        for number in range(1, bench.bounds.rounds + 1):
            with ours:
                warm_up(ours, bench)
                a = gatehouse_leg(ours, bench)
            with peer:
                warm_up(peer, bench)
                b = leg(peer, bench)
            ratio = a["decided_per_second"] / b["decided_per_second"]
            rounds.append({"gatehouse": a, "naive": b, "ratio": ratio})
            bench.say(
                f"{name} {number}: Gatehouse {a['decided_per_second']:.0f}/s decided "
                f"({a['accepted_per_second']:.0f}/s accepted), peer "
                f"{b['decided_per_second']:.0f}/s ({b['accepted_per_second']:.0f}/s): "
                f"ratio {ratio:.2f}; CPU {a['cpu_ms_per_post']:.2f} and "
                f"{b['cpu_ms_per_post']:.2f} ms/post"
            )
    finally:
        ours.remove()
        peer.remove()
    return {
        "rounds": rounds,
        "ratio": spread([one["ratio"] for one in rounds]),
        **{
            who: spread([one[who]["decided_per_second"] for one in rounds])
            for who in ("gatehouse", "naive")
        },
        "gatehouse_accepted": spread([one["gatehouse"]["accepted_per_second"] for one in rounds]),
        "naive_accepted": spread([one["naive"]["accepted_per_second"] for one in rounds]),
        "gatehouse_cpu": spread([one["gatehouse"]["cpu_ms_per_post"] for one in rounds]),
        "naive_cpu": spread([one["naive"]["cpu_ms_per_post"] for one in rounds]),
        "cpu_ratio": spread(
            [
                one["naive"]["cpu_ms_per_post"] / one["gatehouse"]["cpu_ms_per_post"]
                for one in rounds
            ]
        ),
    }


# Latency


def submit_latency(bench: Bench) -> Numbers:
    """How long a submit takes while posts come at half of what the product sustains."""
    found: Numbers = {"rounds": []}
    for number in range(1, bench.bounds.rounds + 1):
        pair: Numbers = {}
        for stack in (Gatehouse(bench.services, shape=bench.shape), NaivePeer(bench.services)):
            pair[stack.name] = _at_half_rate(stack, bench)
            bench.say(f"submit {number}: {stack.name} {_latency_words(pair[stack.name])}")
        found["rounds"].append(pair)
    for name in ("gatehouse", "naive"):
        legs = [one[name] for one in found["rounds"]]
        found[name] = {
            which: spread([one["request_ms"][which] for one in legs])
            for which in ("p50", "p95", "p99")
        }
        found[name]["rate"] = spread([one["rate"] for one in legs])
    return found


def _at_half_rate(stack: Stack, bench: Bench) -> Numbers:
    try:
        stack.prepare()
        with stack:
            warm_up(stack, bench)
            sustained = leg(stack, bench)["decided_per_second"]
            # Room for a pause of the server: a driver without a free connection would hold back.
            flow, result = burst(
                stack,
                connections=64,
                seconds=bench.bounds.seconds,
                rate=sustained / 2,
                first=10_000_000,
            )
    finally:
        stack.remove()
    return {
        "rate": sustained / 2,
        "posts": flow.posts,
        "request_ms": percentiles(result["latencies"]),
    }


def check_latency(bench: Bench) -> Numbers:
    """How long a synchronous check of a text takes, at a steady rate. Bar: p95 ≤ 50 ms, aim 20."""
    ours = Gatehouse(bench.services, shape=bench.shape)
    rate = bench.bounds.checks_per_second
    asking: Numbers = {
        "path": ours.check_path,
        "item": ours.check_item,
        # Room for a pause of the server: a driver without a free connection would hold back.
        "connections": 64,
        "rate": rate,
    }
    rounds = []
    try:
        ours.prepare()
        for number in range(1, bench.bounds.rounds + 1):
            with ours:
                drive(ours, **asking, seconds=WARM_UP_SECONDS)
                before = ours.cpu()
                result = drive(
                    ours, **asking, seconds=bench.bounds.seconds, first=10_000, seed=number
                )
                used = sum(seconds - before.get(pid, 0.0) for pid, seconds in ours.cpu().items())
            found = {
                "rate": rate,
                "checks": result["posts"],
                "request_ms": percentiles(result["latencies"]),
                "cpu_ms_per_check": used * 1000 / result["posts"],
            }
            rounds.append(found)
            bench.say(f"check {number}: {_latency_words(found)}")
    finally:
        ours.remove()
    return {
        "rate": rate,
        "rounds": rounds,
        "cpu": spread([one["cpu_ms_per_check"] for one in rounds]),
        **{
            which: spread([one["request_ms"][which] for one in rounds])
            for which in ("p50", "p95", "p99")
        },
    }


def verdict_latency(bench: Bench) -> Numbers:
    """From the answer to the committed verdict: one text each 100 ms on an idle machine."""
    return {
        stack.name: _idle(stack, bench, bench.bounds.idle_posts, _text_request)
        for stack in (Gatehouse(bench.services, shape=bench.shape), NaivePeer(bench.services))
    }


def image_latency(bench: Bench) -> Numbers:
    """The same for a post with a JPEG of 640 × 480. Without the image model it is not judged."""
    ours = Gatehouse(bench.services, shape=bench.shape)
    numbers = _idle(ours, bench, bench.bounds.images, _image_request, pause=0.5)
    return {ours.name: numbers}


Request = tuple[str, bytes, dict[str, str]]


def _text_request(stack: Stack, number: int) -> Request:
    body = stack.item % {"n": number, "author": number % 500}
    headers = {name: value % {"n": number} for name, value in stack.headers.items()}
    return stack.path, body.encode(), headers


def _image_request(stack: Stack, number: int) -> Request:
    noise = np.random.default_rng(number).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(noise).resize((640, 480)).save(jpeg, "JPEG")
    boundary = "gatehouse-benchmark"
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("text", f"Picture {number}"), ("author_id", f"user-{number}"))
    )
    file = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="media"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = fields.encode() + file.encode() + jpeg.getvalue() + f"\r\n--{boundary}--\r\n".encode()
    headers = {name: value % {"n": number} for name, value in stack.headers.items()}
    headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
    return stack.path, body, headers


def _idle(
    stack: Stack,
    bench: Bench,
    posts: int,
    request: Callable[[Stack, int], Request],
    *,
    pause: float = IDLE_PAUSE_SECONDS,
) -> Numbers:
    try:
        stack.prepare()
        with stack:
            # The first ones load models and open connections.
            _post_and_watch(stack, 10, request, first=0, pause=pause)
            numbers = _post_and_watch(stack, posts, request, first=1_000, pause=pause)
    finally:
        stack.remove()
    bench.say(f"{stack.name}: {_latency_words(numbers)}; decided as {numbers['statuses']}")
    return numbers


def _post_and_watch(
    stack: Stack,
    posts: int,
    request: Callable[[Stack, int], Request],
    *,
    first: int,
    pause: float,
) -> Numbers:
    """Post at a steady pace; look every 2 ms which posts have a verdict that is committed."""
    client = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    waiting: dict[str, float] = {}
    taken: list[float] = []
    answered: list[float] = []
    statuses: dict[str, int] = {}
    sent = 0
    due = time.perf_counter()
    with stack.connect() as database:
        deadline = due + posts * pause + 120
        while sent < posts or waiting:
            if sent < posts and time.perf_counter() >= due:
                began = time.perf_counter()
                post_id = _post(client, *request(stack, first + sent))
                waiting[post_id] = time.perf_counter()
                answered.append(waiting[post_id] - began)
                sent += 1
                due += pause
            for post_id, status in database.execute(
                f"SELECT id::text, status FROM {stack.table}"
                f" WHERE id = ANY(%s::uuid[]) AND NOT ({stack.undecided})",
                [list(waiting)],
            ):
                taken.append(time.perf_counter() - waiting.pop(post_id))
                statuses[status] = statuses.get(status, 0) + 1
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{stack.name}: {len(waiting)} posts were not decided in time")
            time.sleep(POLL_SECONDS)
    client.close()
    return {
        "posts": posts,
        "request_ms": percentiles(answered),
        "verdict_ms": percentiles(taken),
        "statuses": statuses,
    }


def _post(
    client: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
) -> str:
    client.request("POST", path, body, headers)
    response = client.getresponse()
    data = response.read()
    if response.status not in (201, 202):
        raise RuntimeError(f"{response.status}: {data[:500].decode(errors='replace')}")
    post_id: str = json.loads(data)["id"]
    return post_id


# Services


def providers(bench: Bench) -> Numbers:
    """What asking an outside service adds to its own time, and how few calls posts need."""
    ours = Gatehouse(bench.services, shape=bench.shape, asks_outside=True)
    rounds = []
    try:
        ours.prepare()
        for number in range(1, bench.bounds.rounds + 1):
            with ours:
                wait_for_port(ours.sandbox_port, [])
                found = {**_overhead(ours, bench), **_calls_for_posts(ours, bench, number)}
            rounds.append(found)
            bench.say(
                f"providers {number}: alone p50 {found['alone']['p50']:.1f} p95 "
                f"{found['alone']['p95']:.1f} ms, 32 together p50 {found['together']['p50']:.1f} "
                f"p95 {found['together']['p95']:.1f} ms; {found['calls']} calls about "
                f"{found['asked']} of {found['texts']} texts, {found['repeated']:.0%} repeated"
            )
    finally:
        ours.remove()
    return {
        "rounds": rounds,
        **{
            how: {which: spread([one[how][which] for one in rounds]) for which in ("p50", "p95")}
            for how in ("alone", "together")
        },
        "calls_for_a_hundred": spread([100 * one["calls"] / one["texts"] for one in rounds]),
        "asked_of_a_hundred": spread([100 * one["asked"] / one["texts"] for one in rounds]),
        "repeated": spread([100 * one["repeated"] for one in rounds]),
    }


def _overhead(ours: Gatehouse, bench: Bench) -> Numbers:
    """Ask in a process of its own, one call after the other, without anything kept."""
    counts = (bench.bounds.asked_alone, bench.bounds.asked_together)
    found = json.loads(
        ours.ask_inside("benchmarks.asking", str(ours.sandbox_port), *map(str, counts))
    )
    return {how: percentiles(found[how]) for how in ("alone", "together")}


def _calls_for_posts(ours: Gatehouse, bench: Bench, number: int) -> Numbers:
    """Post texts that partly repeat what others posted in the same seconds."""
    rate, seconds = bench.bounds.outside_per_second, bench.bounds.seconds
    different = round(rate * seconds * (1 - bench.bounds.repeated_share))
    calls_before, asked_before = _calls(ours)
    flow, _ = burst(
        ours,
        item=ours.repeating_item(f"round {number}"),
        authors=different,
        connections=64,
        rate=rate,
        seconds=seconds,
        seed=number,
    )
    calls, asked = _calls(ours)
    return {
        "texts": flow.posts,
        "repeated": max(0, flow.posts - different) / flow.posts,
        "calls": calls - calls_before,
        "asked": asked - asked_before,
    }


def _calls(ours: Gatehouse) -> tuple[int, int]:
    """Return how many calls were made so far, and about how many texts."""
    with ours.connect() as database:
        row = database.execute(
            "SELECT count(*), coalesce(sum(parts), 0) FROM moderation_providercall"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


# Growth


def growth(bench: Bench) -> Numbers:
    """The rate beside many stored posts ÷ the rate beside few, by turns."""
    sizes = {"small": bench.bounds.small, "large": bench.bounds.large}
    stacks = {
        size: Gatehouse(bench.services, database=f"{PREFIX}_{size}", shape=bench.shape)
        for size in sizes
    }
    rounds = []
    try:
        for size, stack in stacks.items():
            stack.prepare()
            began = time.monotonic()
            with stack.connect() as database:
                prefill.fill(database, posts=sizes[size])
            bench.say(f"growth: {sizes[size]:,} posts stored in {time.monotonic() - began:.0f} s")
        for number in range(1, bench.bounds.rounds + 1):
            pair = {}
            for size, stack in stacks.items():
                with stack:
                    warm_up(stack, bench)
                    pair[size] = leg(stack, bench)
            ratio = pair["large"]["decided_per_second"] / pair["small"]["decided_per_second"]
            rounds.append({**pair, "ratio": ratio})
            bench.say(
                f"growth {number}: {pair['small']['decided_per_second']:.0f}/s beside few, "
                f"{pair['large']['decided_per_second']:.0f}/s beside many: ratio {ratio:.2f}"
            )
    finally:
        for stack in stacks.values():
            stack.remove()
    return {
        "posts": sizes,
        "rounds": rounds,
        "ratio": spread([one["ratio"] for one in rounds]),
        **{size: spread([one[size]["decided_per_second"] for one in rounds]) for size in sizes},
    }


# Memory


def memory(bench: Bench) -> Numbers:
    """Summed proportional memory of everything that `make run` starts, at rest."""
    folder = Path(tempfile.mkdtemp(prefix="gh-bench-embedded-"))
    port = free_port()
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABASE_", "REDIS_", "CELERY_", "GATEHOUSE_"))
    }
    env |= {"GATEHOUSE_DATA": str(folder), "PORT": str(port)}
    product = Program(
        [sys.executable, "-m", "platform_site.embedded"],
        env=env,
        cwd=BASE,
        log=folder / "benchmark.log",
    )
    try:
        wait_for_port(port, [product], seconds=180)
        _wait_until_ready(port)
        time.sleep(REST_SECONDS)
        parts = {pid: pss_megabytes(pid) for pid in tree(product.pid)}
    finally:
        stop([product])
        shutil.rmtree(folder, ignore_errors=True)
    total = sum(parts.values())
    bench.say(f"memory: {total:.0f} MB in {len(parts)} processes")
    return {"total_mb": total, "processes_mb": sorted(parts.values(), reverse=True)}


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            client.request("GET", "/health/ready")
            if client.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            client.close()
        time.sleep(0.2)
    raise RuntimeError("The embedded product does not become ready.")


# Figures


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds."""
    values = np.percentile(np.asarray(seconds) * 1000, [50, 95, 99])
    return {name: float(value) for name, value in zip(("p50", "p95", "p99"), values, strict=True)}


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _latency_words(numbers: Numbers) -> str:
    """Say what a reader looks for first: the verdict's time where there is one."""
    which = "verdict_ms" if "verdict_ms" in numbers else "request_ms"
    found = numbers[which]
    rate = f" at {numbers['rate']:.0f}/s" if "rate" in numbers else ""
    return f"p50 {found['p50']:.0f}, p95 {found['p95']:.0f}, p99 {found['p99']:.0f} ms{rate}"


MEASURES: dict[str, Callable[[Bench], Numbers]] = {
    "single": single,
    "bulk": bulk,
    "submit": submit_latency,
    "check": check_latency,
    "verdict": verdict_latency,
    "image": image_latency,
    "providers": providers,
    "growth": growth,
    "memory": memory,
}
