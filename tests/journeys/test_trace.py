"""One post's trace, through every process that it passes, seen by a collector.

`TRACE_TO=docs/tracing/trace.json` keeps it, as OTLP in JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("opentelemetry.sdk")

import websockets

from tests.collector import otlp_json, running_collector
from tests.delivery.receiver import running_receiver
from tests.journeys.test_run import ROOT, Instance, environment, eventually, start_is_complete

SET_UP = """
from moderation import communities, webhooks
from moderation.models import Community
from moderation.vocabulary import EndpointKind
from moderation.webhooks import SetUp
from django.contrib.auth.models import User
demo = Community.objects.get(slug="demo")
wanted = SetUp(name="Ours", url="{url}", event_types=("post.approved",))
webhooks.add_endpoint(community=demo, kind=EndpointKind.WEBHOOK, wanted=wanted, user=None)
boss = User.objects.create_superuser("boss")
key, text = communities.issue_key(owner=demo, scopes=["submit", "read"], name="Test", user=boss)
print("KEY", text)
"""


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """A whole instance whose spans go to a collector, and a WSGI server beside it."""
    with running_collector() as collector, running_receiver() as receiver:
        for name, value in {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "GATEHOUSE_DELIVERY_ALLOWED_HOSTS": receiver.address,
        }.items():
            monkeypatch.setenv(name, value)
        instance = Instance(tmp_path / "data")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        server = None
        try:
            eventually(lambda: start_is_complete(instance), seconds=100)
            server = subprocess.Popen(
                [
                    *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
                    *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                    *("--blocking-threads", "2", "platform_site.wsgi:application"),
                ],
                cwd=ROOT,
                env=environment(GATEHOUSE_DATA=str(instance.data), PORT=str(instance.port)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            yield instance, port, collector, receiver
        finally:
            for process in filter(None, (server, instance.process)):
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def set_up(instance: Instance, url: str) -> str:
    """Add a webhook and a key; return the key."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", SET_UP.format(url=url)],
        cwd=ROOT,
        env=environment(GATEHOUSE_DATA=str(instance.data), PORT=str(instance.port)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.rpartition("KEY ")[2].strip()


def call(port: int, host: int, key: str, path: str, body: Any = None) -> Any:
    request = Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Host": f"localhost:{host}",
        },
    )
    with urlopen(request, timeout=10) as answer:
        return json.load(answer)


async def reply_while_watching(address: str, origin: str, post) -> dict[str, Any]:
    """Open a topic's page, have somebody reply, and return what the page is told of it."""
    async with websockets.connect(address, origin=origin) as page:
        assert json.loads(await page.recv())["type"] == "snapshot"
        await asyncio.to_thread(post)
        while True:
            said = json.loads(await asyncio.wait_for(page.recv(), 30))
            if said.get("kind") == "post.changed":
                return said


@pytest.mark.timeout(240)
def test_one_trace_follows_a_post_through_every_process(traced):
    instance, wsgi, collector, receiver = traced
    key = set_up(instance, receiver.url())

    def post(**fields: str) -> str:
        fields = {"author": {"id": "bo", "name": "Bo"}, **fields}
        return str(call(wsgi, instance.port, key, "/api/v1/posts", fields)["id"])

    def status(post_id: str) -> str:
        return str(call(wsgi, instance.port, key, f"/api/v1/posts/{post_id}")["status"])

    eventually(lambda: is_up(wsgi), seconds=40)
    topic = post(title="Tomatoes", body="The tomatoes are finally ripe")
    eventually(lambda: status(topic) == "approved", seconds=30)

    replies: list[str] = []
    told = asyncio.run(
        reply_while_watching(
            f"ws://localhost:{instance.port}/live/topics/{topic}/",
            f"http://localhost:{instance.port}",
            lambda: replies.append(post(parent=topic, body="Mine as well, at last")),
        )
    )
    [reply] = replies
    assert (told["post"], "trace" in told) == (reply, False)

    def whole() -> list[Any]:
        decided = [one for one in collector.named("decide") if one.fact("post") == reply]
        found = collector.trace(decided[0].trace) if decided else []
        wanted = {"tell a page", "hand over", "push", "POST request"}
        return found if wanted <= {one.name for one in found} else []

    spans = eventually(whole, seconds=30)
    process = {one.name: one.process["process.pid"] for one in spans}
    children = instance.children()
    assert process["POST request"] == process["submit"]
    assert process["POST request"] not in children.values(), "the WSGI server is none of them"
    for name in ("decide", "screen", "ask", "judge", "enforce", "push", "hand over"):
        assert process[name] == children["worker"], name
    assert process["tell a page"] == children["web"]
    [hook] = [one for one in receiver.sent if json.loads(one.body)["data"]["id"] == reply]
    assert hook.headers["traceparent"].split("-")[1] == spans[0].trace
    # Every span hangs on another one of the same trace, up to the request.
    ids = {one.id for one in spans}
    assert [one.name for one in spans if one.parent not in ids] == ["POST request"]

    if target := os.environ.get("TRACE_TO"):
        Path(target).write_text(json.dumps(otlp_json(spans), indent=1) + "\n")


def is_up(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
