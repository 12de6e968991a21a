"""A request with a key takes the short way, and loses nothing that it needs."""

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from moderation.api.views import posts
from tests.api.conftest import POSTS, Api, person
from tests.factories import make_key


@pytest.fixture
def key(community):
    return make_key(community)[1]


def test_it_neither_reads_nor_sets_a_cookie(key):
    answer = Api(key).send("POST", POSTS, person())
    assert answer.status_code == 202
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


def test_it_keeps_the_headers_that_protect(key):
    answer = Api(key).send("POST", POSTS, person())
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "no-store"
    assert int(answer["Content-Length"]) == len(answer.content)


def test_it_goes_by_tls_where_all_do(key, settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = Api(key).get(f"{POSTS}?author=bo")
    assert answer.status_code == 301
    assert answer["Location"].startswith("https://")


def test_a_host_that_is_not_ours_is_refused(key):
    assert (
        Api(key).get(f"{POSTS}?author=bo", headers={"host": "elsewhere.example"}).status_code == 400
    )


def test_pages_of_the_api_work_with_a_key_too(key):
    assert Api(key).get("/api/v1/docs").status_code == 200


def test_a_key_opens_no_page_beside_the_api(key, db):
    answer = Client(headers={"authorization": f"Bearer {key}"}).get("/accounts/login/")
    assert answer.status_code == 200
    assert "csrftoken" in answer.cookies


def test_a_crash_is_a_500_that_is_logged(key, monkeypatch, caplog):
    def crash(call):
        raise ZeroDivisionError

    monkeypatch.setattr(posts, "submit", crash)
    client = Api(key)
    client.raise_request_exception = False
    assert client.send("POST", POSTS, person()).status_code == 500
    assert f"Internal Server Error: {POSTS}" in caplog.text


@pytest.mark.django_db(transaction=True)
async def test_it_is_the_same_under_an_asynchronous_server(key):
    client, headers = AsyncClient(), {"authorization": f"Bearer {key}"}
    answer = await client.post(POSTS, person(), content_type="application/json", headers=headers)
    assert answer.status_code == 202
    read = await client.get(answer["Location"], headers=headers)
    assert read.json()["body"] == "The tomatoes are finally ripe."
    page = await client.get("/accounts/login/")
    assert page.status_code == 200
    # The views ran in a thread of their own, whose connection nobody else would close.
    await sync_to_async(connections.close_all)()
