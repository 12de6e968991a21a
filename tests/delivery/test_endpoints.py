"""Endpoints are set up with what makes sense, on the record, and their secrets stay secret."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from moderation import webhooks
from moderation.delivery import webhook
from moderation.errors import Conflict, InvalidFields, NotFound
from moderation.models import AuditEvent, Community, Endpoint, OutboxMessage
from moderation.vocabulary import DisabledBecause, EndpointKind
from moderation.webhooks import SetUp
from tests.delivery.helpers import secret_of
from tests.factories import UserFactory
from tests.pipeline.helpers import HARMLESS, send

pytestmark = pytest.mark.django_db

HOOK = "https://hooks.example.org/gatehouse/s3cr3t-path?x=1"


def add(
    community: Community, kind: EndpointKind = EndpointKind.WEBHOOK, **wanted: object
) -> tuple[Endpoint, str]:
    return webhooks.add_endpoint(
        community=community,
        kind=kind,
        wanted=SetUp(**{"name": "Ours", **wanted}),  # type: ignore[arg-type]
        user=None,
    )


def wrong_fields(refused: pytest.ExceptionInfo[InvalidFields]) -> list[str]:
    return [field for field, _ in refused.value.errors]


def test_a_webhook_is_given_its_secret_once(garden: Community) -> None:
    endpoint, secret = add(garden, url=HOOK)
    assert secret.startswith(webhook.PREFIX)
    assert secret_of(endpoint) == secret


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "http://hooks.example.org/",
        "https://hooks.example.org:8443/",
        "https://bo:secret@hooks.example.org/",
        "https://hooks.example.org/#part",
        "https://127.0.0.1/",
        "https://10.0.0.5/hook",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://localhost/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org/ space",
        "https://hööks.example.org/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        f"https://hooks.example.org/{'x' * 500}",
    ],
)
def test_an_address_that_cannot_be_told_is_refused(garden: Community, url: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        add(garden, url=url)
    assert wrong_fields(refused) == ["url"]
    assert not Endpoint.objects.exists()


def test_an_operator_may_allow_a_private_address(garden: Community, settings: Settings) -> None:
    settings.MODERATION = {
        **settings.MODERATION,
        "delivery_allowed_hosts": frozenset({"hooks.internal:8080"}),
    }
    add(garden, url="http://hooks.internal:8080/gatehouse")
    with pytest.raises(InvalidFields):
        add(garden, url="http://hooks.internal:8081/gatehouse")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"event_types": ["post.exploded"]}, "event_types"),
        ({"event_types": ["*"]}, "event_types"),
        ({"event_types": ["words.changed"]}, "event_types"),
        ({"options": {"service": "fastly"}}, "options"),
    ],
)
def test_what_makes_no_sense_is_refused(
    garden: Community, wanted: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        add(garden, **{"url": HOOK, **wanted})
    assert wrong_fields(refused) == [field]


FASTLY = {"service": "fastly", "zone": "SU1Z0isxPaozGVKXdv0eY"}


@pytest.mark.parametrize(
    ("options", "token", "field"),
    [
        ({}, "t", "service"),
        ({"service": "akamai"}, "t", "service"),
        ({"service": "fastly"}, "t", "zone"),
        ({**FASTLY, "zone": "../../other"}, "t", "zone"),
        (FASTLY, "", "token"),
        ({**FASTLY, "by": "magic"}, "t", "by"),
        ({**FASTLY, "seconds": "0"}, "t", "seconds"),
        ({**FASTLY, "seconds": "86400"}, "t", "seconds"),
        ({**FASTLY, "seconds": "soon"}, "t", "seconds"),
        ({**FASTLY, "site": "media.example.org"}, "t", "site"),
        ({**FASTLY, "site": "https://media.example.org/"}, "t", "site"),
        ({**FASTLY, "colour": "blue"}, "t", "options"),
        ({"service": "varnish"}, "", "url"),
    ],
)
def test_a_cache_needs_what_it_is_asked_with(
    garden: Community, options: dict[str, str], token: str, field: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        add(garden, EndpointKind.CDN, options=options, token=token)
    assert wrong_fields(refused) == [field]


def test_a_community_has_its_authors_mailed_by_one_endpoint(garden: Community) -> None:
    add(garden, EndpointKind.EMAIL)
    with pytest.raises(Conflict):
        add(garden, EndpointKind.EMAIL)
    with pytest.raises(InvalidFields):
        add(garden, EndpointKind.EMAIL, event_types=["post.submitted"])


# Changes


def test_a_change_keeps_the_secret_and_a_token_that_is_not_given(garden: Community) -> None:
    endpoint, secret = add(garden, url=HOOK)
    changed = webhooks.change_endpoint(
        endpoint_id=endpoint.pk,
        wanted=SetUp(name="Theirs", url=HOOK, event_types=["post.*"]),
        user=None,
    )
    assert (changed.name, changed.event_types) == ("Theirs", ["post.*"])
    assert secret_of(endpoint) == secret
    cache, _ = add(garden, EndpointKind.CDN, options=FASTLY, token="t0ken")
    webhooks.change_endpoint(
        endpoint_id=cache.pk, wanted=SetUp(name="Edge", options=FASTLY), user=None
    )
    assert secret_of(cache, "token") == "t0ken"


def test_what_changes_nothing_leaves_no_trace(garden: Community) -> None:
    endpoint, _ = add(garden, url=HOOK)
    wanted = SetUp(name="Ours", url=HOOK)
    webhooks.change_endpoint(endpoint_id=endpoint.pk, wanted=wanted, user=None)
    webhooks.enable_endpoint(endpoint_id=endpoint.pk, user=None)
    kinds = list(AuditEvent.objects.values_list("kind", flat=True))
    assert kinds == ["endpoint.added"]


def test_every_step_is_on_the_record_without_secrets(garden: Community) -> None:
    lena = UserFactory.create(username="lena")
    endpoint, secret = webhooks.add_endpoint(
        community=garden,
        kind=EndpointKind.WEBHOOK,
        wanted=SetUp(name="Ours", url=HOOK),
        user=lena,
    )
    _, second = webhooks.rotate_secret(endpoint_id=endpoint.pk, user=lena)
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=lena)
    webhooks.enable_endpoint(endpoint_id=endpoint.pk, user=lena)
    events = list(AuditEvent.objects.order_by("pk"))
    assert [event.kind for event in events] == [
        "endpoint.added",
        "endpoint.secret_rotated",
        "endpoint.disabled",
        "endpoint.enabled",
    ]
    assert {(one.actor_kind, one.actor_id) for one in events} == {("moderator", str(lena.pk))}
    assert {one.community_id for one in events} == {garden.pk}
    said = json.dumps([event.facts for event in events])
    assert "hooks.example.org" in said
    for hidden in (secret, second, "s3cr3t-path"):
        assert hidden not in said


def test_enabling_ends_a_failure_and_what_it_was_spared_for(garden: Community) -> None:
    endpoint, _ = add(garden, url=HOOK)
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    Endpoint.objects.update(
        failing_since=Now(), spared_until=Now(), disabled_because=DisabledBecause.FAILING
    )
    webhooks.enable_endpoint(endpoint_id=endpoint.pk, user=None)
    endpoint.refresh_from_db()
    assert (endpoint.active, endpoint.disabled_because) == (True, "")
    assert (endpoint.failing_since, endpoint.spared_until) == (None, None)


def test_only_what_is_disabled_for_a_moment_is_removed(garden: Community) -> None:
    endpoint, _ = add(garden, url=HOOK)
    send(garden, HARMLESS)
    with pytest.raises(Conflict):
        webhooks.remove_endpoint(endpoint_id=endpoint.pk, user=None)
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    with pytest.raises(Conflict):
        webhooks.remove_endpoint(endpoint_id=endpoint.pk, user=None)
    Endpoint.objects.update(disabled_at=Now() - timedelta(seconds=6))
    webhooks.remove_endpoint(endpoint_id=endpoint.pk, user=None)
    assert not OutboxMessage.objects.exists()
    assert AuditEvent.objects.filter(kind="endpoint.removed").exists()
    with pytest.raises(NotFound):
        webhooks.enable_endpoint(endpoint_id=endpoint.pk, user=None)
