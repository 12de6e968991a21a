"""Streams in and out, through the servers' own protocols: at least once, each post once."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from moderation import webhooks
from moderation.bridge import intake, status
from moderation.bridge.status import ReaderStatus
from moderation.delivery import streams
from moderation.delivery.listeners import forget_listeners
from moderation.errors import InvalidFields
from moderation.management.commands import stream_in
from moderation.management.commands.stream_in import _round
from moderation.models import Community, DeliveryAttempt, Endpoint, OutboxMessage, Post
from moderation.vocabulary import DeliveryState, EndpointKind
from moderation.webhooks import SetUp
from tests.bridge.conftest import Broker
from tests.delivery.helpers import deliver, make_due
from tests.pipeline.helpers import drain_all

pytestmark = pytest.mark.django_db


def sent(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"post-{number}",
        "community": "garden",
        "author": {"id": "bo"},
        "body": f"Tomato number {number}.",
        **fields,
    }


def read_all(broker: Broker, *, expected: int, name: str = "one") -> ReaderStatus:
    """Read until as many messages were taken as are expected."""
    own = ReaderStatus(broker.service, broker.topic, name)
    reader = broker.reader(name)
    for _ in range(30):
        _round(reader, own)
        _keep_awake()
        # How far behind it is Kafka tells a moment later.
        if own.accepted + own.repeated + own.refused >= expected and own.lag is not None:
            break
    reader.close()
    return own


def _keep_awake() -> None:
    """PostgreSQL ends a transaction, this test's as well, that idles for as long as Kafka takes."""
    Post.objects.exists()


# In


def test_what_comes_in_becomes_posts_under_their_senders_ids(garden: Community, broker: Broker):
    broker.put(*(sent(number) for number in range(150)))

    own = read_all(broker, expected=150)

    assert (own.accepted, own.repeated, own.refused) == (150, 0, 0)
    assert Post.objects.get(reference="post-7").body == "Tomato number 7."
    assert own.lag == 0


def test_what_is_not_confirmed_comes_again_and_is_known(garden: Community, broker: Broker):
    broker.put(*(sent(number) for number in range(20)))
    reader = broker.reader()
    while not (taken := reader.take()):
        _keep_awake()
    intake.take_in(taken)
    # Stopped before it could confirm.
    reader.close()

    own = read_all(broker, expected=20)

    assert (own.accepted, own.repeated) == (20 - len(taken), len(taken))
    assert Post.objects.count() == 20


def test_a_message_that_cannot_be_a_post_is_put_aside_with_the_reason(
    garden: Community, broker: Broker
):
    broker.put(sent(1), b"no json", sent(2, author=None), sent(3))

    own = read_all(broker, expected=4)

    assert (own.accepted, own.refused) == (2, 2)
    aside = broker.read(f"{broker.topic}.refused")
    assert sorted(one.headers["detail"] for one in aside) == [
        "author: is required",
        "body: must be JSON in UTF-8",
    ]
    assert "no json" in [one.value for one in aside]


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_an_id_that_comes_with_another_text_is_put_aside(garden: Community, broker: Broker):
    broker.put(sent(1), sent(1), sent(1, body="Another text."))

    own = read_all(broker, expected=3)

    assert (own.accepted, own.repeated, own.refused) == (1, 1, 1)
    assert [one.headers["error"] for one in broker.read(f"{broker.topic}.refused")] == [
        "idempotency_mismatch"
    ]


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_while_the_database_is_away_nothing_is_confirmed(garden: Community, broker: Broker):
    broker.put(sent(1), sent(2))
    own = ReaderStatus(broker.service, broker.topic, "one")
    reader = broker.reader()
    with (
        patch.object(intake, "submit_all", side_effect=OperationalError),
        # This thread's connection holds the test's transaction.
        patch.object(stream_in, "close_old_connections"),
    ):
        while own.last_error != "database_away":
            _round(reader, own)
    assert own.accepted == 0

    for _ in range(20):
        if own.accepted == 2:
            break
        _round(reader, own)
    reader.close()

    assert sorted(Post.objects.values_list("reference", flat=True)) == ["post-1", "post-2"]


def test_prometheus_is_told_of_readers(garden: Community, settings: Settings):
    settings.MODERATION = {**settings.MODERATION, "metrics_token": "secret"}
    status.tell(ReaderStatus("kafka", "posts", "one", accepted=3, refused=1, lag=7))

    page = Client().get("/metrics", headers={"Authorization": "Bearer secret"}).content.decode()

    assert 'gatehouse_stream_lag{service="kafka",topic="posts",reader="one"} 7' in page
    assert 'gatehouse_stream_refused_total{service="kafka",topic="posts",reader="one"} 1' in page


# Out


@pytest.fixture
def outlet(garden: Community, broker: Broker) -> Endpoint:
    endpoint, secret = webhooks.add_endpoint(
        community=garden,
        kind=EndpointKind.STREAM,
        wanted=SetUp(
            name="Ours", options={"service": broker.service, "topic": f"{broker.topic}.out"}
        ),
        user=None,
    )
    assert secret == ""
    forget_listeners()
    return endpoint


def test_what_happens_to_a_post_goes_out_in_order_under_its_key(outlet: Endpoint, broker: Broker):
    broker.put(*(sent(number) for number in range(3)))
    read_all(broker, expected=3)
    drain_all()
    deliver()

    found = broker.read(f"{broker.topic}.out")

    post = Post.objects.get(reference="post-1")
    about = [one for one in found if one.key == str(post.pk)]
    assert [one.headers["type"] for one in about] == ["post.submitted", "post.approved"]
    assert about[0].headers["event"] == "ContentSubmitted"
    assert [one.json()["data"]["reference"] for one in about] == ["post-1", "post-1"]
    assert [one.json()["data"]["sequence"] for one in about] == [1, 2]
    assert len({one.headers["id"] for one in found}) == len(found) == 6


def test_a_stream_that_is_away_is_tried_until_it_is_back(
    outlet: Endpoint, broker: Broker, settings: Settings
):
    broker.put(sent(1))
    read_all(broker, expected=1)
    there = settings.MODERATION
    away = {"kafka_servers": "", "stream_redis_url": "redis://127.0.0.1:1/0"}
    settings.MODERATION = {**there, **away}
    for _ in range(12):
        make_due()
        deliver()
    outlet.refresh_from_db()
    assert outlet.failing_since is not None
    assert OutboxMessage.objects.get().state == DeliveryState.DUE
    assert DeliveryAttempt.objects.filter(error="").count() == 0

    settings.MODERATION = there
    make_due()
    deliver()

    assert [one.headers["type"] for one in broker.read(f"{broker.topic}.out")] == ["post.submitted"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"service": "carrier-pigeon", "topic": "posts"}, "service"),
        ({"service": "kafka", "topic": "posts"}, "service"),
        ({"service": "redis", "topic": "a topic"}, "topic"),
        ({"service": "redis", "topic": ""}, "topic"),
    ],
)
def test_a_stream_is_set_up_only_where_it_can_be_written(
    garden: Community, settings: Settings, options: dict[str, str], wrong: str
):
    settings.MODERATION = {**settings.MODERATION, "stream_redis_url": "redis://127.0.0.1:1/0"}

    with pytest.raises(InvalidFields) as raised:
        webhooks.add_endpoint(
            community=garden,
            kind=EndpointKind.STREAM,
            wanted=SetUp(name="Ours", options=options),
            user=None,
        )

    assert wrong in [name for name, _ in raised.value.errors]


def test_an_entry_without_our_field_is_read_field_by_field(garden: Community, settings: Settings):
    fields = {"contentId": "9f1a", "text": "Hello", "userId": "user123"}

    assert streams.json_of(fields) == b'{"contentId": "9f1a", "text": "Hello", "userId": "user123"}'
