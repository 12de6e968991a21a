"""Who is told of what: staged with the change itself, and at no cost where nobody listens."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from moderation import webhooks
from moderation.admin import words
from moderation.delivery import doorbell
from moderation.delivery.event_types import EVENT_TYPES, PING, group_of, groups
from moderation.delivery.listeners import forget_listeners, listeners_of
from moderation.models import AuditEvent, Community, Endpoint, OutboxMessage
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.vocabulary import Lane
from tests.delivery.helpers import add_webhook, deliver
from tests.delivery.receiver import Receiver
from tests.factories import CommunityFactory
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]

# Steps that are nobody's business but Gatehouse's own: set-up, and what is done with it.
STAY_INSIDE = {
    "words",
    "bank",
    "filter",
    "key",
    "provider",
    "brake",
    "breaker",
    "operation",
    "endpoint",
    "check",
    "policy.revised",
    "review.held",
    "review.freed",
    "appeal.judged_again",
    "reason",
    "review.noted",
    "review.skipped",
    "reporter",
    "flagger",
    "quality",
    "lane",
    "process",
    "administrator",
}


SUBJECT = "0190a000-0000-7000-8000-000000000001"


def event(community: Community, kind: str = "post.approved", subject: str = SUBJECT) -> Event:
    return Event(kind, "post", subject, MACHINE, community_id=community.pk, is_first=True)


def staged_types() -> list[str]:
    return list(OutboxMessage.objects.order_by("pk").values_list("event_type", flat=True))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ([], ["post.submitted", "post.rejected"]),
        (["post.*"], ["post.submitted", "post.rejected"]),
        (["post.rejected"], ["post.rejected"]),
        (["decision.*", "post.submitted"], ["post.submitted"]),
        (["decision.*"], []),
    ],
)
def test_an_endpoint_is_told_what_it_wants(
    garden: Community, receiver: Receiver, wanted: list[str], told: list[str]
) -> None:
    add_webhook(garden, receiver.url(), *wanted)
    send(garden, THREAT)
    drain_all()
    assert staged_types() == told
    deliver()
    assert [one.json["type"] for one in receiver.sent] == told


def test_several_endpoints_are_told_under_one_id(garden: Community, receiver: Receiver) -> None:
    add_webhook(garden, receiver.url("/one"))
    add_webhook(garden, receiver.url("/two"))
    send(garden, HARMLESS)
    deliver()
    [one], [two] = receiver.to("/one"), receiver.to("/two")
    assert one.id == two.id
    assert one.headers["webhook-signature"] != two.headers["webhook-signature"]


def test_nobody_is_told_of_another_community(garden: Community, receiver: Receiver) -> None:
    add_webhook(garden, receiver.url())
    send(CommunityFactory.create(), HARMLESS)
    assert staged_types() == []


def test_a_disabled_endpoint_is_told_nothing(garden: Community, endpoint: Endpoint) -> None:
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    send(garden, HARMLESS)
    assert staged_types() == []


def test_how_endpoints_are_set_up_is_told_nobody(garden: Community, endpoint: Endpoint) -> None:
    webhooks.rotate_secret(endpoint_id=endpoint.pk, user=None)
    assert AuditEvent.objects.filter(kind="endpoint.secret_rotated").exists()
    assert staged_types() == []


def test_what_is_rolled_back_was_never_staged(garden: Community, endpoint: Endpoint) -> None:
    with transaction.atomic():
        record_events([event(garden)])
        assert OutboxMessage.objects.count() == 1
        transaction.set_rollback(True)
    assert OutboxMessage.objects.count() == 0


def test_the_bell_rings_when_the_change_is_committed(
    garden: Community,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    rung: list[object] = []
    monkeypatch.setattr(doorbell, "ring", rung.extend)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        record_events([event(garden)])
        assert rung == []
    assert rung == [Lane.DELIVER]


def test_without_endpoints_the_record_costs_what_it_did(
    garden: Community,
) -> None:
    record_events([event(garden, subject="0")])
    assert listeners_of(garden.pk) == ()
    with CaptureQueriesContext(connection) as asked:
        record_events([event(garden, subject=str(number)) for number in range(1, 50)])
    done = [one["sql"] for one in asked.captured_queries if "SAVEPOINT" not in one["sql"]]
    assert len(done) == 1
    assert "moderation_auditevent" in done[0]


def test_who_listens_is_read_once_a_second_at_most(
    garden: Community, endpoint: Endpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        for _ in range(50):
            assert len(listeners_of(garden.pk)) == 1
    forget_listeners()
    with django_assert_num_queries(1):
        listeners_of(garden.pk)


# The catalogue


def kinds_in_code() -> Iterator[str]:
    """Yield every kind of audit event that stands in the code as a whole: what somebody did."""
    done = re.compile(r"(?!moderation)[a-z]+\.[a-z_]*(?:ed|eld|ept|ade|ent|_up)")
    patterns = ("*.py", "pipeline/**/*.py", "operations/*.py", "services/*.py", "labels/*.py")
    files = [path for pattern in patterns for path in (ROOT / "moderation").glob(pattern)]
    for node in (node for path in files for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Constant) and done.fullmatch(str(node.value)):
            yield str(node.value)


def test_every_kind_goes_out_or_is_said_to_stay() -> None:
    found = {*kinds_in_code(), *words._STEPS}
    assert {"post.rejected", "endpoint.disabled", "experiment.ended"} <= found
    undecided = {kind for kind in found if not {kind, group_of(kind)} & STAY_INSIDE}
    assert undecided <= set(EVENT_TYPES)
    assert not STAY_INSIDE & set(EVENT_TYPES)


def test_every_type_has_the_form_of_the_standard() -> None:
    for name in (*EVENT_TYPES, PING):
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name)
    assert set(groups()) == {f"{group_of(name)}.*" for name in EVENT_TYPES}


def test_every_type_is_documented_with_its_facts() -> None:
    text = (ROOT / "docs" / "webhooks.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|.*\|(.*)\|$", text, re.MULTILINE))
    assert set(rows) == {*EVENT_TYPES, PING}
    for name, event_type in EVENT_TYPES.items():
        assert set(re.findall(r"`(\w+)`", rows[name])) == set(event_type.facts), name
