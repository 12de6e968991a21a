"""The sandbox itself: faults, callbacks, rates and records, with a service of this file's own."""

import base64
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Arrived
from werkzeug import Response

from moderation.sandbox import records
from moderation.sandbox.callbacks import is_loopback
from moderation.sandbox.faults import SPOILS, Fault
from moderation.sandbox.protocol import Desk, Outgoing, Reply, Request
from moderation.sandbox.server import Sandbox, running_sandbox
from moderation.sandbox.services import NotServed, make_service, service_names

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"scores": {"hate": 0.5, "spam": 0.2}, "found": [{"name": "hate", "score": 1}], "ok": True}


class Parrot:
    """A service of two categories that calls back wherever it is told to."""

    prefix = "parrot"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if request.path == "/broken":
            raise KeyError("a mistake of its own")
        if request.path == "/call":
            asked = request.json()
            desk.call_back(lambda: self._callback(asked, desk))
        return Reply(200, GOOD, {"X-Path": request.path})

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return Reply(status, {"parrot": status})

    def _callback(self, asked: dict[str, str], desk: Desk) -> Outgoing:
        body = {"job": desk.job_to_name(asked["job"]), "at": desk.now()}
        headers = {"X-Signature": "t=1,v1=abcdef"} if asked.get("signed") else {}
        return Outgoing(asked["url"], json.dumps(body).encode(), headers)


def make(prefix: str) -> Parrot:
    if prefix != "parrot":
        raise NotServed(f"no {prefix}")
    return Parrot()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox(make=make) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture(scope="module")
def mailbox() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


class Client:
    """One kept connection."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.connection = http.client.HTTPConnection(sandbox.address, timeout=5)

    def ask(
        self, path: str = "/parrot/judge", body: object = b"{}", method: str = "POST"
    ) -> tuple[int, dict[str, str], bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, data)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, content

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *why: object) -> None:
        self.connection.close()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with Client(sandbox) as made:
        yield made


# --- requests ----------------------------------------------------------------------------------


def test_a_service_is_asked_by_the_first_step_of_the_path(client, sandbox):
    status, headers, content = client.ask("/parrot/v1/judge?a=1&a=2", b"hello")
    assert (status, headers["x-path"], json.loads(content)) == (200, "/v1/judge", GOOD)
    assert headers["content-length"] == str(len(content))
    [seen] = sandbox.requests("parrot")
    assert (seen.request.method, seen.request.path) == ("POST", "/v1/judge")
    assert (seen.request.query, seen.request.body) == ({"a": ["1", "2"]}, b"hello")
    assert seen.request.url == f"{sandbox.base_url}/parrot/v1/judge?a=1&a=2"
    assert (seen.status, seen.fault) == (200, "")
    assert abs(seen.at - time.time()) < 5


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_every_method_reaches_the_service(client, sandbox, method):
    assert client.ask(method=method)[0] == 200
    assert sandbox.requests()[0].request.method == method


def test_an_unknown_service_is_an_error_that_says_so(client):
    status, _, content = client.ask("/nobody/judge")
    assert (status, json.loads(content)) == (404, {"error": "no nobody"})


def test_the_real_services_name_themselves_and_what_is_not_there():
    assert make_service("openai").prefix == "openai"
    with pytest.raises(NotServed, match=r"There is no service 'nobody'.*openai"):
        make_service("nobody")


def test_a_mistake_of_a_service_is_told_and_kept(client, sandbox, caplog):
    status, _, content = client.ask("/parrot/broken")
    assert status == 500
    assert "KeyError" in json.loads(content)["sandbox_error"]
    assert [type(error) for error in sandbox.errors] == [KeyError]
    assert client.ask()[0] == 200


def test_a_body_of_unknown_length_is_refused(sandbox):
    with Client(sandbox) as client:
        # It answers and hangs up as soon as it has read the headers, body or not.
        with suppress(BrokenPipeError):
            client.connection.request("POST", "/parrot/x", iter([b"a"]), encode_chunked=True)
        assert client.connection.getresponse().read().startswith(b'{"error": "Send a Content')


# --- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [(429, 429), ("429", 429), (500, 500), ("503", 503), ("unauthorized", 401), ("gone", 410)],
)
def test_a_scripted_status_is_worded_by_the_service(client, sandbox, kind, status):
    sandbox.fail("parrot", kind, count=1)
    found, headers, content = client.ask()
    assert (found, json.loads(content)) == (status, {"parrot": status})
    assert "retry-after" not in headers
    assert client.ask()[0] == 200


def test_a_scripted_status_can_say_when_to_come_back(client, sandbox):
    sandbox.fail("parrot", 429, count=1, retry_after=7)
    assert client.ask()[1]["retry-after"] == "7"


def test_a_fault_hits_as_many_requests_as_scripted(client, sandbox):
    sandbox.fail("parrot", 503, count=2)
    assert [client.ask()[0] for _ in range(4)] == [503, 503, 200, 200]


def test_a_fault_lasts_as_long_as_scripted(client, sandbox):
    sandbox.fail("parrot", 503, seconds=0.3)
    assert client.ask()[0] == 503
    time.sleep(0.32)
    assert client.ask()[0] == 200


def test_a_fault_hits_its_share_of_requests(client, sandbox):
    sandbox.fail("parrot", 503, probability=0.3)
    failed = sum(client.ask()[0] == 503 for _ in range(300))
    assert 50 < failed < 130


def test_a_fault_can_be_for_one_address_and_for_every_service(client, sandbox):
    sandbox.fail("*", 503, path="/slow")
    assert [client.ask(f"/parrot/{path}")[0] for path in ("slow/1", "fast")] == [503, 200]
    sandbox.lift()
    assert client.ask("/parrot/slow/1")[0] == 200


def test_a_fault_of_another_service_is_not_ours(client, sandbox):
    sandbox.fail("hive", 503)
    assert client.ask()[0] == 200


def test_a_slow_answer_is_an_answer(client, sandbox):
    sandbox.fail("parrot", "slow", delay_seconds=0.1, count=1)
    began = time.monotonic()
    assert client.ask()[0] == 200
    assert time.monotonic() - began >= 0.1
    assert sandbox.requests()[0].seconds >= 0.1


def test_a_reset_breaks_the_connection_at_once(client, sandbox):
    sandbox.fail("parrot", "reset", count=1)
    with pytest.raises(ConnectionResetError):
        client.ask()
    assert (sandbox.requests()[0].status, sandbox.requests()[0].fault) == (0, "reset")


def test_a_cut_off_answer_is_shorter_than_it_claims(client, sandbox):
    sandbox.fail("parrot", "cut_off", count=1)
    with pytest.raises(http.client.IncompleteRead):
        client.ask()


@pytest.mark.parametrize("kind", sorted(SPOILS))
def test_a_spoiled_answer_comes_with_status_200_and_is_not_the_good_one(client, sandbox, kind):
    sandbox.fail("parrot", kind, count=1, category="hate")
    status, _, content = client.ask()
    assert status == 200
    assert content != json.dumps(GOOD).encode()
    assert json.loads(client.ask()[2]) == GOOD


@pytest.mark.parametrize("kind", ["truncated", "empty", "html"])
def test_some_spoiled_answers_are_no_json(client, sandbox, kind):
    sandbox.fail("parrot", kind)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(client.ask()[2])


def test_a_missing_category_is_missing_by_name_and_as_an_element(client, sandbox):
    sandbox.fail("parrot", "missing_category", category="hate")
    assert json.loads(client.ask()[2]) == {"scores": {"spam": 0.2}, "found": [], "ok": True}


def test_wrong_types_are_texts_where_numbers_were(client, sandbox):
    sandbox.fail("parrot", "wrong_types")
    found = json.loads(client.ask()[2])
    assert found["scores"] == {"hate": "0.5", "spam": "0.2"}
    assert found["ok"] is True


def test_extra_fields_leave_the_rest_as_it_was(client, sandbox):
    sandbox.fail("parrot", "extra_fields")
    found = json.loads(client.ask()[2])
    assert found["scores"] == {**GOOD["scores"], "not_in_the_manual": {"new": True}}


@pytest.mark.parametrize("kind", ["nonsense", "missing_category", "200", "600"])
def test_a_fault_that_means_nothing_is_refused(kind):
    with pytest.raises(ValueError, match=r"no fault|which category"):
        Fault(kind)


# --- magic inputs ------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("after", ["", " and more text", "\n"])
def test_a_content_can_ask_for_its_fault_also_in_base64(client, before, after):
    mark = f"{before}[[fault=503]]{after}"
    assert client.ask(body={"text": mark})[0] == 503
    hidden = base64.b64encode(mark.encode()).decode()
    assert client.ask(body={"url": f"data:image/png;base64,{hidden}"})[0] == 503


def test_a_percent_encoded_content_can_ask_for_its_fault(client):
    assert client.ask(body=b"comment_content=so+%5B%5Bfault%3D503%5D%5D")[0] == 503
    assert client.ask("/parrot/judge?text=%5B%5Bfault%3D500%5D%5D", method="GET")[0] == 500


def test_a_mark_can_say_how(client):
    assert client.ask(body=b"[[fault=429:7]]")[1]["retry-after"] == "7"
    assert json.loads(client.ask(body=b"[[fault=missing_category:hate]]")[2])["found"] == []
    began = time.monotonic()
    client.ask(body=b"[[fault=slow:0.05]]")
    assert time.monotonic() - began >= 0.05


def test_a_mark_that_means_nothing_is_told(client):
    assert client.ask(body=b"[[fault=nonsense]]")[0] == 400
    assert client.ask(body=b"[[fault=slow:soon]]")[0] == 400


# --- rates and records -------------------------------------------------------------------------


def test_a_declared_rate_is_enforced_and_counted(client, sandbox):
    sandbox.limit_rate("parrot", per_second=0.5, burst=3)
    answers = [client.ask() for _ in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert answers[3][1]["retry-after"] == "2"
    assert sandbox.exceeded("parrot") == 2
    assert [seen.fault for seen in sandbox.requests()] == ["", "", "", "rate", "rate"]


def test_a_declared_rate_is_refilled(client, sandbox):
    sandbox.limit_rate("parrot", per_second=50, burst=1)
    assert client.ask()[0] == 200
    time.sleep(0.03)
    assert client.ask()[0] == 200
    assert sandbox.exceeded("parrot") == 0


def test_how_many_requests_ran_at_once_is_known(sandbox):
    sandbox.fail("parrot", "slow", delay_seconds=0.3)

    def ask() -> None:
        with Client(sandbox) as client:
            client.ask()

    with ThreadPoolExecutor(6) as pool:
        for _ in range(6):
            pool.submit(ask)
    assert sandbox.most_at_once("parrot") == 6


def test_records_are_bounded_and_counts_are_not(client, sandbox, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORDS", 5)
    for number in range(8):
        client.ask(body=str(number).encode())
    assert [seen.request.body for seen in sandbox.requests()] == [b"3", b"4", b"5", b"6", b"7"]
    assert sandbox.log.count("parrot") == 8
    monkeypatch.setattr(records, "MAX_RECORDED_BYTES", 10_000)
    client.ask(body=b"x" * 7_000)
    assert len(sandbox.requests()) == 1


def test_many_clients_at_once_are_answered(sandbox):
    def burn(_: int) -> int:
        with Client(sandbox) as client:
            return sum(client.ask()[0] == 200 for _ in range(50))

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(burn, range(16))) == 800
    # Above 3,000 a second on two cores that are free.
    assert 800 / (time.monotonic() - began) > 200
    assert sandbox.log.count("parrot") == 800


# --- callbacks ---------------------------------------------------------------------------------


@pytest.fixture
def calls(mailbox: HTTPServer) -> list[tuple[str, dict[str, object], str]]:
    """What arrived at the mailbox: path, body and signature, in order."""
    arrived: list[tuple[str, dict[str, object], str]] = []
    lock = threading.Lock()

    def take(request: Arrived) -> Response:
        with lock:
            arrived.append(
                (request.path, json.loads(request.data), request.headers.get("X-Signature", ""))
            )
        return Response(status=204)

    mailbox.clear()
    for job in ("1", "2"):
        mailbox.expect_request(f"/callbacks/token-{job}").respond_with_handler(take)
    return arrived


def order(client: Client, mailbox: HTTPServer, job: str = "1", **more: object) -> None:
    url = f"http://127.0.0.1:{mailbox.port}/callbacks/token-{job}"
    assert client.ask("/parrot/call", {"url": url, "job": job, **more})[0] == 200


def test_a_callback_is_sent_once(client, sandbox, mailbox, calls):
    order(client, mailbox)
    [sent] = sandbox.wait_for_callbacks("parrot")
    assert (sent.kind, sent.status, sent.error) == ("genuine", 204, "")
    [(path, body, _)] = calls
    assert (path, body["job"]) == ("/callbacks/token-1", "1")


def test_a_callback_waits_for_its_time_and_is_written_then(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0.3)
    began = time.time()
    order(client, mailbox)
    assert sandbox.callbacks() == []
    sandbox.wait_for_callbacks("parrot")
    assert calls[0][1]["at"] >= began + 0.29


def test_a_callback_can_come_twice_and_is_then_the_same(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0, twice=1)
    order(client, mailbox)
    sent = sandbox.wait_for_callbacks("parrot", 2)
    assert [one.kind for one in sent] == ["genuine", "repeat"]
    assert calls[0] == calls[1]


def test_a_callback_can_be_overtaken_by_the_next(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0.05, out_of_order=1)
    order(client, mailbox, "1")
    order(client, mailbox, "2")
    sandbox.wait_for_callbacks("parrot", 2)
    assert [body["job"] for _, body, _ in calls] == ["2", "1"]


def test_a_callback_that_nothing_overtakes_comes_late(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0, out_of_order=1)
    order(client, mailbox)
    time.sleep(0.1)
    assert calls == []
    sandbox.wait_for_callbacks("parrot", timeout_seconds=3)
    assert len(calls) == 1


def test_a_callback_may_never_come(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0, never=1)
    order(client, mailbox)
    with pytest.raises(TimeoutError, match="Only 0 callbacks"):
        sandbox.wait_for_callbacks("parrot", timeout_seconds=0.1)
    assert calls == []


def test_a_forged_callback_comes_before_the_genuine_one_with_a_wrong_signature(
    client, sandbox, mailbox, calls
):
    sandbox.script_callbacks("parrot", delay_seconds=0, forged=1)
    order(client, mailbox, signed="yes")
    sent = sandbox.wait_for_callbacks("parrot", 2)
    assert [one.kind for one in sent] == ["forged", "genuine"]
    assert calls[0][0] == calls[1][0]
    assert calls[0][2] != calls[1][2] == "t=1,v1=abcdef"


def test_a_forged_callback_without_a_signature_guesses_its_address(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0, forged=1)
    order(client, mailbox)
    forged, genuine = sandbox.wait_for_callbacks("parrot", 2)
    assert forged.outgoing.url.rpartition("/")[0] == genuine.outgoing.url.rpartition("/")[0]
    assert forged.outgoing.url != genuine.outgoing.url


def test_a_callback_can_be_old_or_about_nobodys_job(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0, old_timestamp=1)
    order(client, mailbox)
    sandbox.wait_for_callbacks("parrot", 1)
    sandbox.script_callbacks("parrot", delay_seconds=0, unknown_job=1)
    order(client, mailbox)
    sandbox.wait_for_callbacks("parrot", 2)
    old, unknown = (body for _, body, _ in calls)
    assert (old["job"], time.time() - old["at"] > 3600) == ("1", True)
    assert unknown["job"] != "1"
    assert abs(time.time() - unknown["at"]) < 60


def test_chances_are_drawn_for_each_callback(client, sandbox, mailbox, calls):
    sandbox.script_callbacks("parrot", delay_seconds=0, twice=0.3, never=0.1)
    for _ in range(200):
        order(client, mailbox)
    sandbox.script_callbacks("parrot", delay_seconds=0.3)
    order(client, mailbox, "2")
    while not any(sent.outgoing.url.endswith("2") for sent in sandbox.callbacks("parrot")):
        time.sleep(0.02)
    kinds = [sent.kind for sent in sandbox.callbacks("parrot")]
    assert 150 < kinds.count("genuine") < 197
    assert 30 < kinds.count("repeat") < 80


def test_a_mistake_in_making_a_callback_is_told_and_kept(client, sandbox, caplog):
    sandbox.script_callbacks("parrot", delay_seconds=0)
    client.ask("/parrot/call", {"job": "1"})
    with pytest.raises(TimeoutError):
        sandbox.wait_for_callbacks("parrot", timeout_seconds=0.2)
    assert [type(error) for error in sandbox.errors] == [KeyError]


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/callbacks/x",
        "http://forum.example/callbacks/x",
        "https://127.0.0.1/callbacks/x",
        "ftp://127.0.0.1/x",
    ],
)
def test_nobody_elsewhere_is_called_back(client, sandbox, url):
    sandbox.script_callbacks("parrot", delay_seconds=0)
    client.ask("/parrot/call", {"url": url, "job": "1"})
    [sent] = sandbox.wait_for_callbacks("parrot")
    assert (sent.status, sent.error.partition(":")[0]) == (0, "NotHere")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_only_loopback_is_here(host, here):
    assert is_loopback(host) == here


# --- the control endpoint ----------------------------------------------------------------------


def test_faults_are_scripted_listed_and_lifted_over_http(client):
    given = {"prefix": "parrot", "kind": 429, "count": 2, "retry_after": 3}
    assert client.ask("/_control/faults", given)[0] == 201
    status, headers, _ = client.ask()
    assert (status, headers["retry-after"]) == (429, "3")
    [listed] = json.loads(client.ask("/_control/faults", method="GET")[2])["faults"]
    assert (listed["prefix"], listed["kind"], listed["count"]) == ("parrot", "429", 1)
    assert client.ask("/_control/faults", method="DELETE")[0] == 204
    assert client.ask()[0] == 200


def test_callbacks_are_scripted_and_listed_over_http(client, sandbox, mailbox, calls):
    given = {"prefix": "parrot", "delay_seconds": 0, "twice": True}
    assert client.ask("/_control/callbacks", given)[0] == 201
    order(client, mailbox)
    sandbox.wait_for_callbacks("parrot", 2)
    listed = json.loads(client.ask("/_control/callbacks?prefix=parrot", method="GET")[2])
    assert [one["kind"] for one in listed["callbacks"]] == ["genuine", "repeat"]


def test_requests_and_exceeded_rates_are_read_over_http(client):
    given = {"prefix": "parrot", "per_second": 0.1, "burst": 1}
    assert client.ask("/_control/rate", given)[0] == 201
    client.ask(body=b"first")
    client.ask(body=b"second")
    found = json.loads(client.ask("/_control/requests?prefix=parrot", method="GET")[2])
    assert [(one["body"], one["status"]) for one in found["requests"]] == [
        ("first", 200),
        ("second", 429),
    ]
    assert found["exceeded"] == found["most_at_once"] == {"parrot": 1}
    assert found["counts"] == {"parrot": 2}


def test_a_reset_forgets_everything(client, sandbox):
    sandbox.limit_rate("parrot", per_second=1, burst=1)
    sandbox.fail("parrot", 503)
    client.ask()
    assert client.ask("/_control", method="DELETE")[0] == 204
    assert sandbox.requests() == []
    assert [client.ask()[0] for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/_control/faults", {"prefix": "parrot", "kind": "nonsense"}, 400),
        ("/_control/faults", {"kind": "503"}, 400),
        ("/_control/faults", {"prefix": "parrot", "kind": "503", "times": 2}, 400),
        ("/_control/faults", b"nonsense", 400),
        ("/_control/callbacks", {"prefix": "parrot", "sometimes": 1}, 400),
        ("/_control/rate", {"prefix": "parrot", "per_second": 0}, 400),
        ("/_control/nonsense", {}, 404),
    ],
)
def test_a_script_that_means_nothing_is_refused(client, path, body, status):
    found, _, content = client.ask(path, body)
    assert (found, list(json.loads(content))) == (status, ["error"])


def test_the_overview_names_every_service(client, sandbox):
    found = json.loads(client.ask("/_control", method="GET")[2])["services"]
    assert found["openai"] == f"{sandbox.base_url}/openai"
    assert list(found) == service_names()


# --- running it --------------------------------------------------------------------------------


def test_a_sandbox_ends_with_connections_still_open():
    before = set(threading.enumerate())
    with running_sandbox(make=make) as sandbox:
        client = Client(sandbox)
        client.ask()
        began = time.monotonic()
    assert time.monotonic() - began < 2
    client.connection.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(2)
        assert not thread.is_alive()


@pytest.mark.timeout(30)
def test_the_command_serves_until_it_is_interrupted():
    running = subprocess.Popen(
        [sys.executable, "manage.py", "providersim", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with running:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line)
            if line.startswith("Scripts"):
                break
        url = next(line.split()[1] for line in lines if line.startswith("openai "))
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=5)
        connection.request("POST", "/openai/v1/moderations", b"{}")
        assert connection.getresponse().status == 401
        running.send_signal(2)
        assert running.wait(10) == 0
        connection.close()
