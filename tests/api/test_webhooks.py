"""Webhooks by program: set up, tested, watched and replayed with a key."""

import pytest

from moderation import webhooks
from moderation.models import AuditEvent, Endpoint, OutboxMessage
from moderation.queries import database_now
from moderation.vocabulary import EndpointKind
from tests.api.conftest import POSTS, Api, person
from tests.api.test_documents import DOCUMENT, conforms
from tests.api.test_posts import code_of, fields_of
from tests.delivery.conftest import _running_receiver, receiver
from tests.delivery.helpers import deliver, verify
from tests.delivery.receiver import Answer
from tests.factories import CommunityFactory, make_key

__all__ = ["_running_receiver", "receiver"]

HOOKS = "/api/v1/webhooks"


@pytest.fixture
def managing(community):
    return Api(make_key(community, ["admin", "submit"])[1])


@pytest.fixture
def document(anonymous):
    return anonymous.get(DOCUMENT).json()


@pytest.fixture
def made(managing, receiver):
    """Return what was answered when a webhook was set up."""
    answer = managing.send("POST", HOOKS, {"name": "Ours", "url": receiver.url()})
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def path(made):
    return f"{HOOKS}/{made['id']}"


def test_a_webhook_that_was_set_up_is_told_and_signs_with_the_secret_that_was_told_once(
    managing, receiver, made, path, document
):
    post = managing.send("POST", POSTS, person()).json()["id"]
    deliver()
    (sent,) = receiver.sent
    assert verify(sent, made["secret"])["data"]["id"] == post
    for address in (HOOKS, path):
        answer = managing.get(address)
        conforms(document, answer, "list_webhooks" if address == HOOKS else "get_webhook")
        assert made["secret"] not in answer.content.decode()


def test_the_log_tells_what_was_sent_and_answered(managing, receiver, path, document):
    receiver.answer(Answer(500))
    managing.send("POST", POSTS, person())
    deliver()
    listed = managing.get(f"{path}/deliveries?state=due")
    conforms(document, listed, "list_deliveries")
    (delivery,) = listed.json()["results"]
    assert (delivery["type"], delivery["attempts"]) == ("post.submitted", 1)
    answer = managing.get(f"{path}/deliveries/{delivery['id']}")
    conforms(document, answer, "get_delivery")
    (attempt,) = answer.json()["tries"]
    assert attempt["status"] == 500
    assert attempt["request"]["headers"]["webhook-id"] == delivery["id"]
    assert managing.get(f"{path}/deliveries?state=delivered").json()["results"] == []
    assert fields_of(managing.get(f"{path}/deliveries?state=lost")) == ["state"]


def test_one_message_or_all_of_a_time_can_be_sent_again(managing, receiver, path, document):
    begin = database_now().isoformat()
    managing.send("POST", POSTS, person())
    deliver()
    (message,) = managing.get(f"{path}/deliveries").json()["results"]
    again = managing.send("POST", f"{path}/deliveries/{message['id']}/replay")
    conforms(document, again, "replay_delivery")
    deliver()
    time = {"since": begin, "until": "2100-01-01T00:00:00Z"}
    none = managing.send("POST", f"{path}/replay", time)
    conforms(document, none, "replay_deliveries")
    assert none.json() == {"messages": 0}
    all_ = managing.send("POST", f"{path}/replay", {**time, "with_delivered": True})
    assert all_.json() == {"messages": 1}
    deliver()
    assert [sent.headers["webhook-id"] for sent in receiver.sent] == [message["id"]] * 3


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["since", "until"]),
        ({"since": "yesterday", "until": "2026-03-01T09:00:00Z"}, ["since"]),
        ({"since": "2026-03-01T09:00:00Z", "until": "2026-03-01T09:00:00Z"}, ["until"]),
    ],
)
def test_a_time_that_is_none_is_refused(managing, path, body, fields):
    assert fields_of(managing.send("POST", f"{path}/replay", body)) == fields


def test_a_test_arrives(managing, receiver, path, document):
    answer = managing.send("POST", f"{path}/ping")
    conforms(document, answer, "ping_webhook")
    deliver()
    assert receiver.sent[0].headers["webhook-id"] == answer.json()["id"]
    assert OutboxMessage.objects.get().state == "delivered"


def test_a_change_keeps_what_it_does_not_name(managing, made, path, document):
    answer = managing.send("PATCH", path, {"event_types": ["post.*"]})
    conforms(document, answer, "change_webhook")
    changed = answer.json()
    assert changed["event_types"] == ["post.*"]
    assert (changed["name"], changed["url"]) == (made["name"], made["url"])
    assert managing.send("PATCH", path, {}).json() == changed


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "url"]),
        ({"name": "Ours", "url": "http://example.org/"}, ["url"]),
        ({"name": "Ours", "url": "https://127.0.0.1/"}, ["url"]),
        ({"name": "Ours", "url": "https://example.org/", "event_types": ["no"]}, ["event_types"]),
        ({"name": "Ours", "url": "https://example.org/", "event_types": [7]}, ["event_types"]),
        ({"name": 7, "url": []}, ["name", "url"]),
    ],
)
def test_what_is_wrong_with_a_webhook_is_named(managing, body, fields):
    assert fields_of(managing.send("POST", HOOKS, body)) == fields
    assert not Endpoint.objects.exists()


def test_a_secret_is_replaced_and_the_old_one_signs_on(managing, receiver, made, path, document):
    answer = managing.send("POST", f"{path}/rotate")
    conforms(document, answer, "rotate_webhook_secret")
    managing.send("POST", POSTS, person())
    deliver()
    for secret in (made["secret"], answer.json()["secret"]):
        assert verify(receiver.sent[0], secret)


def test_a_disabled_webhook_is_told_nothing_until_it_is_enabled(managing, receiver, path, document):
    off = managing.send("POST", f"{path}/disable")
    conforms(document, off, "disable_webhook")
    assert (off.json()["active"], off.json()["disabled_because"]) == (False, "person")
    managing.send("POST", POSTS, person())
    deliver()
    assert code_of(managing.send("POST", f"{path}/ping")) == "conflict"
    assert managing.send("POST", f"{path}/enable").json()["active"]
    managing.send("POST", POSTS, person())
    deliver()
    assert len(receiver.sent) == 1


def test_a_webhook_is_removed_once_it_has_rested(managing, path, document):
    conforms(document, managing.send("DELETE", path), "remove_webhook")
    managing.send("POST", f"{path}/disable")
    long_ago = database_now().replace(year=2020)
    Endpoint.objects.update(disabled_at=long_ago)
    assert managing.send("DELETE", path).status_code == 204
    assert managing.get(path).status_code == 404


def test_the_record_names_the_key(managing, made):
    (event,) = AuditEvent.objects.filter(kind="endpoint.added")
    assert event.actor_kind == "api_key"
    assert made["url"] not in str(event.facts)


def test_an_organisations_key_names_the_community(community):
    CommunityFactory.create(slug="sister", organisation=community.organisation)
    of_all = Api(make_key(community.organisation, ["admin"])[1])
    wanted = {"name": "Ours", "url": "https://example.org/"}
    assert fields_of(of_all.send("POST", HOOKS, wanted)) == ["community"]
    for slug in ("garden", "sister"):
        assert of_all.send("POST", HOOKS, {**wanted, "community": slug}).status_code == 201
    pages = of_all.get(f"{HOOKS}?limit=1").json()
    assert [one["community"] for one in pages["results"]] == ["sister"]
    assert of_all.get(pages["next"]).json()["results"][0]["community"] == "garden"


def test_endpoints_that_are_no_webhooks_are_not_seen_here(managing, community):
    mail, _ = webhooks.add_endpoint(
        community=community,
        kind=EndpointKind.EMAIL,
        wanted=webhooks.SetUp(name="Mail"),
        user=None,
    )
    assert managing.get(HOOKS).json()["results"] == []
    for address in (f"{HOOKS}/{mail.pk}", f"{HOOKS}/0x1", f"{HOOKS}/99999999999"):
        assert managing.get(address).status_code == 404
