"""Webhooks as their receivers see them: by Standard Webhooks 1.0, believed by its own library."""

from __future__ import annotations

import base64
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from moderation import webhooks
from moderation.delivery import webhook
from moderation.models import Community, Endpoint, OutboxMessage
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.vocabulary import DeliveryState
from tests.delivery.helpers import deliver, secret_of, verify
from tests.delivery.receiver import Receiver
from tests.pipeline.helpers import THREAT, drain_all, send

pytestmark = pytest.mark.django_db

# The standard's own example, as its libraries test themselves with it.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def rejected(community: Community, **facts: object) -> Event:
    return Event(
        kind="post.rejected",
        subject_kind="post",
        subject_id="01a1f833-5ffa-7d45-ba3a-1a7d23705b41",
        actor=MACHINE,
        community_id=community.pk,
        revision=2,
        facts={"status": "rejected", "visibility": "hidden", "submission": 7, **facts},
    )


def test_each_step_of_a_post_arrives_and_is_believed(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    [post] = send(garden, THREAT)
    drain_all()
    deliver()
    told = [verify(one, secret_of(endpoint)) for one in receiver.sent]
    assert [one["type"] for one in told] == ["post.submitted", "post.rejected"]
    assert {one["data"]["id"] for one in told} == {str(post.pk)}
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {DeliveryState.DELIVERED}


# The signature


def test_a_signature_is_that_of_the_standard() -> None:
    made = webhook.sign(SECRET, message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY)
    assert made == SIGNATURE


def test_a_secret_has_the_form_and_the_length_of_the_standard() -> None:
    made = {webhook.new_secret() for _ in range(20)}
    assert len(made) == 20
    for secret in made:
        prefix, _, coded = secret.partition("_")
        assert prefix == "whsec"
        assert 24 <= len(base64.b64decode(coded)) <= 64


def test_a_request_carries_what_the_standard_asks_for(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    before = int(time.time())
    record_events([rejected(garden)])
    deliver()
    [sent] = receiver.sent
    assert sent.method == "POST"
    assert sent.headers["content-type"] == "application/json"
    assert "." not in sent.id
    assert before <= int(sent.headers["webhook-timestamp"]) <= time.time()
    assert sent.headers["webhook-signature"].count("v1,") == 1


def test_another_secret_or_body_is_not_believed(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    record_events([rejected(garden)])
    deliver()
    [sent] = receiver.sent
    with pytest.raises(WebhookVerificationError):
        verify(sent, webhook.new_secret())
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(endpoint)).verify(sent.body + b" ", dict(sent.headers))


def test_while_a_secret_is_replaced_both_are_believed(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    old = secret_of(endpoint)
    _, new = webhooks.rotate_secret(endpoint_id=endpoint.pk, user=None)
    record_events([rejected(garden)])
    deliver()
    [sent] = receiver.sent
    assert sent.headers["webhook-signature"].count("v1,") == 2
    assert verify(sent, new) == verify(sent, old)


def test_after_a_day_the_old_secret_signs_no_more(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    old = secret_of(endpoint)
    _, new = webhooks.rotate_secret(endpoint_id=endpoint.pk, user=None)
    rotated = Endpoint.objects.get(pk=endpoint.pk).previous_secret_until
    assert rotated is not None
    Endpoint.objects.update(previous_secret_until=Now() - timedelta(seconds=1))
    record_events([rejected(garden)])
    deliver()
    [sent] = receiver.sent
    assert sent.headers["webhook-signature"].count("v1,") == 1
    verify(sent, new)
    with pytest.raises(WebhookVerificationError):
        verify(sent, old)


def test_nothing_goes_out_unsigned(
    garden: Community, endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.SECRET_KEY = "another-key-that-did-not-encrypt-it-0123456789-abcdefghij"
    record_events([rejected(garden)])
    deliver()
    message = OutboxMessage.objects.get()
    assert receiver.sent == []
    assert (message.state, message.last_error) == (DeliveryState.DUE, webhook.SECRET_LOST)


def test_the_database_does_not_hold_a_secret_in_clear(endpoint: Endpoint) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM moderation_endpoint")
        [[stored]] = cursor.fetchall()
    assert secret_of(endpoint).removeprefix(webhook.PREFIX) not in stored


# The payload


def test_a_payload_has_the_form_of_the_standard(
    garden: Community, endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    settings.MODERATION = {
        **settings.MODERATION,
        "public_url": "https://garden.example",
        "post_page": "https://garden.example/p/{post}/",
    }
    Community.objects.update(open_to_site_users=True)
    [event] = record_events([rejected(garden, category="threat", score=0.97, term="potato")])
    deliver()
    [sent] = receiver.sent
    assert sent.json == {
        "type": "post.rejected",
        "timestamp": event.happened_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": {
            "community": "garden",
            "subject": "post",
            "id": "01a1f833-5ffa-7d45-ba3a-1a7d23705b41",
            "reference": None,
            "sequence": 1,
            "revision": 2,
            "status": "rejected",
            "visibility": "hidden",
            "actor": "machine",
            "facts": {"category": "threat", "score": 0.97},
            "links": {
                "post": "https://garden.example/api/v1/posts/01a1f833-5ffa-7d45-ba3a-1a7d23705b41",
                "page": "https://garden.example/p/01a1f833-5ffa-7d45-ba3a-1a7d23705b41/",
            },
        },
    }


def test_a_client_that_shows_posts_itself_is_given_no_page_of_ours(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    record_events([rejected(garden)])
    deliver()
    assert set(receiver.sent[0].json["data"]["links"]) == {"post"}


def test_a_payload_holds_no_word_of_a_person(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    send(garden, f"{THREAT} xyzzy", writer="wendy-the-writer", title="Plugh")
    drain_all()
    deliver()
    said = b"".join(sent.body for sent in receiver.sent)
    assert len(receiver.sent) == 2
    for word in (b"xyzzy", b"Plugh", b"wendy"):
        assert word not in said


def test_a_payload_stays_small(garden: Community, endpoint: Endpoint, receiver: Receiver) -> None:
    record_events([rejected(garden, not_judged=[f"media:{number:036}" for number in range(600)])])
    deliver()
    [sent] = receiver.sent
    assert len(sent.body) < webhook.MAX_PAYLOAD_BYTES
    assert sent.json["data"]["facts"] == {}
    assert sent.json["data"]["id"] == "01a1f833-5ffa-7d45-ba3a-1a7d23705b41"
