"""What becomes of a message: the schedule, and what receivers ask for by their answers."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from moderation import queries
from moderation.delivery import doorbell, outbox
from moderation.delivery.handover import KEPT_BYTES, NO_ANSWER, NOT_HTTPS, TIMEOUT, Handover
from moderation.models import AuditEvent, Community, DeliveryAttempt, Endpoint, OutboxMessage
from moderation.pipeline import notify
from moderation.vocabulary import DeliveryState, DisabledBecause, Lane
from tests.delivery.conftest import TIMEOUT_SECONDS
from tests.delivery.helpers import add_webhook, deliver, make_due, secret_of, verify
from tests.delivery.receiver import Answer, Receiver
from tests.pipeline.helpers import HARMLESS, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def staged(garden: Community, endpoint: Endpoint) -> OutboxMessage:
    """A message that waits: a post of Bo's was accepted."""
    send(garden, HARMLESS)
    return OutboxMessage.objects.get()


def now(message: OutboxMessage) -> OutboxMessage:
    message.refresh_from_db()
    return message


def wait_seconds(message: OutboxMessage) -> float:
    return (now(message).due_at - queries.database_now()).total_seconds()


# The schedule


def test_the_schedule_is_that_of_the_standard() -> None:
    assert len(outbox.SCHEDULE) + 1 == 10
    assert timedelta(seconds=sum(outbox.SCHEDULE)) == timedelta(hours=75, minutes=35, seconds=5)


def test_ten_attempts_are_made_and_no_more(
    staged: OutboxMessage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox.random, "uniform", lambda low, high: 1.0)
    receiver.answer(Answer(500))
    waits = []
    for _ in range(10):
        make_due()
        deliver()
        waits.append(round(wait_seconds(staged)))
    assert waits[:9] == pytest.approx(outbox.SCHEDULE, abs=2)
    assert now(staged).state == DeliveryState.FAILED
    make_due()
    deliver()
    assert len(receiver.sent) == 10
    assert list(DeliveryAttempt.objects.values_list("number", flat=True)) == list(range(1, 11))


def test_waits_differ_a_little(garden: Community, endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answer(Answer(500))
    send(garden, *[HARMLESS] * 8)
    deliver()
    waits = [wait_seconds(one) for one in OutboxMessage.objects.all()]
    assert len({round(wait, 3) for wait in waits}) == 8
    low, high = 5 * (1 - outbox.JITTER), 5 * (1 + outbox.JITTER)
    assert all(low - 2 <= wait <= high for wait in waits)


def test_a_repeat_has_the_same_id_and_a_time_of_its_own(
    staged: OutboxMessage, endpoint: Endpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer(Answer(500), Answer())
    deliver()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 60)
    make_due()
    deliver()
    first, second = receiver.sent
    assert first.id == second.id
    assert first.body == second.body
    stamps = [int(one.headers["webhook-timestamp"]) for one in (first, second)]
    assert stamps[1] - stamps[0] >= 60
    assert verify(first, secret_of(endpoint)) == verify(second, secret_of(endpoint))
    assert now(staged).state == DeliveryState.DELIVERED
    assert staged.attempts == 2


# What answers mean


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_only_2xx_is_success(staged: OutboxMessage, receiver: Receiver, status: int) -> None:
    receiver.answer(Answer(status))
    deliver()
    assert now(staged).state == DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [301, 302, 304, 307, 400, 401, 404, 418, 429, 500, 502, 503])
def test_everything_else_is_tried_again(
    staged: OutboxMessage, receiver: Receiver, status: int
) -> None:
    receiver.answer(Answer(status, {"Location": receiver.url("/elsewhere")}))
    deliver()
    assert (now(staged).state, staged.attempts) == (DeliveryState.DUE, 1)
    assert staged.last_error == f"HTTP {status}"
    # No redirect is followed.
    assert [one.path for one in receiver.sent] == ["/hook"]


def test_gone_disables_the_endpoint_and_nothing_more_is_sent(
    garden: Community, staged: OutboxMessage, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer(Answer(410))
    send(garden, HARMLESS)
    deliver()
    outbox.sweep()
    endpoint.refresh_from_db()
    assert (endpoint.active, endpoint.disabled_because) == (False, DisabledBecause.GONE)
    assert endpoint.disabled_at is not None
    states = OutboxMessage.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [DeliveryState.FAILED, DeliveryState.CANCELLED]
    assert len(receiver.sent) == 1
    recorded = AuditEvent.objects.get(kind="endpoint.disabled")
    assert (recorded.actor_kind, recorded.facts["because"]) == ("system", "gone")
    send(garden, HARMLESS)
    assert OutboxMessage.objects.count() == 2


def date_in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept_and_spares_the_whole_endpoint(
    garden: Community,
    staged: OutboxMessage,
    endpoint: Endpoint,
    receiver: Receiver,
    status: int,
    form: str,
) -> None:
    send(garden, HARMLESS)
    asked = "120" if form == "seconds" else date_in(120)
    receiver.answer(Answer(status, {"Retry-After": asked}))
    deliver()
    assert 115 < wait_seconds(staged) <= 120
    assert len(receiver.sent) == 1
    endpoint.refresh_from_db()
    assert endpoint.spared_until is not None
    receiver.answer(Answer())
    make_due()
    deliver()
    assert len(receiver.sent) == 3
    endpoint.refresh_from_db()
    assert (endpoint.spared_until, endpoint.failing_since) == (None, None)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_a_receiver_under_load_is_spared_even_if_it_does_not_say_how_long(
    garden: Community, endpoint: Endpoint, receiver: Receiver, status: int
) -> None:
    send(garden, HARMLESS, HARMLESS)
    receiver.answer(Answer(status))
    deliver()
    assert len(receiver.sent) == 1
    endpoint.refresh_from_db()
    assert endpoint.spared_until is not None


@pytest.mark.parametrize("said", ["soon", "-5", "nan", "inf", "1e400", "", "Fri, 99 Nov"])
def test_a_retry_after_without_sense_changes_nothing(
    staged: OutboxMessage, receiver: Receiver, said: str
) -> None:
    receiver.answer(Answer(500, {"Retry-After": said}))
    deliver()
    assert 3 < wait_seconds(staged) <= 6


def test_nobody_is_spared_for_longer_than_a_day(staged: OutboxMessage, receiver: Receiver) -> None:
    receiver.answer(Answer(503, {"Retry-After": "99999999"}))
    deliver()
    assert wait_seconds(staged) <= outbox.MOST_SPARED_SECONDS


def test_one_that_hangs_is_left_after_the_time_out(
    staged: OutboxMessage, receiver: Receiver
) -> None:
    receiver.answer(Answer(hangs=30))
    began = time.monotonic()
    deliver()
    assert time.monotonic() - began < TIMEOUT_SECONDS * 2
    assert (now(staged).state, staged.last_error) == (DeliveryState.DUE, TIMEOUT)
    attempt = DeliveryAttempt.objects.get()
    assert attempt.status is None
    assert attempt.latency_ms >= TIMEOUT_SECONDS * 900


# Addresses


def test_closed_and_private_addresses_are_told_alike(
    garden: Community, receiver: Receiver, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"127.0.0.1:{listener.getsockname()[1]}"
    add_webhook(garden, receiver.url())
    private = Endpoint.objects.get()
    Endpoint.objects.filter(pk=private.pk).update(url="https://10.1.2.3/hook")
    other = add_webhook(garden, receiver.url())
    settings.MODERATION = {
        **settings.MODERATION,
        "delivery_allowed_hosts": frozenset({closed}),
    }
    Endpoint.objects.filter(pk=other.pk).update(url=f"http://{closed}/hook")
    send(garden, HARMLESS)
    deliver()
    assert set(OutboxMessage.objects.values_list("last_error", flat=True)) == {NO_ANSWER}
    assert receiver.sent == []


@pytest.mark.parametrize("url", ["http://{}/hook", "http://127.0.0.1/hook", "http://[::1]/hook"])
def test_what_is_not_https_is_not_told_whatever_its_row_says(
    staged: OutboxMessage, receiver: Receiver, settings: Settings, url: str
) -> None:
    Endpoint.objects.update(url=url.format(receiver.address))
    settings.MODERATION = {**settings.MODERATION, "delivery_allowed_hosts": frozenset()}
    deliver()
    assert (now(staged).state, staged.last_error) == (DeliveryState.FAILED, NOT_HTTPS)
    assert receiver.sent == []


def test_https_to_our_own_network_is_not_told(
    staged: OutboxMessage, receiver: Receiver, settings: Settings
) -> None:
    Endpoint.objects.update(url=f"https://{receiver.address}/hook")
    settings.MODERATION = {**settings.MODERATION, "delivery_allowed_hosts": frozenset()}
    deliver()
    assert now(staged).last_error == NO_ANSWER
    assert receiver.sent == []


def test_a_receiver_without_tls_is_a_failure(staged: OutboxMessage, receiver: Receiver) -> None:
    Endpoint.objects.update(url=f"https://{receiver.address}/hook")
    deliver()
    assert (now(staged).state, staged.last_error) == (DeliveryState.DUE, NO_ANSWER)


# The log


def test_the_log_has_request_answer_and_time(
    staged: OutboxMessage, endpoint: Endpoint, receiver: Receiver
) -> None:
    body = b"Thank you\x00 \xff" + b"." * 5000
    receiver.answer(
        Answer(202, {"X-Trace": "t-1", "Set-Cookie": "session=theirs"}, body, hangs=0.05)
    )
    deliver()
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.status, attempt.error, attempt.number) == (202, "", 1)
    assert attempt.latency_ms >= 50
    assert attempt.request["method"] == "POST"
    assert attempt.request["url"] == endpoint.url
    assert attempt.request["headers"]["webhook-id"] == staged.message_id
    names = {name.lower() for name in attempt.response_headers}
    assert "x-trace" in names
    assert "set-cookie" not in names
    assert attempt.response.startswith("Thank you\ufffd \ufffd...")
    assert len(attempt.response) <= KEPT_BYTES
    assert now(staged).state == DeliveryState.DELIVERED


# Endpoints that fail


def test_the_first_success_ends_a_failure(
    staged: OutboxMessage, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer(Answer(500), Answer(500), Answer())
    deliver()
    endpoint.refresh_from_db()
    began = endpoint.failing_since
    assert began is not None
    make_due()
    deliver()
    endpoint.refresh_from_db()
    assert endpoint.failing_since == began
    make_due()
    deliver()
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


@pytest.mark.parametrize(("days", "stays"), [(4.9, True), (5.1, False)])
def test_an_endpoint_that_fails_for_five_days_is_disabled(
    staged: OutboxMessage, endpoint: Endpoint, receiver: Receiver, days: float, stays: bool
) -> None:
    Endpoint.objects.update(failing_since=Now() - timedelta(days=days))
    receiver.answer(Answer(500))
    deliver()
    endpoint.refresh_from_db()
    assert endpoint.active is stays
    assert endpoint.disabled_because == ("" if stays else DisabledBecause.FAILING)


def test_a_fault_of_ours_is_an_attempt_and_comes_not_round_at_once(
    staged: OutboxMessage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setitem(notify._PREPARE, "webhook", fail)
    deliver()
    assert (now(staged).last_error, staged.attempts) == ("KeyError", 1)
    assert wait_seconds(staged) > 3


# Leases


def test_what_is_held_is_not_taken_again_before_its_lease_ends(
    staged: OutboxMessage, endpoint: Endpoint
) -> None:
    [held] = outbox.claim(endpoint, 10)
    assert outbox.claim(endpoint, 10) == []
    assert not outbox.sweep()
    OutboxMessage.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert outbox.sweep()
    [again] = outbox.claim(endpoint, 10)
    assert again.lease_token != held.lease_token


def test_who_lost_the_lease_settles_nothing(staged: OutboxMessage, endpoint: Endpoint) -> None:
    [frozen] = outbox.claim(endpoint, 10)
    OutboxMessage.objects.update(lease_until=Now() - timedelta(seconds=1))
    [other] = outbox.claim(endpoint, 10)
    outbox.settle(endpoint, [frozen], Handover(error="HTTP 500", status=500))
    assert (now(staged).attempts, staged.lease_token) == (0, other.lease_token)
    outbox.settle(endpoint, [other], Handover(delivered=True, status=204))
    assert now(staged).state == DeliveryState.DELIVERED
    # Both were attempts.
    assert DeliveryAttempt.objects.count() == 2


def test_a_round_of_the_sweeper_rings_for_what_is_due_and_cancels_the_rest(
    staged: OutboxMessage, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: set[str] = set()
    monkeypatch.setattr(doorbell, "ring_now", rung.update)
    call_command("sweep", "--once")
    assert Lane.DELIVER in rung
    rung.clear()
    Endpoint.objects.update(active=False, disabled_because=DisabledBecause.PERSON)
    call_command("sweep", "--once")
    assert Lane.DELIVER not in rung
    assert now(staged).state == DeliveryState.CANCELLED


def test_the_longest_due_goes_first(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    posts = send(garden, HARMLESS, HARMLESS, HARMLESS)
    deliver()
    assert [one.json["data"]["id"] for one in receiver.sent] == [str(post.pk) for post in posts]
