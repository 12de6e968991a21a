"""Whoever prefers to wait is answered when the post has its verdict, and nobody waits for ever."""

import threading
import time

import pytest
from django.db import connection

from moderation.api import waiting
from moderation.api.views import posts as posts_view
from moderation.api.waiting import MOST_WAITING, Places
from moderation.models import Post
from tests.api.conftest import POSTS, Api, person
from tests.factories import CommunityFactory, PostFactory, make_key
from tests.pipeline.helpers import drain_all


@pytest.fixture
def pending(keyed):
    return keyed.send("POST", POSTS, person())["Location"]


@pytest.fixture
def looks(monkeypatch):
    """Count the pauses between two looks, and take no time over them."""
    slept = []
    clock = [0.0]

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(waiting, "sleep", sleep)
    monkeypatch.setattr(waiting, "monotonic", lambda: clock[0])
    return slept


def test_who_does_not_wait_is_answered_at_once(keyed, pending, looks):
    answer = keyed.get(f"{pending}/status")
    assert (answer.json()["status"], looks) == ("pending", [])
    assert "Preference-Applied" not in answer
    assert "Retry-After" not in answer


@pytest.mark.parametrize("address", ["{}", "{}/status"])
def test_the_answer_comes_with_the_verdict(keyed, pending, monkeypatch, address):
    monkeypatch.setattr(waiting, "sleep", lambda seconds: drain_all())
    answer = keyed.send("GET", address.format(pending), prefer="wait=5")
    assert answer.json()["status"] == "approved"
    assert answer["Preference-Applied"] == "wait=5"
    assert "Retry-After" not in answer


def test_after_that_the_status_is_told_as_it_is(keyed, pending, looks):
    answer = keyed.send("GET", f"{pending}/status", prefer="wait=2")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert (answer["Preference-Applied"], answer["Retry-After"]) == ("wait=2", "1")
    assert sum(looks) == pytest.approx(2)
    assert min(looks) >= 0.25


def test_what_has_its_verdict_is_not_waited_for(keyed, pending, looks):
    drain_all()
    answer = keyed.send("GET", f"{pending}/status", prefer="wait=9")
    assert (answer["Preference-Applied"], looks) == ("wait=9", [])


def test_nobody_waits_longer_than_half_a_minute(keyed, pending, looks):
    answer = keyed.send("GET", f"{pending}/status", prefer="wait=99999")
    assert answer["Preference-Applied"] == "wait=30"
    assert sum(looks) == pytest.approx(30)


@pytest.mark.parametrize(
    "header",
    [
        *("", "wait", "wait=", "wait=-1", "wait=0", "wait=1.5", "wait=soon", "wait=\u0663"),
        *("return=minimal", "respond-async", ",,;=", "await=5", "x" * 5000, "wait=" + "9" * 40),
    ],
)
def test_an_odd_preference_is_ignored(keyed, pending, looks, header):
    answer = keyed.send("GET", f"{pending}/status", prefer=header)
    assert (answer.status_code, looks) == (200, [])
    assert "Preference-Applied" not in answer


@pytest.mark.parametrize("header", ["respond-async, wait=1", 'WAIT="1"', "wait=1; foo=bar"])
def test_a_preference_is_found_among_others(keyed, pending, looks, header):
    answer = keyed.send("GET", f"{pending}/status", prefer=header)
    assert answer["Preference-Applied"] == "wait=1"


def test_only_so_many_wait_and_the_others_are_answered(keyed, pending, looks, monkeypatch):
    full = Places(MOST_WAITING)
    monkeypatch.setattr(waiting, "waiting_places", full)
    assert all(full.take() for _ in range(MOST_WAITING))
    answer = keyed.send("GET", f"{pending}/status", prefer="wait=5")
    assert (answer.json()["status"], looks) == ("pending", [])
    assert "Preference-Applied" not in answer
    assert answer["Retry-After"] == "1"
    full.give_back()
    again = keyed.send("GET", f"{pending}/status", prefer="wait=1")
    assert again["Preference-Applied"] == "wait=1"


def test_a_place_is_given_back_whatever_happens():
    places = Places(1)

    def fail():
        with places.one() as found:
            assert found
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()


def test_a_post_that_is_deleted_meanwhile_is_gone(keyed, pending, monkeypatch):
    monkeypatch.setattr(waiting, "sleep", lambda _: keyed.send("DELETE", pending))
    answer = keyed.send("GET", f"{pending}/status", prefer="wait=5")
    assert answer.status_code == 404


def test_a_strangers_post_is_not_waited_for(db, pending, looks):
    foreign = Api(make_key(CommunityFactory.create(slug="orchard"))[1])
    answer = foreign.send("GET", f"{pending}/status", prefer="wait=5")
    assert (answer.status_code, looks) == (404, [])


@pytest.mark.django_db(transaction=True)
def test_who_waits_holds_no_connection(monkeypatch):
    post = PostFactory.create(status="pending")
    keyed = Api(make_key(post.community)[1])
    open_while_waiting = []

    def sleep(seconds):
        open_while_waiting.append(connection.connection is not None)
        Post.objects.filter(pk=post.pk).update(status="approved")

    monkeypatch.setattr(waiting, "sleep", sleep)
    answer = keyed.send("GET", f"{POSTS}/{post.pk}/status", prefer="wait=5")
    assert answer.json()["status"] == "approved"
    assert open_while_waiting == [False]


@pytest.mark.django_db(transaction=True)
def test_a_verdict_in_another_process_ends_the_wait(monkeypatch):
    post = PostFactory.create(status="pending")
    keyed = Api(make_key(post.community)[1])
    looked = threading.Event()
    finds = posts_view._find_settled

    def told(*args):
        looked.set()
        return finds(*args)

    monkeypatch.setattr(posts_view, "_find_settled", told)

    def decide():
        looked.wait(5)
        Post.objects.filter(pk=post.pk).update(status="in_review")
        connection.close()

    other = threading.Thread(target=decide)
    other.start()
    began = time.monotonic()
    answer = keyed.send("GET", f"{POSTS}/{post.pk}/status", prefer="wait=10")
    other.join()
    assert answer.json()["status"] == "in_review"
    assert time.monotonic() - began < 5
