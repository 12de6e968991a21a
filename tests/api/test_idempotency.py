"""A request that is repeated with its Idempotency-Key is answered again, and done once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections

from moderation.api.views import posts as view
from moderation.models import IdempotencyRecord, Post
from tests.api.conftest import POSTS, Api, person
from tests.api.test_posts import GIF, code_of, fields_of
from tests.factories import CommunityFactory, make_key

BULK = f"{POSTS}/bulk"


def test_a_repeated_request_gets_the_first_answer_again(keyed):
    first = keyed.send("POST", POSTS, person(), idempotency_key="k1")
    again = keyed.send("POST", POSTS, person(), idempotency_key="k1")
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again["Location"] == first["Location"]
    assert Post.objects.count() == 1


def test_a_repeated_bulk_request_gets_the_first_answer_again(keyed):
    sent = {"posts": [person("a"), {"text": "Whose?"}, person("b")]}
    first = keyed.send("POST", BULK, sent, idempotency_key="k1")
    again = keyed.send("POST", BULK, sent, idempotency_key="k1")
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert Post.objects.count() == 2


def test_a_bulk_request_of_which_nothing_was_accepted_is_replayed_as_the_problem_it_was(keyed):
    sent = {"posts": [{"text": "Whose?"}, 7]}
    first = keyed.send("POST", BULK, sent, idempotency_key="k1")
    again = keyed.send("POST", BULK, sent, idempotency_key="k1")
    assert again["Idempotent-Replayed"] == "true"
    assert code_of(again) == code_of(first) == "all_refused"


@pytest.mark.parametrize("other", [person(text="Another."), person("cy"), [], person(title="New")])
def test_a_key_does_not_fit_another_payload(keyed, other):
    keyed.send("POST", POSTS, person(), idempotency_key="k1")
    answer = keyed.send("POST", POSTS, other, idempotency_key="k1")
    if other:
        assert (answer.status_code, code_of(answer)) == (422, "idempotency_mismatch")
    else:
        assert answer.status_code == 400  # what cannot be read is not compared
    assert Post.objects.count() == 1


def test_a_key_does_not_fit_another_address(keyed):
    keyed.send("POST", POSTS, {"posts": [person()], **person()}, idempotency_key="k1")
    answer = keyed.send("POST", BULK, {"posts": [person()], **person()}, idempotency_key="k1")
    assert code_of(answer) == "idempotency_mismatch"


def test_a_key_is_private_to_its_client(keyed, community, bo):
    sent = person(community="garden")
    others = [
        Api(make_key(community)[1]),
        Api(make_key(CommunityFactory.create(slug="orchard").organisation)[1]),
        bo,
    ]
    ids = [keyed.send("POST", POSTS, sent, idempotency_key="k1").json()["id"]]
    ids.append(others[0].send("POST", POSTS, sent, idempotency_key="k1").json()["id"])
    sent_elsewhere = person(community="orchard")
    ids.append(others[1].send("POST", POSTS, sent_elsewhere, idempotency_key="k1").json()["id"])
    ids.append(others[2].send("POST", POSTS, sent, idempotency_key="k1").json()["id"])
    assert len(set(ids)) == 4


def test_a_form_is_recognised_though_its_boundary_changes(keyed):
    def send(data, boundary):
        raw = b"".join(
            b"--%s\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
            % (boundary, name, value)
            for name, value in [
                (b'"author_id"', b"bo"),
                (b'"text"', b"Look."),
                (b'"media"; filename="a.gif"', data),
            ]
        )
        content_type = f"multipart/form-data; boundary={boundary.decode()}"
        return keyed.send(
            "POST",
            POSTS,
            raw + b"--%s--\r\n" % boundary,
            content_type=content_type,
            idempotency_key="k1",
        )

    first, again = send(GIF, b"one"), send(GIF, b"two")
    assert first.status_code == 202, first.content
    assert again.json() == first.json()
    assert Post.objects.get().media.get().sha256
    assert code_of(send(GIF + b"\0", b"three")) == "idempotency_mismatch"


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\tb"])
def test_a_key_that_is_none_is_refused(keyed, key):
    answer = keyed.send("POST", POSTS, person(), idempotency_key=key)
    assert fields_of(answer) == ["Idempotency-Key"]
    assert not Post.objects.exists()


def test_a_key_of_full_length_is_taken(keyed):
    answer = keyed.send("POST", POSTS, person(), idempotency_key="x" * 255)
    assert answer.status_code == 202


def test_a_refused_post_leaves_the_key_free(keyed):
    assert keyed.send("POST", POSTS, person(text=" "), idempotency_key="k1").status_code == 400
    assert keyed.send("POST", POSTS, person(), idempotency_key="k1").status_code == 202


def test_an_upload_with_a_key_keeps_its_bytes(keyed):
    form = {"author_id": "bo", "text": "Look.", "media": [SimpleUploadedFile("a.gif", GIF)]}
    answer = keyed.post(POSTS, form, headers={"idempotency-key": "k1"})
    item = Post.objects.get(pk=answer.json()["id"]).media.get()
    with item.incoming.open("rb") as kept:
        assert kept.read() == GIF


@pytest.mark.django_db(transaction=True)
def test_many_at_once_with_one_key_store_one_post(community):
    _, text = make_key(community)
    start = threading.Barrier(8)

    def send(_):
        start.wait()
        try:
            return Api(text).send("POST", POSTS, person(), idempotency_key="k1")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    others = [answer for answer in answers if answer.status_code != 202]
    assert len(set(accepted)) == 1
    assert {code_of(answer) for answer in others} <= {"idempotency_running"}
    assert (Post.objects.count(), IdempotencyRecord.objects.count()) == (1, 1)
    again = Api(text).send("POST", POSTS, person(), idempotency_key="k1")
    assert again.json()["id"] == accepted[0]


@pytest.mark.django_db(transaction=True)
def test_a_second_request_while_the_first_runs_is_told_to_wait(community, monkeypatch):
    _, text = make_key(community)
    running, go_on = threading.Event(), threading.Event()
    answer_one = view._answer_one

    def answer_slowly(results):
        running.set()
        assert go_on.wait(10)
        return answer_one(results)

    def send():
        try:
            return Api(text).send("POST", POSTS, person(), idempotency_key="k1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(view, "_answer_one", answer_slowly)
            first = pool.submit(send)
            assert running.wait(10)
        second = pool.submit(send).result(10)
        go_on.set()
        assert first.result(10).status_code == 202
    assert (second.status_code, code_of(second)) == (409, "idempotency_running")
    assert second["Retry-After"] == "1"
    assert Post.objects.count() == 1
