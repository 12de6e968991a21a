"""Our own Python client and its command line, against a running server of ours."""

from __future__ import annotations

import asyncio
import csv
import inspect
import itertools
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from django.db import connections
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from moderation.api.limits import forget_tokens
from moderation.api.views import posts as view
from moderation.delivery import webhook
from moderation.models import Community, Post
from moderation.vocabulary import Scope, WordAction
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all
from tests.pipeline.test_media import picture

# The client is a package of its own, which this project does not install.
sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "python" / "src"))

import gatehouse_client as ours
from gatehouse_client.retries import read_retry_after

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = Path(ours.__file__).parents[1]
# As patient as a test may be.
QUICK = ours.Retries(attempts=4, first_wait_seconds=0.02, longest_wait_seconds=0.05)
# Slow enough that no token comes back while a test runs.
SLOW = 0.001
NOBODY = "01a1f833-5ffa-7d45-ba3a-1a7d23705b41"


@pytest.fixture
def community(live_server: Any) -> Community:
    forget_tokens()
    made: Community = CommunityFactory.create(slug="garden")
    return made


@pytest.fixture
def key(community: Community) -> str:
    return make_key(community, [Scope.SUBMIT, Scope.READ, Scope.CHECK])[1]


@pytest.fixture
def client(live_server: Any, key: str) -> Iterator[ours.Gatehouse]:
    with ours.Gatehouse(live_server.url, key, retries=QUICK) as made:
        yield made


@pytest.fixture
def limits(settings: Any) -> Callable[..., None]:
    def override(**values: object) -> None:
        settings.MODERATION = {**settings.MODERATION, **values}

    return override


# Posts


def test_a_post_goes_its_way(client: ours.Gatehouse) -> None:
    author = ours.Author("42", "Bo")
    sent = client.submit(author=author, title="Harvest", text=HARMLESS, channel="kitchen")
    assert (sent.revision, sent.status, sent.replayed) == (1, ours.Status.PENDING, False)
    assert client.get_status(sent.id).is_pending
    drain_all()
    status = client.wait_for_verdict(sent.id, timeout_seconds=5)
    assert status.is_approved
    assert status.decided_at is not None
    post = client.get_post(sent.id)
    assert (post.title, post.body, post.channel) == ("Harvest", HARMLESS, "kitchen")
    assert (post.author_id, post.author_name, post.community) == ("42", "Bo", "garden")
    assert post.created_at.tzinfo is not None


def test_a_report_is_made_once_and_read_again(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=HARMLESS)
    drain_all()
    who = ours.Author("cy", "Cy")
    made = client.report(sent.id, reporter=who, category="harassment", explanation="An insult.")
    again = client.report(sent.id, reporter=who, category="spam")
    assert again.number == made.number
    found = client.get_report(made.number)
    assert (found.state, found.reporter_id, found.decided_by) == ("open", "cy", "")
    assert (found.post_id, found.category, found.explanation) == (
        sent.id,
        "harassment",
        "An insult.",
    )
    client.report(sent.id, reporter="di", category="spam")
    first = client.list_reports(post_id=sent.id, page_size=1)
    assert [one.reporter_id for one in first.reports] == ["di"]
    assert first.next_cursor is not None
    rest = client.list_reports(state="open", cursor=first.next_cursor)
    assert [one.reporter_id for one in rest.reports] == ["cy"]
    assert rest.next_cursor is None
    with pytest.raises(ValueError, match="number"):
        client.get_report("../keys")


def test_an_appeal_is_opened_once_followed_and_withdrawn(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=THREAT)
    drain_all()
    made = client.appeal(sent.id, "It is a quote.", author_id="bo", idempotency_key="a1")
    again = client.appeal(sent.id, "It is a quote.", author_id="bo", idempotency_key="a1")
    assert (again.number, again.replayed) == (made.number, True)
    assert (made.state, made.appellant_id, made.is_overdue) == ("open", "bo", False)
    assert made.due_at > made.created_at
    written = client.write_to_appeal(made.number, "From Macbeth.")
    assert [(said.by, said.text) for said in written.messages] == [
        ("author", "It is a quote."),
        ("author", "From Macbeth."),
    ]
    assert [one.number for one in client.list_appeals(state="open").appeals] == [made.number]
    assert client.withdraw_appeal(made.number).state == "withdrawn"
    found = client.get_appeal(made.number)
    assert (found.state, found.closed_at is None) == ("withdrawn", False)
    with pytest.raises(ours.Conflict):
        client.withdraw_appeal(made.number)
    with pytest.raises(ours.NotAllowed):
        client.appeal(sent.id, "Mine.", author_id="cy")
    with pytest.raises(ValueError, match="number"):
        client.get_appeal("../keys")


def test_a_rejected_post_says_why(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=THREAT)
    drain_all()
    status = client.wait_for_verdict(sent.id)
    assert (status.status, status.visibility) == (ours.Status.REJECTED, ours.Visibility.HIDDEN)
    assert status.reason is not None
    assert (status.reason.by, status.reason.action) == ("policy", ours.Action.BLOCK)
    assert status.reason.text


def test_waiting_ends_when_the_verdict_comes(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=HARMLESS)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.wait_for_verdict, sent.id, timeout_seconds=10)
        time.sleep(0.3)
        assert not waiting.done()
        drain_all()
        assert waiting.result(10).is_approved


def test_waiting_has_an_end(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=HARMLESS)
    with pytest.raises(ours.StillPending) as caught:
        client.wait_for_verdict(sent.id, timeout_seconds=0.3)
    assert caught.value.last.id == sent.id


def test_an_edit_makes_a_revision_and_minds_the_one_it_was_made_of(
    client: ours.Gatehouse,
) -> None:
    sent = client.submit(author="bo", text=HARMLESS)
    edited = client.edit(sent.id, text="They are eaten.", if_revision=1)
    assert edited.revision == 2
    with pytest.raises(ours.StaleRevision) as caught:
        client.edit(sent.id, text="No, they are ripe.", if_revision=1)
    assert caught.value.code == "stale_revision"
    assert client.get_post(sent.id).body == "They are eaten."


def test_a_deleted_post_is_gone(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=HARMLESS)
    client.delete(sent.id)
    with pytest.raises(ours.NotFound):
        client.get_post(sent.id)
    with pytest.raises(ours.NotFound):
        client.delete(sent.id)


def test_files_are_sent_kept_and_dropped(client: ours.Gatehouse, tmp_path: Path) -> None:
    file = tmp_path / "harvest.png"
    file.write_bytes(picture())
    shown = ours.Media.from_file(file, alt_text="A basket")
    sent = client.submit(author=ours.Author("bo", "Bo"), text=HARMLESS, media=[shown])
    post = client.get_post(sent.id)
    [kept] = post.media
    assert (kept.alt_text, kept.kind, post.author_name) == ("A basket", "image", "Bo")
    more = ours.Media(data=picture(2), name="more.png", content_type="image/png")
    client.edit(sent.id, media=[more], keep_media=[kept.id])
    assert len(client.get_post(sent.id).media) == 2
    client.edit(sent.id, media=[more], keep_media=[])
    assert len(client.get_post(sent.id).media) == 1
    client.edit(sent.id, keep_media=[])
    assert client.get_post(sent.id).media == []


def test_all_pages_of_a_list_are_read(client: ours.Gatehouse) -> None:
    sent = [client.submit(author="bo", text=f"{HARMLESS} {number}").id for number in range(5)]
    client.submit(author="cy", text=HARMLESS)
    found = [post.id for post in client.list_posts(author="bo", page_size=2)]
    assert found == sent[::-1]
    page = client.list_page(author="bo", page_size=2)
    assert len(page.posts) == 2
    assert page.next_cursor
    assert list(client.list_posts(author="bo", status=ours.Status.REJECTED)) == []


def test_a_bulk_request_has_a_result_for_each_post(client: ours.Gatehouse) -> None:
    sound, empty = ours.NewPost(author="bo", text=HARMLESS), ours.NewPost(author="bo", text="")
    bulk = client.submit_bulk([sound, empty])
    assert (bulk.accepted, bulk.refused) == (1, 1)
    assert bulk.results[0].post is not None
    assert bulk.results[1].problem is not None
    assert bulk.results[1].problem.status == 400
    with pytest.raises(ours.AllRefused) as caught:
        client.submit_bulk([empty])
    assert [item.index for item in caught.value.results] == [0]


# Asking without posting


def test_a_check_says_what_the_policy_would(client: ours.Gatehouse) -> None:
    verdict = client.check(THREAT, deadline_ms=500)
    assert (verdict.action, verdict.is_allowed) == (ours.Action.BLOCK, False)
    assert verdict.category
    assert verdict.score == verdict.scores[verdict.category]
    assert verdict.flagged_spans[0].field == "text"
    assert (verdict.evidence[0].outcome, verdict.policy_revision) == ("judged", 1)
    assert verdict.id is None
    assert client.check(HARMLESS).is_allowed
    assert client.check(HARMLESS, keep=True).id


def test_a_batch_is_answered_in_order(client: ours.Gatehouse) -> None:
    image = ours.Media(data=picture(), content_type="image/png")
    drafts: list[ours.Draft | str] = [
        HARMLESS,
        ours.Draft(text=THREAT),
        ours.Draft(title=HARMLESS, media=[image]),
    ]
    verdicts = client.check_batch(drafts)
    assert [verdict.is_allowed for verdict in verdicts[:2]] == [True, False]
    assert {found.part for found in verdicts[2].evidence} >= {"media.0"}


def test_a_hint_names_words_and_guesses(client: ours.Gatehouse, community: Community) -> None:
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    hint = client.hint(f"gurkin {THREAT}")
    assert [(word.start, word.end, word.term) for word in hint.block] == [(0, 6, "gurkin")]
    assert hint.guesses


def test_text_that_is_no_unicode_is_the_servers_to_refuse(client: ours.Gatehouse) -> None:
    with pytest.raises(ours.InvalidRequest):
        client.submit(author="bo", text="half a pair: \ud83d")


# Problems


def test_a_problem_tells_what_is_wrong(client: ours.Gatehouse) -> None:
    with pytest.raises(ours.InvalidRequest) as caught:
        client.submit(author="user:1", text=HARMLESS)
    error = caught.value
    assert (error.code, error.status) == ("invalid_fields", 400)
    assert error.title == "Fields are missing or malformed"
    assert [wrong.field for wrong in error.errors] == ["author.id"]
    assert "author.id" in error.detail
    assert error.request_id


def test_errors_survive_a_queue(client: ours.Gatehouse) -> None:
    with pytest.raises(ours.InvalidRequest) as caught:
        client.submit(author="user:1", text=HARMLESS)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), str(error)) == (ours.InvalidRequest, str(caught.value))
    assert (error.errors, error.request_id) == (caught.value.errors, caught.value.request_id)
    sent = client.submit(author="bo", text=HARMLESS)
    late = ours.StillPending(client.get_status(sent.id))
    assert str(pickle.loads(pickle.dumps(late))) == f"Post {sent.id} is pending still."


def test_blocked_words_are_named(client: ours.Gatehouse, community: Community) -> None:
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    with pytest.raises(ours.BlockedWords) as caught:
        client.submit(author="bo", text="A gurkin")
    assert caught.value.words == ["gurkin"]


def test_a_wrong_key_and_a_missing_scope_are_told_apart(
    live_server: Any, community: Community
) -> None:
    nonsense = "gate_nonsense"
    with ours.Gatehouse(live_server.url, nonsense, retries=QUICK) as stranger:
        with pytest.raises(ours.NotAuthenticated) as caught:
            stranger.check(HARMLESS)
        assert nonsense not in f"{stranger!r} {caught.value!r} {caught.value}"
    with ours.Gatehouse(live_server.url, make_key(community, [Scope.READ])[1]) as reader:
        with pytest.raises(ours.NotAllowed, match="check"):
            reader.check(HARMLESS)
        with pytest.raises(ours.NotFound):
            reader.get_status(NOBODY)


@pytest.mark.parametrize("post_id", ["", "..", "../check", "1"])
def test_what_is_no_id_is_not_sent(client: ours.Gatehouse, post_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        client.delete(post_id)


# Repeating


def test_the_same_idempotency_key_gives_the_first_answer_again(client: ours.Gatehouse) -> None:
    first = client.submit(author="bo", text=HARMLESS, idempotency_key="k1")
    again = client.submit(author="bo", text=HARMLESS, idempotency_key="k1")
    assert (again.id, again.replayed) == (first.id, True)
    with pytest.raises(ours.IdempotencyMismatch) as caught:
        client.submit(author="bo", text="Something else", idempotency_key="k1")
    assert (caught.value.status, caught.value.code) == (422, "idempotency_mismatch")
    assert client.submit(author="bo", text=HARMLESS).id != first.id
    with pytest.raises(ValueError, match="visible ASCII"):
        client.submit(author="bo", text=HARMLESS, idempotency_key="two words")


@pytest.fixture
def slow_answer(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Let the first submission stand still before it is answered."""
    running, go_on = threading.Event(), threading.Event()
    answer_one = view._answer_one

    def answer_slowly(results: Any) -> Any:
        if not running.is_set():
            running.set()
            assert go_on.wait(10)
        return answer_one(results)

    monkeypatch.setattr(view, "_answer_one", answer_slowly)
    return running, go_on


def test_a_second_request_waits_until_the_first_is_done(
    live_server: Any, key: str, slow_answer: tuple[threading.Event, threading.Event]
) -> None:
    running, go_on = slow_answer

    def send(retries: ours.Retries) -> ours.Accepted:
        with ours.Gatehouse(live_server.url, key, retries=retries) as client:
            return client.submit(author="bo", text=HARMLESS, idempotency_key="k1")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, QUICK)
        assert running.wait(10)
        with pytest.raises(ours.IdempotencyRunning) as caught:
            send(ours.Retries(attempts=1))
        assert (caught.value.status, caught.value.retry_after_seconds) == (409, 1.0)
        second = pool.submit(send, QUICK)
        go_on.set()
        assert second.result(10).id == first.result(10).id
    assert Post.objects.count() == 1


def test_a_limit_is_waited_for_as_long_as_the_server_says(
    client: ours.Gatehouse, limits: Callable[..., None]
) -> None:
    limits(key_rate_burst=1, key_rate_per_second=1)
    took = [_seconds_of(lambda: client.check(HARMLESS)) for _ in range(4)]
    # QUICK alone would have been back four times within a tenth of it. A machine that takes a
    # second for each anyway is never made to wait.
    assert max(took) >= 0.9


def _seconds_of(act: Callable[[], object]) -> float:
    began_at = time.monotonic()
    act()
    return time.monotonic() - began_at


def test_a_wait_that_is_too_long_is_told_instead(
    client: ours.Gatehouse, limits: Callable[..., None]
) -> None:
    limits(key_rate_burst=1, key_rate_per_second=SLOW)
    client.check(HARMLESS)
    began_at = time.monotonic()
    with pytest.raises(ours.RateLimited) as caught:
        client.check(HARMLESS)
    assert time.monotonic() - began_at < 1
    assert (caught.value.retry_after_seconds or 0) > 60


# Between the client and the server


class Wire:
    """Forward bytes to a server, and break connections off when told to."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        # How many answers are still to be lost after the server did what it was asked.
        self.answers_to_lose = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._to))
            for source, target, loses in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._pump, args=(source, target, loses), daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, loses: bool) -> None:
        try:
            while data := source.recv(65_536):
                if loses and self.answers_to_lose > 0:
                    self.answers_to_lose -= 1
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            _hang_up(end)

    def close(self) -> None:
        self._listener.close()


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@pytest.fixture
def wire(live_server: Any) -> Iterator[Wire]:
    made = Wire(live_server.thread.port)
    yield made
    made.close()


def test_a_post_whose_answer_is_lost_is_stored_once(wire: Wire, key: str) -> None:
    with ours.Gatehouse(wire.url, key, retries=QUICK) as client:
        wire.answers_to_lose = 2
        sent = client.submit(author="bo", text=HARMLESS)
    assert sent.replayed
    assert wire.connections == 3
    assert str(Post.objects.get().pk) == sent.id


def test_a_deletion_whose_answer_is_lost_is_done(wire: Wire, key: str) -> None:
    with ours.Gatehouse(wire.url, key, retries=QUICK) as client:
        sent = client.submit(author="bo", text=HARMLESS)
        wire.answers_to_lose = 1
        client.delete(sent.id)
        with pytest.raises(ours.NotFound):
            client.get_post(sent.id)


def test_an_edit_whose_answer_is_lost_is_not_sent_again(wire: Wire, key: str) -> None:
    with ours.Gatehouse(wire.url, key, retries=QUICK) as client:
        sent = client.submit(author="bo", text=HARMLESS)
        wire.answers_to_lose = 1
        with pytest.raises(ours.Unreachable):
            client.edit(sent.id, text="They are eaten.")
        assert client.get_post(sent.id).revision == 2


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_a_server_that_is_away_is_said_to_be_unreachable(key: str) -> None:
    with ours.Gatehouse(f"http://127.0.0.1:{free_port()}", key, retries=QUICK) as client:
        with pytest.raises(ours.Unreachable) as caught:
            client.check(HARMLESS)
        assert not isinstance(caught.value, ours.TimedOut)


def test_a_server_that_comes_back_is_found_again(httpserver: HTTPServer) -> None:
    port = free_port()
    later = HTTPServer(host="127.0.0.1", port=port)
    later.expect_request("/api/v1/hint").respond_with_json({"advise": [], "block": [], "hints": []})
    patient = ours.Retries(attempts=6, first_wait_seconds=0.1, longest_wait_seconds=0.3)
    with (
        ThreadPoolExecutor(1) as pool,
        ours.Gatehouse(f"http://127.0.0.1:{port}", "gate_x", retries=patient) as client,
    ):
        asking = pool.submit(client.hint, "ripe")
        time.sleep(0.2)
        later.start()
        try:
            assert asking.result(10).block == []
        finally:
            later.stop()


# What a server of ours does not say, but something before it may


@pytest.fixture
def elsewhere(httpserver: HTTPServer) -> Iterator[ours.Gatehouse]:
    with ours.Gatehouse(
        httpserver.url_for("/"), "gate_x", retries=QUICK, timeout_seconds=0.5
    ) as made:
        yield made


def scripted(server: HTTPServer, path: str, *answers: Response) -> list[Request]:
    """Give these answers one after the other, and return the requests that came."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    server.expect_request(f"/api/v1/{path}").respond_with_handler(answer)
    return seen


GATEWAY = Response("<h1>Bad gateway</h1>", status=502, content_type="text/html")
NO_HINT: dict[str, list[object]] = {"advise": [], "block": [], "hints": []}


def hint_answer() -> Response:
    return Response(json.dumps(NO_HINT), content_type="application/json")


def test_a_gateways_error_is_outlived(elsewhere: ours.Gatehouse, httpserver: HTTPServer) -> None:
    seen = scripted(httpserver, "hint", GATEWAY, GATEWAY, hint_answer())
    assert elsewhere.hint("ripe").block == []
    assert len(seen) == 3
    assert len({request.headers["X-Request-ID"] for request in seen}) == 1


def test_a_gateways_error_that_stays_is_told(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer
) -> None:
    seen = scripted(httpserver, "hint", GATEWAY)
    with pytest.raises(ours.ServerFailed) as caught:
        elsewhere.hint("ripe")
    assert (caught.value.status, caught.value.code, len(seen)) == (502, "", 4)


def test_submissions_are_repeated_under_one_key(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer
) -> None:
    seen = scripted(httpserver, "posts", GATEWAY)
    for _ in range(2):
        with pytest.raises(ours.ServerFailed):
            elsewhere.submit(author="bo", text=HARMLESS)
    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert len(keys) == 8
    assert len(set(keys[:4])) == len(set(keys[4:])) == 1
    assert keys[0] != keys[4]


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.edit(NOBODY, text="x"),
        lambda client: client.check("x", keep=True),
    ],
)
def test_what_is_not_safe_to_repeat_is_sent_once(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer, act: Callable[[ours.Gatehouse], object]
) -> None:
    seen = scripted(httpserver, "check", GATEWAY)
    edits = scripted(httpserver, f"posts/{NOBODY}", GATEWAY)
    with pytest.raises(ours.ServerFailed):
        act(elsewhere)
    assert len(seen + edits) == 1


def test_a_key_does_not_follow_to_another_address(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer
) -> None:
    moved = Response(status=307, headers={"Location": httpserver.url_for("/stolen")})
    scripted(httpserver, "hint", moved)
    stolen: list[Request] = []

    def steal(request: Request) -> Response:
        stolen.append(request)
        return hint_answer()

    httpserver.expect_request("/stolen").respond_with_handler(steal)
    with pytest.raises(ours.ProblemError) as caught:
        elsewhere.hint("ripe")
    assert caught.value.status == 307
    assert stolen == []


def test_a_next_page_elsewhere_is_not_followed(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer
) -> None:
    pages = [
        {"results": [], "next": "https://attacker.example/api/v1/posts?author=bo&cursor=c2"},
        {"results": [], "next": None},
    ]
    answers = [Response(json.dumps(page), content_type="application/json") for page in pages]
    seen = scripted(httpserver, "posts", *answers)
    assert list(elsewhere.list_posts(author="bo")) == []
    assert [request.args.get("cursor") for request in seen] == [None, "c2"]


@pytest.mark.parametrize(
    "body",
    [
        "<h1>Welcome</h1>",
        "[]",
        "[" * 200_000,
        "{}",
        json.dumps({"advise": [], "block": [], "hints": [{"category": 1, "text": ""}]}),
    ],
)
def test_an_answer_of_another_shape_is_an_error(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer, body: str
) -> None:
    scripted(httpserver, "hint", Response(body))
    with pytest.raises(ours.MalformedAnswer):
        elsewhere.hint("ripe")


def test_a_batch_with_too_few_verdicts_is_an_error(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer
) -> None:
    scripted(httpserver, "check", Response(json.dumps({"results": [], "took_ms": 1.0})))
    with pytest.raises(ours.MalformedAnswer, match="1 drafts got 0"):
        elsewhere.check_batch(["ripe"])


def test_no_answer_in_time_is_told_as_such(httpserver: HTTPServer) -> None:
    def sleep(request: Request) -> Response:
        time.sleep(0.4)
        return hint_answer()

    httpserver.expect_request("/api/v1/hint").respond_with_handler(sleep)
    once = ours.Retries(attempts=1)
    with (
        ours.Gatehouse(
            httpserver.url_for(""), "gate_x", retries=once, timeout_seconds=0.1
        ) as client,
        pytest.raises(ours.TimedOut),
    ):
        client.hint("ripe")


def test_what_happens_to_posts_is_followed(client: ours.Gatehouse) -> None:
    sent = client.submit(author="bo", text=HARMLESS, reference="t-1")
    drain_all()

    events = list(itertools.islice(client.events(after="0", types=["post.*"]), 2))

    assert [event.type for event in events] == ["post.submitted", "post.approved"]
    assert {event.post_id for event in events} == {sent.id}
    assert (events[1].status, events[1].community) == ("approved", "garden")
    assert client.get_post(sent.id).reference == "t-1"


def test_following_goes_on_where_it_broke_off(
    elsewhere: ours.Gatehouse, httpserver: HTTPServer
) -> None:
    def told(number: int) -> str:
        facts = {
            "id": str(number),
            "type": "post.approved",
            "happened_at": "2026-03-01T09:30:00Z",
            "community": "garden",
            "post": NOBODY,
            "revision": 1,
            "status": "approved",
            "visibility": "public",
        }
        return f"id: {number}\nevent: post.approved\ndata: {json.dumps(facts)}\n\n"

    answers = [
        Response("retry: 10\nid: 4\n\n" + told(5) + "id: 6\n\n"),
        Response(status=503),
        # Broken off in the middle of an event, which is told again.
        Response(told(7)[:-40]),
        Response(told(7)),
    ]
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("Last-Event-ID", ""))
        return answers[len(asked) - 1]

    httpserver.expect_request("/api/v1/events").respond_with_handler(answer)

    events = list(itertools.islice(elsewhere.events(), 2))

    assert [event.id for event in events] == ["5", "7"]
    assert asked == ["", "6", "6", "6"]


def test_following_ends_with_what_is_wrong(client: ours.Gatehouse) -> None:
    with pytest.raises(ours.InvalidRequest, match="types"):
        next(client.events(types=["weather"]))


def test_waits_grow_differ_and_have_an_end() -> None:
    retries = ours.Retries(attempts=9, first_wait_seconds=1, longest_wait_seconds=4)
    for tried, longest in ((1, 1), (2, 2), (3, 4), (8, 4)):
        waits = [retries.wait_before_next(tried) or 0.0 for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert retries.wait_before_next(9) is None
    assert 30 <= (retries.wait_before_next(1, 30.0) or 0.0) <= 31
    assert retries.wait_before_next(1, 61.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float | None) -> None:
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert read_retry_after({"Retry-After": value}, now=now) == seconds


# Awaited


def test_both_clients_have_the_same_calls() -> None:
    def calls_of(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(made).parameters)
            for name, made in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert calls_of(ours.Gatehouse) == calls_of(ours.AsyncGatehouse)


async def _go_through(url: str, key: str, drain: Callable[[], object]) -> None:
    async with ours.AsyncGatehouse(url, key, retries=QUICK) as client:
        allowed, blocked = await asyncio.gather(client.check(HARMLESS), client.check(THREAT))
        assert (allowed.is_allowed, blocked.is_allowed) == (True, False)
        sent = await client.submit(author="bo", text=HARMLESS, idempotency_key="k1")
        again = await client.submit(author="bo", text=HARMLESS, idempotency_key="k1")
        assert (again.id, again.replayed) == (sent.id, True)
        with pytest.raises(ours.IdempotencyMismatch):
            await client.submit(author="bo", text="Else", idempotency_key="k1")
        waiting = asyncio.create_task(client.wait_for_verdict(sent.id))
        await asyncio.to_thread(drain)
        assert (await waiting).is_approved
        bulk = await client.submit_bulk([ours.NewPost(author="bo", text="Two")])
        assert bulk.accepted == 1
        assert (await client.edit(sent.id, text="Three")).revision == 2
        bodies = [post.body async for post in client.list_posts(author="bo", page_size=1)]
        assert bodies == ["Two", "Three"]
        assert len((await client.list_page(author="bo")).posts) == 2
        assert (await client.get_status(sent.id)).is_pending
        assert len(await client.check_batch([HARMLESS, THREAT])) == 2
        assert (await client.hint(THREAT)).guesses
        made = await client.report(sent.id, reporter="cy", category="spam", explanation="Ads.")
        assert (await client.get_report(made.number)).state == "open"
        assert [one.number for one in (await client.list_reports()).reports] == [made.number]
        told = [event.type async for event in _first(2, client.events(after="0"))]
        assert told == ["post.submitted", "post.approved"]
        await client.delete(sent.id)
        with pytest.raises(ours.NotFound):
            await client.get_post(sent.id)


async def _first(count: int, events: AsyncIterator[ours.Event]) -> AsyncIterator[ours.Event]:
    async for event in events:
        yield event
        count -= 1
        if not count:
            return


def _drain_in_a_thread() -> None:
    try:
        drain_all()
    finally:
        connections.close_all()


def test_the_awaited_client_does_the_same(live_server: Any, key: str) -> None:
    asyncio.run(_go_through(live_server.url, key, _drain_in_a_thread))


def test_the_awaited_client_repeats_and_gives_up(wire: Wire, key: str) -> None:
    async def go() -> None:
        async with ours.AsyncGatehouse(wire.url, key, retries=QUICK) as client:
            wire.answers_to_lose = 1
            assert (await client.submit(author="bo", text=HARMLESS)).replayed
            wire.answers_to_lose = 99
            with pytest.raises(ours.Unreachable):
                await client.hint("ripe")

    asyncio.run(go())
    assert Post.objects.count() == 1
    wire.answers_to_lose = 0


# Webhooks

SECRET, OLD_SECRET = webhook.new_secret(), webhook.new_secret()
BODY = b'{"type":"post.rejected","timestamp":"2026-11-20T12:00:00.000000Z","data":{"id":"7"}}'
NOW = 1_795_262_400


def signed(*secrets: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    signatures = [webhook.sign(one, message_id="msg_1", timestamp=at, body=body) for one in secrets]
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signatures),
    }


def test_a_webhook_of_ours_is_believed() -> None:
    event = ours.verify_webhook(BODY, signed(SECRET), SECRET, now=NOW)
    assert (event.id, event.type, event.data) == ("msg_1", "post.rejected", {"id": "7"})
    named = {name.title(): value for name, value in signed(SECRET).items()}
    assert ours.verify_webhook(BODY.decode(), named, SECRET, now=NOW) == event


def test_the_standards_own_library_signs_what_is_believed() -> None:
    at = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign("msg_1", at, BODY.decode())
    headers = signed(SECRET, at=int(at.timestamp())) | {"webhook-signature": signature}
    assert ours.verify_webhook(BODY, headers, SECRET).id == "msg_1"


def test_several_signatures_and_several_secrets_do_while_a_secret_changes() -> None:
    both = signed(SECRET, OLD_SECRET)
    strangers = {**both, "webhook-signature": f"v1a,AAAA v1,é v2,x {both['webhook-signature']}"}
    for secret in (SECRET, OLD_SECRET, [webhook.new_secret(), OLD_SECRET]):
        assert ours.verify_webhook(BODY, strangers, secret, now=NOW).id == "msg_1"


@pytest.mark.parametrize("off", [-301, 301])
def test_a_webhook_of_another_time_is_refused(off: int) -> None:
    with pytest.raises(ours.WebhookRefused, match="ago"):
        ours.verify_webhook(BODY, signed(SECRET), SECRET, now=NOW + off)
    near = off - 1 if off > 0 else off + 1
    assert ours.verify_webhook(BODY, signed(SECRET), SECRET, now=NOW + near).id == "msg_1"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": signed(OLD_SECRET)["webhook-signature"]},
        {"webhook-signature": signed(SECRET)["webhook-signature"].replace("v1,", "v1a,")},
        {"webhook-signature": signed(SECRET)["webhook-signature"][:-4]},
        {"webhook-id": "msg_2"},
        {"webhook-id": "msg_1\ud83d"},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-timestamp": ""},
    ],
)
def test_a_webhook_that_was_tampered_with_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ours.WebhookRefused):
        ours.verify_webhook(BODY, signed(SECRET) | change, SECRET, now=NOW)


def test_a_body_that_was_written_again_is_refused() -> None:
    again = json.dumps(json.loads(BODY)).encode()
    with pytest.raises(ours.WebhookRefused, match="No signature"):
        ours.verify_webhook(again, signed(SECRET), SECRET, now=NOW)


def test_a_secret_that_is_none_is_not_taken_for_an_empty_one() -> None:
    for nonsense in ("", "whsec_", "whsec_?", "whsec_é"):
        with pytest.raises(ours.NotConfigured, match="secret"):
            ours.verify_webhook(BODY, signed(SECRET), nonsense, now=NOW)


# The command


@pytest.fixture
def gatehouse(live_server: Any, key: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "PYTHONUTF8": "1",
            "GATEHOUSE_URL": live_server.url,
            "GATEHOUSE_KEY": key,
            **more.pop("env", {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "gatehouse_client", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            **more,
        )

    return run


Command = Callable[..., subprocess.CompletedProcess[str]]


def test_a_text_is_checked(gatehouse: Command) -> None:
    done = gatehouse("check", HARMLESS)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "allow", "")
    done = gatehouse("check", "--json", "-", input=THREAT)
    assert (done.returncode, json.loads(done.stdout)["action"]) == (1, "block")


def test_a_file_is_checked(gatehouse: Command, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text(THREAT, encoding="utf-8")
    done = gatehouse("check", "--file", str(file))
    assert (done.returncode, done.stdout.split()[0]) == (1, "block")
    file.write_bytes(b"\xff\xfe")
    assert gatehouse("check", "--file", str(file)).returncode == 2


def write_rows(path: Path, texts: list[str]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(enumerate(texts))


def test_a_column_is_checked_with_a_bar(gatehouse: Command, tmp_path: Path) -> None:
    file, output = tmp_path / "rows.csv", tmp_path / "checked.csv"
    texts = [HARMLESS] * 100 + ["", f'{HARMLESS},\n"quoted"', THREAT]
    write_rows(file, texts)
    done = gatehouse(
        *("check", "--csv", str(file), "--column", "text", "--output", str(output), "--progress")
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "100% 103/103" in done.stderr
    with output.open(encoding="utf-8", newline="") as checked:
        rows = list(csv.DictReader(checked))
    assert [row["text"] for row in rows] == texts
    assert [row["gatehouse_action"] for row in rows[99:]] == ["allow", "empty", "allow", "block"]
    assert rows[100]["gatehouse_score"] == ""
    assert float(rows[-1]["gatehouse_score"]) > 0.5


def test_a_row_that_cannot_be_checked_does_not_take_others_with_it(
    gatehouse: Command, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    write_rows(file, [HARMLESS, "x" * 40_001, THREAT])
    done = gatehouse("check", "--csv", str(file), "--column", "text", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    actions = [line["verdict"] and line["verdict"]["action"] for line in lines]
    assert (done.returncode, actions) == (2, ["allow", None, "block"])
    assert "invalid_fields" in lines[1]["error"]
    assert lines[0]["row"] == {"id": "0", "text": HARMLESS}
    assert done.stderr == ""


def test_a_column_that_is_not_there_and_an_output_over_the_input_are_errors(
    gatehouse: Command, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    write_rows(file, [HARMLESS])
    before = file.read_bytes()
    done = gatehouse("check", "--csv", str(file), "--column", "body")
    assert (done.returncode, "it has: id, text" in done.stderr) == (2, True)
    done = gatehouse("check", "--csv", str(file), "--column", "text", "--output", str(file))
    assert (done.returncode, file.read_bytes()) == (2, before)


def test_a_reader_that_goes_away_is_no_crash(live_server: Any, key: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    write_rows(file, [HARMLESS] * 3)
    arguments = ["check", "--csv", str(file), "--column", "text"]
    near, far = os.pipe()
    os.close(near)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gatehouse_client", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": str(SOURCE),
                "GATEHOUSE_URL": live_server.url,
                "GATEHOUSE_KEY": key,
            },
            stdout=far,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(far)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_post_is_submitted_and_waited_for(gatehouse: Command) -> None:
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(
            gatehouse, "submit", THREAT, "--author", "bo", "--wait", "20", "--json"
        )
        while not Post.objects.exists() and not submitting.done():
            time.sleep(0.05)
        drain_all()
        done = submitting.result(30)
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"]) == (1, "rejected"), done.stderr
    done = gatehouse("status", told["id"])
    assert (done.returncode, done.stdout.split()[1:3]) == (1, ["rejected", "hidden"])


def test_an_approved_post_is_told_by_zero(gatehouse: Command) -> None:
    done = gatehouse("submit", HARMLESS, "--author", "bo", "--title", "Harvest")
    post_id, status, _ = done.stdout.split()
    assert (done.returncode, status) == (0, "pending")
    done = gatehouse("status", post_id, "--wait", "0.1")
    assert (done.returncode, "pending still" in done.stderr) == (2, True)
    drain_all()
    done = gatehouse("status", post_id, "--wait")
    assert (done.returncode, done.stdout.split()[1]) == (0, "approved")


def test_what_happens_is_printed_as_it_does(gatehouse: Command) -> None:
    gatehouse("submit", HARMLESS, "--author", "bo")
    drain_all()

    told = gatehouse("tail", "--after", "0", "--count", "2", "--types", "post.*")

    assert told.returncode == 0
    lines = [line.split() for line in told.stdout.splitlines()]
    assert [(line[2], line[4]) for line in lines] == [
        ("post.submitted", "pending"),
        ("post.approved", "approved"),
    ]


def test_blocked_words_are_no_failure(gatehouse: Command, community: Community) -> None:
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    done = gatehouse("submit", "A gurkin", "--author", "bo", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, "blocked_words")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"GATEHOUSE_URL": ""}, "GATEHOUSE_URL"),
        ({"GATEHOUSE_KEY": ""}, "GATEHOUSE_KEY"),
        ({"GATEHOUSE_KEY": "gate_nonsense"}, "not_authenticated"),
    ],
)
def test_what_is_not_set_up_is_an_error(
    gatehouse: Command, environment: dict[str, str], said: str
) -> None:
    done = gatehouse("check", HARMLESS, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "gate_nonsense" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "x", "--url", "forum.example"), "'forum.example' is no address: one begins"),
        (("check", "x", "--url", "http://"), "is no address"),
        (("check", "x", "--timeout", "0"), "0 is no time"),
        (("check", "x", "--timeout", "nan"), "nan is no time"),
        (("submit", "x", "--author", "bo", "--wait", "-3"), "-3 is no time"),
        (("status", "post-17"), "'post-17' is no post's id"),
        (("check", "--file", "latin.txt"), "not in UTF-8"),
        (("check", "--csv", "latin.txt", "--column", "text"), "not in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    gatehouse: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "latin.txt").write_bytes("text\nWeiß\n".encode("latin-1"))
    done = gatehouse(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_makes_no_sense_is_an_error(gatehouse: Command) -> None:
    for arguments in ([], ["check"], ["check", "--csv", "x"], ["check", "x", "--column", "y"]):
        assert gatehouse(*arguments).returncode == 2


# What the pages say


def examples_in(page: Path) -> str:
    """Return a page's Python, as one program."""
    blocks = page.read_text(encoding="utf-8").split("```python\n")[1:]
    return "\n".join(block.partition("```")[0] for block in blocks)


@pytest.mark.parametrize("document", ["docs/client.md", "clients/python/README.md"])
def test_the_examples_run(
    live_server: Any, key: str, monkeypatch: pytest.MonkeyPatch, document: str
) -> None:
    monkeypatch.setenv("GATEHOUSE_URL", live_server.url)
    monkeypatch.setenv("GATEHOUSE_KEY", key)
    program = examples_in(Path(__file__).parents[2] / document)
    assert "Gatehouse(" in program
    headers = signed(SECRET, at=int(time.time()))
    # A community that judges while the examples wait.
    done = threading.Event()

    def judge() -> None:
        try:
            while not done.wait(0.1):
                drain_all()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        judging = pool.submit(judge)
        try:
            exec(
                compile(program, document, "exec"),
                {"body": BODY, "headers": headers, "secret": SECRET},
            )
        finally:
            done.set()
        judging.result(10)


def test_every_error_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
    errors = [
        name
        for name, made in vars(ours).items()
        if inspect.isclass(made) and issubclass(made, ours.GatehouseError)
    ]
    assert len(errors) > 15
    assert [name for name in errors if f"`{name}`" not in page] == []
