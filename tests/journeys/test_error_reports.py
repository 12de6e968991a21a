"""What reaches a server that speaks Sentry's protocol: where it went wrong, and nobody's words."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sentry_sdk
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from moderation.errors import Conflict
from moderation.pipeline import dispatch
from platform_site import sentry
from tests.factories import CommunityFactory
from tests.pipeline.helpers import send

MARK = "xyzzy-the-words-of-somebody"


class Server(ThreadingHTTPServer):
    """Takes envelopes; answers with `status`."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.came = threading.Semaphore(0)

    def next(self) -> dict:
        """Wait for one more envelope; return its event."""
        assert self.came.acquire(timeout=20)
        _, _, event = self.bodies[-1].split(b"\n", 2)
        return json.loads(event)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(gzip.decompress(body))
        self.server.headers.append(dict(self.headers))
        self.send_response(self.server.status)
        self.end_headers()
        self.server.came.release()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(settings) -> Iterator[Server]:
    """Report to a server of this test's own."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        settings.SENTRY_DSN = f"http://public@127.0.0.1:{running.server_port}/1"
        settings.SENTRY_ENVIRONMENT = "staging"
        sentry.start()
        yield running
        sentry_sdk.get_client().close(timeout=2)
        sentry_sdk.get_global_scope().set_client(None)
        running.shutdown()


def test_a_request_that_fails_is_reported_without_what_was_sent(server, db, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        words = MARK  # a variable, as a traceback could show it
        raise ValueError(f"cannot take {words}")

    monkeypatch.setattr("allauth.account.views.LoginView.form_invalid", fail)
    answer = Client(raise_request_exception=False).post(
        f"/accounts/login/?next=/{MARK}",
        {"login": MARK, "password": MARK},
        headers={"Cookie": f"a={MARK}", "User-Agent": MARK},
    )
    assert answer.status_code == 500
    event = server.next()
    assert MARK.encode() not in b"".join(server.bodies)
    (last, *_) = reversed(event["exception"]["values"])
    assert (last["type"], last["value"]) == ("ValueError", "(what it says is withheld)")
    assert last["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"]["request_id"] == answer["X-Request-ID"]
    assert (event["environment"], event["release"][:10]) == ("staging", "gatehouse@")
    for absent in ("request", "user", "breadcrumbs", "modules", "server_name", "contexts"):
        assert absent not in event
    assert server.headers[0]["X-Sentry-Auth"].startswith("Sentry sentry_key=public")


def test_a_batch_that_fails_is_reported_with_its_ids_alone(server, db, monkeypatch):
    (post,) = send(CommunityFactory.create(), f"Hello {MARK}")

    def fail(*_: object) -> None:
        raise ValueError(f"cannot judge {MARK}")

    monkeypatch.setattr(dispatch, "judge", fail)
    dispatch.drain(post.submissions.get().lane)
    event = server.next()
    assert MARK.encode() not in b"".join(server.bodies)
    assert event["logentry"] == {"message": "batch_failed"}
    assert event["extra"]["size"] == 1


def test_our_own_errors_keep_their_words_and_others_do_not(server):
    log = logging.getLogger("moderation.somewhere")
    for error, said in (
        (Conflict("Review 7 is no longer held."), "Review 7 is no longer held."),
        (RuntimeError(MARK), "(what it says is withheld)"),
    ):
        try:
            raise error
        except type(error):
            log.exception("it_failed", extra={"review": 7, "title": f"two words {MARK}"})
        event = server.next()
        assert event["exception"]["values"][-1]["value"] == said
        assert event["extra"] == {"review": 7}
    assert MARK.encode() not in b"".join(server.bodies)


def test_what_libraries_say_is_not_taken_over(server):
    logging.getLogger("some.library").error("Cannot parse %s", MARK, extra={"body": MARK})
    event = server.next()
    assert event["logentry"] == {"message": "some.library"}
    assert "extra" not in event
    assert MARK.encode() not in b"".join(server.bodies)


def test_warnings_are_not_reported(server):
    logging.getLogger("moderation.somewhere").warning("it_hesitates")
    logging.getLogger("moderation.somewhere").error("it_failed")
    assert server.next()["logentry"] == {"message": "it_failed"}
    assert len(server.bodies) == 1


def test_a_server_that_refuses_is_left_alone_and_nobody_waits_for_it(server):
    server.status = 503
    log = logging.getLogger("moderation.somewhere")
    log.error("first")
    server.next()
    sentry_sdk.get_client().flush(timeout=10)
    for _ in range(300):
        log.error("storm")
    sentry_sdk.get_client().flush(timeout=10)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("address", ["nonsense", "https://sentry.example.org/"])
def test_an_address_that_is_none_stops_the_start(settings, address):
    settings.SENTRY_DSN = address
    with pytest.raises(ImproperlyConfigured, match="SENTRY_DSN"):
        sentry.start()


def test_without_an_address_nothing_is_reported(settings):
    assert settings.SENTRY_DSN == ""
    assert not sentry_sdk.get_client().is_active()
