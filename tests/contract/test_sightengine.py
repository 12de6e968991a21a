"""The sandbox's Sightengine, driven by the official SDK, which never looks at a status."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from sightengine.check import Check
from sightengine.client import SightengineClient

from moderation.sandbox.server import Sandbox, running_sandbox
from moderation.sandbox.sightengine import SIGNING_SECRET

JPEG = b"\xff\xd8\xff\xe0"
MODELS = ("nudity-2.1", "gore-2.0", "weapon")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


def check(sandbox: Sandbox, secret: str = "good-key", *models: str) -> Check:
    made: Check = SightengineClient("12345", secret).check(*(models or MODELS))
    made.endpoint = f"{sandbox.base_url}/sightengine/1.0/"
    return made


def test_a_picture_is_checked_by_its_address(sandbox: Sandbox) -> None:
    found = check(sandbox).set_url("https://cdn.example.com/a.jpg?[[sexual=0.9]]")
    assert found["status"] == "success"
    assert found["nudity"]["sexual_activity"] == 0.9
    assert found["gore"]["prob"] < 0.1


def test_a_picture_is_checked_by_its_bytes(sandbox: Sandbox) -> None:
    found = check(sandbox).set_bytes(JPEG + b"[[graphic=0.8]]\r\n--\x00")
    assert found["gore"]["prob"] == 0.8
    assert found["weapon"]["classes"]["firearm"] < 0.1


# The SDK opens a file and leaves it to the collector.
@pytest.mark.filterwarnings("ignore")
def test_a_picture_is_checked_from_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG + b"[[weapons=0.7]]")
    assert check(sandbox).set_file(str(path))["weapon"]["classes"]["firearm"] == 0.7


def test_a_single_model_answers_alone(sandbox: Sandbox) -> None:
    found = check(sandbox, "good-key", "scam").set_bytes(JPEG + b"[[spam=0.6]]")
    assert found["scam"] == {"prob": 0.6}
    assert "nudity" not in found


def test_a_short_video_is_answered_at_once(sandbox: Sandbox) -> None:
    found = check(sandbox).video_sync("https://cdn.example.com/v.mp4?[[sexual=0.9]]")
    frames = found["data"]["frames"]
    assert [frame["info"]["position"] for frame in frames] == [0, 1000, 2000]
    assert [frame["nudity"]["erotica"] > 0.5 for frame in frames] == [False, False, True]


@pytest.mark.parametrize(
    ("secret", "models", "kind"),
    [
        ("bad-key", MODELS, "argument_error"),
        ("no-quota", MODELS, "usage_limit"),
        ("good-key", ("unheard-of",), "argument_error"),
    ],
)
def test_failures_say_what_they_are(
    sandbox: Sandbox, secret: str, models: tuple[str, ...], kind: str
) -> None:
    found = check(sandbox, secret, *models).set_bytes(JPEG)
    assert (found["status"], found["error"]["type"]) == ("failure", kind)


def test_a_video_is_answered_by_a_signed_callback(sandbox: Sandbox, inbox: Inbox) -> None:
    url = "https://cdn.example.com/v.mp4?[[sexual=0.9]]"
    started = check(sandbox).video(url, f"{inbox.base_url}/t0k3n")
    assert started["status"] == "success"

    path, header, body = inbox.wait()
    assert path == "/t0k3n"
    stated = dict(part.split("=", 1) for part in header.split(","))
    expected = hmac.new(
        SIGNING_SECRET.encode(), f"{stated['t']}.".encode() + body, hashlib.sha256
    ).hexdigest()
    assert stated["v1"] == expected
    said = json.loads(body)
    assert said["media"]["id"] == started["media"]["id"]
    assert said["data"]["status"] == "finished"
    assert said["data"]["frames"][-1]["nudity"]["erotica"] == 0.9


def test_a_job_can_be_read(sandbox: Sandbox) -> None:
    """The SDK cannot; this is the request of the documentation."""
    started = check(sandbox).video("https://cdn.example.com/v.mp4", "")
    query = {"id": started["media"]["id"], "api_user": "12345", "api_secret": "good-key"}
    found = [
        requests.get(
            f"{sandbox.base_url}/sightengine/1.0/video/byid.json", params=query, timeout=5
        ).json()
        for _ in range(2)
    ]
    assert [one["output"]["data"]["status"] for one in found] == ["ongoing", "finished"]


# --- a place for callbacks ----------------------------------------------------------------------


class Inbox:
    def __init__(self, server: HTTPServer) -> None:
        self.base_url = f"http://127.0.0.1:{server.server_address[1]}"
        self._came = threading.Event()
        self._message: tuple[str, str, bytes] = ("", "", b"")

    def wait(self) -> tuple[str, str, bytes]:
        """Return path, signature and body of the message."""
        assert self._came.wait(5)
        return self._message

    def put(self, message: tuple[str, str, bytes]) -> None:
        self._message = message
        self._came.set()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.put((self.path, self.headers["Sightengine-Signature"], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        kept = Inbox(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()
