"""Schemathesis asks a running server whatever the OpenAPI document lets one ask, and much that it
does not: nothing crashes, and every answer is as the document says.

`SCHEMA_EXAMPLES` says how many cases each act gets beside those at the edges of its values; 0 is
the short run of the suite, which leaves the edges out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.test_run import Instance, environment, eventually, is_healthy

ROOT = Path(__file__).resolve().parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("st")
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "0"))
SHORT_SECONDS = 30
# More cases than any act sends within a run.
NO_LIMIT = {
    "GATEHOUSE_KEY_RATE_BURST": "1000000",
    "GATEHOUSE_KEY_RATE_PER_SECOND": "100000",
    "GATEHOUSE_RATE_BURST": "1000000",
}
# What is not asked at all, and why.
NOT_ASKED = {
    "/api/v1/events": "a stream that stays open for minutes; tests/api/test_events.py has it",
}
# Where a request that its schema allows may be refused all the same: no schema can say why.
REFUSED_ALL_THE_SAME = {
    "POST /api/v1/posts": "text or body, not both; a text, a title or an attachment",
    "POST /api/v1/posts/bulk": "the same, of each post",
    "PATCH /api/v1/posts/{post_id}": "text or body, not both; attachments that the post has",
    "POST /api/v1/check": "a draft, or items; a text, a title or an attachment",
    "POST /api/v1/hint": "a text of blanks is none",
    "POST /api/v1/content/submit": "a text of blanks is none",
    "GET /api/v1/posts": "a cursor is one that we gave",
    "GET /api/v1/communities": "a cursor is one that we gave",
    "GET /api/v1/communities/{slug}/policies": "a cursor is one that we gave",
    "GET /api/v1/keys": "a cursor is one that we gave",
    "GET /api/v1/webhooks": "a cursor is one that we gave",
    "GET /api/v1/webhooks/{number}/deliveries": "a cursor is one that we gave",
    "GET /api/v1/reports": "a cursor is one that we gave; a post's id is a UUID",
    "GET /api/v1/appeals": "a cursor is one that we gave; a post's id is a UUID",
    "GET /api/v1/usage": "at most 92 days, the first before the last",
    "POST /api/v1/communities/{slug}/policies": "a policy has a schema of its own",
    "POST /api/v1/keys": "at most the rights and the tier of the key that asks",
    "POST /api/v1/webhooks": "an address that is public, types that exist",
    "PATCH /api/v1/webhooks/{number}": "an address that is public, types that exist",
    "POST /api/v1/webhooks/{number}/replay": "a time that ends after it begins",
    "POST /api/v1/posts/{post_id}/reports": "a key that came with another payload is refused",
    "POST /api/v1/posts/{post_id}/appeals": "a key that came with another payload is refused",
    "POST /api/v1/appeals/{number}/messages": "a text of blanks is none",
}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@pytest.fixture
def server(tmp_path, monkeypatch):
    for name, value in NO_LIMIT.items():
        monkeypatch.setenv(name, value)
    running = Instance(tmp_path / "data")
    try:
        eventually(lambda: is_healthy(running), seconds=240)
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)


@pytest.fixture
def key(server):
    """Return a key of the demo's community, with every right that the document speaks of."""
    made = subprocess.run(
        [
            *(sys.executable, "manage.py", "apikey", "create", "--community", "demo"),
            *("--scopes", "submit,read,check,admin"),
        ],
        cwd=ROOT,
        env=environment(GATEHOUSE_DATA=str(server.data), PORT=str(server.port)),
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.split()[-1]


@pytest.fixture
def config(tmp_path):
    """Say what is left out, and why."""
    # All there are.
    parts = ["[checks]\nenabled = true\n"]
    for act, reason in REFUSED_ALL_THE_SAME.items():
        say(f"may refuse what its schema allows: {act}: {reason}")
        parts.append(
            f"[[operations]]\ninclude-name = {json.dumps(act)}\n"
            "checks.positive_data_acceptance.enabled = false\n"
        )
    for path, reason in NOT_ASKED.items():
        say(f"not asked: {path}: {reason}")
    written = tmp_path / "schemathesis.toml"
    written.write_text("\n".join(parts))
    return written


@pytest.mark.timeout(3_600)
def test_nothing_crashes_and_every_answer_is_as_the_document_says(server, key, config, tmp_path):
    address = f"http://127.0.0.1:{server.port}/api/v1/openapi.json"
    how = ["--phases", "examples,fuzzing", "--max-examples", "5", "--max-time", str(SHORT_SECONDS)]
    if EXAMPLES:
        how = ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES)]
    ran = subprocess.run(
        [
            *(str(SCHEMATHESIS), "--config-file", str(config), "run", address, *how),
            *("--seed", "1", "--workers", "2", "--continue-on-failure", "--warnings", "off"),
            *("--header", f"Authorization: Bearer {key}"),
            *(part for path in NOT_ASKED for part in ("--exclude-path", path)),
        ],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    say(ran.stdout[-20_000:])
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]
    found = re.search(r"(\d+) generated", ran.stdout)
    assert found is not None
    assert int(found[1]) >= (5_000 if EXAMPLES else 100)
