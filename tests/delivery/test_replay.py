"""Messages that are sent once more: one, a time, a test."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from moderation import webhooks
from moderation.delivery import outbox
from moderation.delivery.event_types import PING
from moderation.errors import Conflict, InvalidFields, NotFound
from moderation.models import AuditEvent, Community, Endpoint, OutboxMessage
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.vocabulary import DeliveryState, EndpointKind
from moderation.webhooks import SetUp
from tests.delivery.helpers import add_webhook, deliver, secret_of, verify
from tests.delivery.receiver import Answer, Receiver
from tests.factories import CommunityFactory
from tests.pipeline.helpers import HARMLESS, send

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def replay(endpoint: Endpoint, *, with_delivered: bool = False) -> int:
    now = timezone.now()
    return webhooks.replay_range(
        endpoint_id=endpoint.pk,
        since=now - HOUR,
        until=now + HOUR,
        with_delivered=with_delivered,
        user=None,
    )


# One


def test_a_message_is_sent_again_under_its_id(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    send(garden, HARMLESS)
    deliver()
    message = OutboxMessage.objects.get()
    webhooks.replay_message(message_id=message.pk, user=None)
    deliver()
    first, second = receiver.sent
    assert (first.id, first.body) == (second.id, second.body)
    assert AuditEvent.objects.filter(kind="endpoint.replayed").count() == 1


def test_a_message_that_was_given_up_begins_its_schedule_anew(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer(Answer(500), Answer(500), Answer())
    send(garden, HARMLESS)
    OutboxMessage.objects.update(attempts=len(outbox.SCHEDULE))
    deliver()
    message = OutboxMessage.objects.get()
    assert message.state == DeliveryState.FAILED
    webhooks.replay_message(message_id=message.pk, user=None)
    deliver()
    message.refresh_from_db()
    assert (message.state, message.attempts) == (DeliveryState.DUE, 1)


def test_nothing_is_replayed_to_a_disabled_endpoint(garden: Community, endpoint: Endpoint) -> None:
    send(garden, HARMLESS)
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    with pytest.raises(Conflict):
        webhooks.replay_message(message_id=OutboxMessage.objects.get().pk, user=None)
    with pytest.raises(Conflict):
        replay(endpoint)
    with pytest.raises(Conflict):
        webhooks.ping(endpoint_id=endpoint.pk, user=None)


# A time


def test_a_time_brings_what_was_missed_while_the_endpoint_was_disabled(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer(Answer(410))
    first, second = send(garden, HARMLESS, HARMLESS)
    deliver()
    outbox.sweep()
    [third] = send(garden, HARMLESS)
    receiver.answer(Answer())
    webhooks.enable_endpoint(endpoint_id=endpoint.pk, user=None)
    assert replay(endpoint) == 3
    deliver()
    told = [one.json["data"]["id"] for one in receiver.sent]
    assert sorted(told[1:]) == sorted(str(post.pk) for post in (first, second, third))
    assert receiver.sent[0].id in {one.id for one in receiver.sent[1:]}
    assert replay(endpoint) == 0


def test_a_time_brings_what_happened_before_the_endpoint_was_there(
    garden: Community, receiver: Receiver
) -> None:
    send(garden, HARMLESS)
    send(CommunityFactory.create(), HARMLESS)
    endpoint = add_webhook(garden, receiver.url())
    assert replay(endpoint) == 1
    deliver()
    verify(receiver.sent[0], secret_of(endpoint))


def test_what_was_delivered_is_sent_again_only_if_that_is_asked_for(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    send(garden, HARMLESS, HARMLESS)
    deliver()
    assert replay(endpoint) == 0
    assert replay(endpoint, with_delivered=True) == 2
    deliver()
    ids = [one.id for one in receiver.sent]
    assert len(ids) == 4
    assert sorted(ids[:2]) == sorted(ids[2:])


def test_a_time_begins_and_ends_where_it_says(
    garden: Community, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        send(garden, HARMLESS)
    events = AuditEvent.objects.filter(kind="post.submitted").order_by("pk")
    times = list(events.values_list("happened_at", flat=True))
    OutboxMessage.objects.all().delete()
    monkeypatch.setattr(webhooks, "_DISORDER", timedelta(0))
    for since, until in ((0, 6), (0, 0), (5, 6), (2, 4)):
        bounds = [*times, times[-1] + timedelta(microseconds=1)]
        expected = [at for at in times if bounds[since] <= at < bounds[until]]
        found = webhooks._events_between(garden.pk, bounds[since], bounds[until])
        assert [event.happened_at for event in found] == expected


def test_keys_are_found_across_gaps(garden: Community) -> None:
    recorded = [
        record_events([Event("post.approved", "post", str(number), MACHINE, garden.pk)])[0]
        for number in range(40)
    ]
    for event in recorded[::7]:
        assert webhooks._key_at(event.happened_at) <= event.pk
        assert webhooks._key_at(event.happened_at + HOUR) >= recorded[-1].pk
        assert webhooks._key_at(event.happened_at - HOUR) <= recorded[0].pk


def test_too_much_at_once_is_refused(
    garden: Community, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_REPLAYED", 2)
    send(garden, *[HARMLESS] * 3)
    with pytest.raises(InvalidFields):
        replay(endpoint, with_delivered=True)


def test_a_filter_holds_for_what_is_replayed(garden: Community, receiver: Receiver) -> None:
    endpoint = add_webhook(garden, receiver.url(), "decision.*")
    send(garden, HARMLESS)
    assert replay(endpoint) == 0


# A test


def test_a_test_arrives_and_is_tried_once(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer(Answer(500))
    message = webhooks.ping(endpoint_id=endpoint.pk, user=None)
    deliver()
    [sent] = receiver.sent
    told = verify(sent, secret_of(endpoint))
    assert (told["type"], told["data"]) == (PING, {"community": "garden"})
    message.refresh_from_db()
    assert message.state == DeliveryState.FAILED
    assert AuditEvent.objects.filter(kind="endpoint.tested").count() == 1


def test_only_webhooks_are_tested(garden: Community) -> None:
    endpoint, _ = webhooks.add_endpoint(
        community=garden, kind=EndpointKind.EMAIL, wanted=SetUp(name="Notices"), user=None
    )
    with pytest.raises(NotFound):
        webhooks.ping(endpoint_id=endpoint.pk, user=None)
