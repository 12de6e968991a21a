"""What a client knows already is not sent again; what is going to end says so."""

from datetime import UTC, datetime

import pytest

from moderation.api.deprecation import Deprecation
from moderation.api.views.posts import GetStatus, OnePost
from moderation.models import Post
from moderation.vocabulary import Status
from tests.api.conftest import POSTS, Api, person
from tests.factories import make_key

LISTS = ["/api/v1/communities", "/api/v1/communities/garden/policies", "/api/v1/usage", POSTS]


@pytest.fixture
def client(community):
    return Api(make_key(community, ["submit", "read", "admin"])[1])


@pytest.fixture
def path(client):
    return client.send("POST", POSTS, person())["Location"]


def known(client, address, etag):
    return client.get(address, headers={"if-none-match": etag})


def test_a_post_that_is_known_is_not_sent_again(client, path):
    for address in (path, f"{path}/status", f"{path}/decisions"):
        first = client.get(address)
        again = known(client, address, first["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
        assert again["Cache-Control"] == "no-store"
        assert "Content-Type" not in again
        assert known(client, address, f'"other", W/{first["ETag"]}').status_code == 304
        assert known(client, address, '"other"').status_code == 200


def test_a_verdict_changes_the_tag_though_the_revision_stays(client, path):
    etag = client.get(f"{path}/status")["ETag"]
    Post.objects.update(status=Status.APPROVED)
    answer = known(client, f"{path}/status", etag)
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    assert answer["ETag"].startswith('"1-')


def test_a_tag_that_was_read_serves_for_an_edit_though_a_verdict_came(client, path):
    etag = client.get(path)["ETag"]
    Post.objects.update(status=Status.APPROVED)
    assert client.send("PATCH", path, {"body": "Riper."}, if_match=etag).status_code == 202
    assert client.send("PATCH", path, {"body": "Ripest."}, if_match=etag).status_code == 412


@pytest.mark.parametrize("address", LISTS)
def test_lists_have_a_tag_of_what_they_hold(client, address):
    first = client.get(address)
    again = known(client, address, first["ETag"])
    assert again.status_code == 304
    assert again.get("RateLimit") == first.get("RateLimit") or again["RateLimit"]


def test_what_changed_is_sent_again(client, path):
    etag = client.get(POSTS)["ETag"]
    client.send("POST", POSTS, person(text="Another."))
    assert len(known(client, POSTS, etag).json()["results"]) == 2


def test_the_openapi_document_has_a_tag_too(anonymous):
    address = "/api/v1/openapi.json"
    assert known(anonymous, address, anonymous.get(address)["ETag"]).status_code == 304


def test_a_writing_answer_is_always_sent(client, path):
    etag = client.get(path)["ETag"]
    answer = client.send("PATCH", path, {"body": "Riper."}, if_none_match="*")
    assert answer.status_code == 202
    assert answer["ETag"] != etag


# What is going to end


def test_an_act_that_is_going_to_end_says_since_when_until_when_and_where_to_read(
    client, path, monkeypatch
):
    ending = Deprecation(
        since=datetime(2027, 1, 1, tzinfo=UTC),
        ends=datetime(2028, 1, 1, tzinfo=UTC),
        explained_at="/docs/api#deprecation",
    )
    monkeypatch.setattr(GetStatus, "deprecation", ending)
    answer = client.get(f"{path}/status")
    assert answer["Deprecation"] == "@1798761600"
    assert answer["Sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert answer["Link"] == '</docs/api#deprecation>; rel="deprecation"; type="text/html"'
    assert "Deprecation" not in client.get(path)
    assert OnePost.deprecation is None
