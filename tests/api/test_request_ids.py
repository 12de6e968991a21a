"""Every request has an id, which its answer, its problem and its log lines carry."""

import logging
import re

import pytest
import structlog
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from moderation.api.views import posts
from tests.api.conftest import POSTS, Api, person
from tests.factories import make_key

OURS = re.compile(r"req_[0-9a-f]{24}")
THEIRS = "order-7:retry=2"


@pytest.fixture
def key(community):
    return make_key(community)[1]


@pytest.mark.parametrize("address", [POSTS, "/health", "/accounts/login/", "/api/nowhere", "/"])
def test_every_answer_has_an_id_and_no_two_have_the_same(key, address):
    for client in (Api(key), Api()):
        first, second = (client.get(address)["X-Request-ID"] for _ in range(2))
        assert OURS.fullmatch(first)
        assert first != second


def test_a_clients_own_id_is_kept(key):
    for client in (Api(key), Api()):
        assert client.get(POSTS, headers={"x-request-id": THEIRS})["X-Request-ID"] == THEIRS


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, 'a"b', "a\x1b[31m", "é", "{}"])
def test_an_id_that_could_do_harm_is_replaced(key, sent):
    for client in (Api(key), Api()):
        assert OURS.fullmatch(client.get(POSTS, headers={"x-request-id": sent})["X-Request-ID"])


def test_a_problem_names_the_request(key):
    for answer in (Api(key).send("POST", POSTS, {}), Api().send("POST", POSTS, {})):
        assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.fixture
def logged():
    """Return what is logged of requests: the line, and the request that it names."""
    found = []

    class Keep(logging.Handler):
        def emit(self, record):
            named = structlog.contextvars.get_contextvars().get("request_id")
            found.append((record.getMessage(), named))

    handler = Keep()
    logging.getLogger("django.request").addHandler(handler)
    yield found
    logging.getLogger("django.request").removeHandler(handler)


def test_a_crash_is_logged_under_the_id_that_the_client_got(key, monkeypatch, logged):
    def crash(call):
        raise ZeroDivisionError

    monkeypatch.setattr(posts, "submit", crash)
    client = Api(key)
    client.raise_request_exception = False
    answer = client.send("POST", POSTS, person(), x_request_id=THEIRS)
    assert (answer.status_code, answer["X-Request-ID"]) == (500, THEIRS)
    assert logged == [(f"Internal Server Error: {POSTS}", THEIRS)]


def test_a_refusal_is_logged_under_it_too(key, logged):
    for name in ("first", "second"):
        Api(key).send("POST", POSTS, {}, x_request_id=name)
    assert logged == [(f"Bad Request: {POSTS}", "first"), (f"Bad Request: {POSTS}", "second")]


def test_dialects_say_it_where_their_clients_look(community):
    key = make_key(community, ["check"])[1]
    answer = Api(key).send("POST", "/v1/moderations", {"input": "Ripe."}, x_request_id=THEIRS)
    assert (answer.status_code, answer["x-request-id"]) == (200, THEIRS)


def test_pages_have_one_too(db):
    assert OURS.fullmatch(Client().get("/")["X-Request-ID"])


@pytest.mark.django_db(transaction=True)
async def test_it_is_the_same_under_an_asynchronous_server(key):
    headers = {"authorization": f"Bearer {key}", "x-request-id": THEIRS}
    for address in (POSTS, "/accounts/login/"):
        answer = await AsyncClient().get(address, headers=headers)
        assert answer["X-Request-ID"] == THEIRS
    await sync_to_async(connections.close_all)()
