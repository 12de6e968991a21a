"""Endpoints in the back office: who may what, secrets shown once, the log, tests and replays."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from moderation import webhooks
from moderation.admin import webhooks as pages
from moderation.delivery.event_types import EVENT_TYPES, PING
from moderation.models import (
    AuditEvent,
    Community,
    DeliveryAttempt,
    Endpoint,
    OutboxMessage,
)
from moderation.vocabulary import DeliveryState, EndpointKind
from moderation.webhooks import SetUp
from tests.admin.conftest import ClientFor
from tests.admin.payloads import PAYLOADS
from tests.admin.test_hostile_text import Reader
from tests.pipeline.helpers import HARMLESS, send

LIST = "admin:moderation_endpoint_changelist"
ADD = "admin:moderation_endpoint_add"
PAGE = "admin:moderation_endpoint_change"
HOOK = "https://hooks.example.org/gatehouse"
FASTLY = {"service": "fastly", "zone": "SU1Z0isxPaozGVKXdv0eY", "by": "key", "seconds": "60"}


def button(name: str, pk: int) -> str:
    return reverse(f"admin:moderation_endpoint_{name}", args=[pk])


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WAIT_SECONDS", 0.0)


@pytest.fixture
def people(ada: User, lea: User, rea: User, root: User) -> dict[str, User]:
    return {"ada": ada, "lea": lea, "rea": rea, "root": root}


def add(community: Community, kind: str = EndpointKind.WEBHOOK, **wanted: Any) -> Endpoint:
    wanted = {"name": "Ours", "url": HOOK if kind == EndpointKind.WEBHOOK else "", **wanted}
    endpoint, _ = webhooks.add_endpoint(
        community=community, kind=EndpointKind(kind), wanted=SetUp(**wanted), user=None
    )
    return endpoint


def message_of(endpoint: Endpoint) -> OutboxMessage:
    send(endpoint.community, HARMLESS)
    return OutboxMessage.objects.order_by("-pk")[0]


def read(answer: Any) -> str:
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


# Who may what


@pytest.mark.parametrize(
    ("who", "status"), [("ada", 403), ("rea", 403), ("lea", 200), ("root", 200)]
)
def test_leads_see_endpoints_and_others_do_not(
    who: str, status: int, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    client = as_user(people[who])
    endpoint = add(garden)
    message = message_of(endpoint)
    opened = [
        reverse(LIST),
        reverse(ADD),
        reverse(PAGE, args=[endpoint.pk]),
        button("settings", endpoint.pk),
        button("remove", endpoint.pk),
        button("message", message.pk),
    ]
    assert {client.get(address).status_code for address in opened} == {status}
    assert ("Endpoints" in client.get("/admin/", follow=True).content.decode()) is (status == 200)


ACTS = ("rotate", "ping", "enable", "disable", "replay", "message_again")


def press(client: Client, endpoint: Endpoint, message: OutboxMessage, name: str) -> int:
    pk = message.pk if name == "message_again" else endpoint.pk
    return client.post(button(name, pk)).status_code


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("who", ["ada", "rea"])
def test_only_leads_press_buttons(
    name: str, who: str, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    endpoint = add(garden)
    message = message_of(endpoint)
    before = AuditEvent.objects.count()
    assert press(as_user(people[who]), endpoint, message, name) == 403
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("name", ACTS)
def test_a_button_is_not_pressed_by_looking(
    name: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    endpoint = add(garden)
    message = message_of(endpoint)
    pk = message.pk if name == "message_again" else endpoint.pk
    assert as_user(lea).get(button(name, pk)).status_code == 405


@pytest.mark.parametrize("name", [*ACTS, "settings", "remove"])
def test_nothing_of_another_community_is_seen_or_changed(
    name: str, lea: User, elsewhere: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(elsewhere, name="Foreign")
    message = message_of(endpoint)
    before = AuditEvent.objects.count()
    assert press(client, endpoint, message, name) == 404
    assert client.get(reverse(PAGE, args=[endpoint.pk])).status_code == 404
    assert client.get(button("message", message.pk)).status_code == 404
    assert "Foreign" not in read(client.get(reverse(LIST)))
    assert AuditEvent.objects.count() == before


def test_a_lead_adds_nothing_to_another_community(
    lea: User, elsewhere: Community, as_user: ClientFor
) -> None:
    asked = {"community": elsewhere.pk, "name": "Planted", "url": HOOK}
    assert "Select a valid choice" in read(as_user(lea).post(reverse(ADD), asked))
    assert not Endpoint.objects.exists()


# Set up


def test_a_webhook_is_added_and_its_secret_shown_once(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    asked = {
        "community": garden.pk,
        "name": "Our program",
        "url": HOOK,
        "event_types": ["post.*", "decision.rejected"],
    }
    page = read(client.post(reverse(ADD), asked))
    endpoint = Endpoint.objects.get()
    secret = endpoint.secrets["current"]
    assert endpoint.event_types == ["decision.rejected", "post.*"]
    assert secret in page
    for address in (
        reverse(LIST),
        reverse(PAGE, args=[endpoint.pk]),
        button("settings", endpoint.pk),
    ):
        assert secret not in read(client.get(address))
    [event] = AuditEvent.objects.filter(kind="endpoint.added")
    assert event.actor_id == str(lea.pk)


def test_every_type_can_be_chosen(lea: User, garden: Community, as_user: ClientFor) -> None:
    page = read(as_user(lea).get(reverse(ADD)))
    for name in EVENT_TYPES:
        assert f'value="{name}"' in page
        assert f'value="{name.partition(".")[0]}.*"' in page


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("email", {"event_types": ["decision.rejected"]}),
        ("cdn", {**FASTLY, "token": "t0ken"}),
    ],
)
def test_notices_and_caches_are_added_without_a_secret_of_ours(
    kind: str, fields: dict[str, Any], lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    asked = {"community": garden.pk, "name": "Ours", **fields}
    answer = client.post(f"{reverse(ADD)}?kind={kind}", asked)
    endpoint = Endpoint.objects.get()
    assert answer["Location"] == reverse(PAGE, args=[endpoint.pk])
    assert endpoint.kind == kind
    assert "t0ken" not in read(client.get(reverse(PAGE, args=[endpoint.pk])))
    assert "t0ken" not in read(client.get(button("settings", endpoint.pk)))


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("webhook", {"url": "http://hooks.example.org/"}, "https://, at the usual port"),
        ("webhook", {"url": "https://10.0.0.1/"}, "cannot be reached"),
        ("webhook", {"url": HOOK, "event_types": ["post.exploded"]}, "Select a valid choice"),
        ("cdn", {**FASTLY}, "asks for a token"),
        ("cdn", {**FASTLY, "token": "t", "zone": ""}, "what Fastly calls"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_saved(
    kind: str,
    fields: dict[str, Any],
    said: str,
    lea: User,
    garden: Community,
    as_user: ClientFor,
) -> None:
    asked = {"community": garden.pk, "name": "Ours", **fields}
    page = read(as_user(lea).post(f"{reverse(ADD)}?kind={kind}", asked))
    assert escape(said) in page
    assert not Endpoint.objects.exists()


def test_authors_are_mailed_by_one_endpoint_of_a_community(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    add(garden, EndpointKind.EMAIL)
    asked = {"community": garden.pk, "name": "Another"}
    page = read(as_user(lea).post(f"{reverse(ADD)}?kind=email", asked))
    assert "Select a valid choice" in page
    assert Endpoint.objects.count() == 1


def test_a_change_is_saved_and_a_stored_token_stays(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    hook = add(garden)
    asked = {"name": "Theirs", "url": f"{HOOK}/2", "event_types": ["review.*"]}
    client.post(button("settings", hook.pk), asked)
    hook.refresh_from_db()
    assert (hook.name, hook.url, hook.event_types) == ("Theirs", f"{HOOK}/2", ["review.*"])
    cache = add(garden, EndpointKind.CDN, options=FASTLY, token="t0ken")
    client.post(
        button("settings", cache.pk), {**FASTLY, "name": "Edge", "seconds": 30, "token": ""}
    )
    cache.refresh_from_db()
    assert (cache.name, cache.options["seconds"]) == ("Edge", "30")
    assert cache.secrets == {"token": "t0ken"}


def test_a_secret_is_replaced_and_shown_once(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(garden)
    old = endpoint.secrets["current"]
    page = read(client.post(button("rotate", endpoint.pk)))
    endpoint.refresh_from_db()
    assert endpoint.secrets["current"] in page
    assert old not in page
    assert "Old secret signs until" in read(client.get(reverse(PAGE, args=[endpoint.pk])))


def test_only_a_webhook_has_a_secret_to_replace(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    notices = add(garden, EndpointKind.EMAIL)
    assert client.post(button("rotate", notices.pk)).status_code == 404
    assert client.post(button("ping", notices.pk)).status_code == 404
    page = read(client.get(reverse(PAGE, args=[notices.pk])))
    assert "Replace the secret" not in page
    assert "Send a test" not in page


def test_an_endpoint_is_disabled_enabled_and_removed(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(garden)
    client.post(button("disable", endpoint.pk))
    page = read(client.get(reverse(PAGE, args=[endpoint.pk])))
    assert "Disabled: a person disabled it" in page
    assert "Send a test" not in page
    client.post(button("enable", endpoint.pk))
    endpoint.refresh_from_db()
    assert endpoint.active
    client.post(button("remove", endpoint.pk))
    assert Endpoint.objects.exists()
    client.post(button("disable", endpoint.pk))
    Endpoint.objects.update(disabled_at=Now() - timedelta(minutes=1))
    assert "Remove" in read(client.get(button("remove", endpoint.pk)))
    assert client.post(button("remove", endpoint.pk)).status_code == 302
    assert not Endpoint.objects.exists()


# The log


def test_the_log_shows_messages_and_what_became_of_them(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(garden)
    failed, waiting = message_of(endpoint), message_of(endpoint)
    OutboxMessage.objects.filter(pk=failed.pk).update(
        state=DeliveryState.FAILED, last_error="HTTP 500", attempts=10
    )
    address = reverse(PAGE, args=[endpoint.pk])
    page = read(client.get(address))
    assert failed.message_id in page
    assert waiting.message_id in page
    assert "HTTP 500" in page
    page = read(client.get(address, {"state": "failed"}))
    assert failed.message_id in page
    assert waiting.message_id not in page


def test_a_long_log_has_pages(
    lea: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LOG_LENGTH", 2)
    client = as_user(lea)
    endpoint = add(garden)
    staged = [message_of(endpoint) for _ in range(5)]
    seen: list[str] = []
    address = "?"
    while address:
        page = read(client.get(reverse(PAGE, args=[endpoint.pk]) + address))
        seen += re.findall(r"msg_[0-9a-f]{32}", page)
        older = re.search(r'href="(\?[^"]*before=\d+)"', page)
        address = older[1] if older else ""
    assert seen == [message.message_id for message in reversed(staged)]


def test_a_message_shows_its_payload_and_every_attempt(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    endpoint = add(garden)
    message = message_of(endpoint)
    DeliveryAttempt.objects.create(
        message=message,
        number=1,
        latency_ms=123.4,
        status=500,
        error="HTTP 500",
        request={"method": "POST", "url": HOOK, "headers": {"webhook-id": message.message_id}},
        response_headers={"Server": "theirs"},
        response="Something broke",
    )
    DeliveryAttempt.objects.create(message=message, number=2, latency_ms=15_000, error="timeout")
    page = read(as_user(lea).get(button("message", message.pk)))
    for said in ("123 ms", "15000 ms", "timeout", "Server: theirs", "Something broke", HOOK):
        assert said in page
    assert escape('"type": "post.submitted"') in page


# The pages of one kind; every payload meets every kind of field in test_hostile_text.
@pytest.mark.parametrize("payload", [text for text in PAYLOADS if text.isprintable()][::4])
def test_what_a_receiver_answers_becomes_no_markup(
    payload: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(garden, name=payload[:100].strip() or "Ours")
    message = message_of(endpoint)
    DeliveryAttempt.objects.create(
        message=message,
        number=1,
        latency_ms=1,
        status=200,
        request={"method": "POST", "url": HOOK, "headers": {payload: payload}},
        response_headers={payload: payload},
        response=payload,
    )
    for address in (
        reverse(LIST),
        reverse(PAGE, args=[endpoint.pk]),
        button("settings", endpoint.pk),
        button("remove", endpoint.pk),
        button("message", message.pk),
    ):
        assert not Reader(read(client.get(address))).live, address


def test_pages_hold_no_inline_script_or_style(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(garden)
    message = message_of(endpoint)
    addresses = [
        reverse(LIST),
        *(f"{reverse(ADD)}?kind={kind}" for kind in EndpointKind.values),
        reverse(PAGE, args=[endpoint.pk]),
        button("message", message.pk),
    ]
    for address in addresses:
        page = read(client.get(address))
        assert re.search(r"<script(?![^>]*\bsrc=)", page) is None
        assert re.search(r"""\sstyle=["']""", page) is None
        assert re.search(r"""\son(click|load|error|change|submit)=["']""", page) is None


# Tests and replays


def test_a_test_leads_to_what_came_of_it(lea: User, garden: Community, as_user: ClientFor) -> None:
    client = as_user(lea)
    endpoint = add(garden)
    answer = client.post(button("ping", endpoint.pk))
    message = OutboxMessage.objects.get()
    assert message.event_type == PING
    assert answer["Location"] == button("message", message.pk)
    assert "It is on its way." in read(client.get(answer["Location"]))


def test_a_test_of_a_disabled_endpoint_is_refused_in_words(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    endpoint = add(garden)
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    assert "enable it first" in read(client.post(button("ping", endpoint.pk), follow=True))


def test_a_page_waits_a_moment_for_a_test_that_arrives(
    lea: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "WAIT_SECONDS", 5.0)
    endpoint = add(garden)

    def arrive(_: float) -> None:
        OutboxMessage.objects.update(state=DeliveryState.DELIVERED)

    with patch.object(pages.time, "sleep", arrive):
        page = read(as_user(lea).post(button("ping", endpoint.pk), follow=True))
    assert "Delivered" in page


def test_a_message_is_sent_again(lea: User, garden: Community, as_user: ClientFor) -> None:
    endpoint = add(garden)
    message = message_of(endpoint)
    OutboxMessage.objects.update(state=DeliveryState.DELIVERED, attempts=1)
    as_user(lea).post(button("message_again", message.pk))
    message.refresh_from_db()
    assert (message.state, message.attempts) == (DeliveryState.DUE, 0)


def form_time(hours: float) -> str:
    return f"{timezone.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def test_a_time_is_sent_again(lea: User, garden: Community, as_user: ClientFor) -> None:
    send(garden, HARMLESS, HARMLESS)
    endpoint = add(garden)
    asked = {"since": form_time(-1), "until": form_time(1)}
    page = read(as_user(lea).post(button("replay", endpoint.pk), asked, follow=True))
    assert "2 messages will be sent." in page
    assert OutboxMessage.objects.count() == 2


@pytest.mark.parametrize(
    ("since", "until"), [(1, -1), (0, 0), (None, 1)], ids=["backwards", "empty", "open"]
)
def test_a_time_without_sense_is_refused_beside_its_field(
    since: float | None,
    until: float,
    lea: User,
    garden: Community,
    as_user: ClientFor,
) -> None:
    endpoint = add(garden)
    same = form_time(0)
    asked = {
        "since": "" if since is None else same if since == until else form_time(since),
        "until": same if since == until else form_time(until),
    }
    page = read(as_user(lea).post(button("replay", endpoint.pk), asked))
    assert "errorlist" in page
    assert not OutboxMessage.objects.exists()


def test_too_much_at_once_is_said(
    lea: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_REPLAYED", 1)
    send(garden, HARMLESS, HARMLESS)
    endpoint = add(garden)
    asked = {"since": form_time(-1), "until": form_time(1)}
    page = read(as_user(lea).post(button("replay", endpoint.pk), asked))
    assert "choose a shorter time" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Works"),
        ({"failing_since": Now()}, "Fails since"),
        ({"spared_until": Now() + timedelta(hours=1)}, "Asked to be spared until"),
        (
            {"active": False, "disabled_because": "gone", "disabled_at": Now()},
            "Disabled: it answered that it is gone",
        ),
        (
            {"active": False, "disabled_because": "failing", "disabled_at": Now()},
            "Disabled: it failed for days",
        ),
    ],
)
def test_the_list_says_how_an_endpoint_is(
    changes: dict[str, Any], said: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    add(garden)
    Endpoint.objects.update(**changes)
    assert said in read(as_user(lea).get(reverse(LIST)))
