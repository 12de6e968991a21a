"""The operators' page: what it shows, who may do what there, and that it is asked before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from moderation import queries
from moderation.admin.instance import span
from moderation.models import (
    AuditEvent,
    Heartbeat,
    LanePause,
    ProviderAccount,
    ProviderDay,
    Submission,
)
from moderation.roles import OPERATOR, ensure_roles
from moderation.vocabulary import Lane
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.factories import PostFactory, UserFactory

PAGE = "admin:moderation_instance"
LANE_ACTS = ("pause", "resume", "requeue")
WORKER = "worker@box:7"


@pytest.fixture
def olu(db: None) -> User:
    user: User = UserFactory(username="olu", is_staff=True)
    user.groups.add(ensure_roles()[OPERATOR])
    return user


@pytest.fixture
def worker(db: None) -> Heartbeat:
    return Heartbeat.objects.create(
        name=WORKER,
        role="worker",
        host="box",
        pid=7,
        lanes=["screen", "media"],
        at_work=2,
        version="9.9",
    )


def text(client: Client, name: str = PAGE, *args: str) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def press(client: Client, act: str, what: str = "screen", **fields: str):
    kind = "process" if act.endswith("drain") else "lane"
    return client.post(reverse(f"admin:moderation_{kind}_{act}", args=[what]), fields, follow=True)


def test_an_operator_sees_how_everything_is(olu: User, worker: Heartbeat, as_user: ClientFor):
    post = PostFactory.create()
    row = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, lane=Lane.MEDIA
    )
    long_ago = Now() - timedelta(hours=5)
    Submission.objects.filter(pk=row.pk).update(created_at=long_ago, due_at=long_ago)
    Heartbeat.objects.create(name="sweeper@box:8", role="sweeper", host="box", pid=8)
    Heartbeat.objects.filter(role="sweeper").update(seen_at=Now() - timedelta(minutes=10))
    ProviderAccount.objects.create(
        name="a-service", adapter="openai", daily_budget_micros=10_000_000
    )
    ProviderDay.objects.create(
        provider="a-service", day=queries.database_now().date(), calls=1234, cost_micros=5_000_000
    )
    found = text(as_user(olu))
    for told in ("box", "version 9.9", "2 tasks", "screen, media", "Silent for 10 min", "5 h"):
        assert told in found
    for told in ("a-service", "1,234", "5.00 USD", "of 10.00 USD", "Late", "Nobody claims"):
        assert told in found


def test_without_any_process_it_says_so(olu: User, as_user: ClientFor):
    assert "No worker, sweeper or scheduler has told of itself" in text(as_user(olu))


def test_a_pause_is_asked_for_done_and_shown_to_every_moderator(
    olu: User, ada: User, garden, as_user: ClientFor
):
    client = as_user(olu)
    asked = text(client, "admin:moderation_lane_pause", "screen")
    assert "Nothing is lost and nothing is approved" in asked
    assert not LanePause.objects.exists()
    answer = press(client, "pause", note="<b>The service moves.</b>")
    assert "Within two seconds" in answer.content.decode()
    pause = LanePause.objects.get()
    assert (pause.lane, pause.paused_by, pause.note) == ("screen", olu, "<b>The service moves.</b>")
    queued(garden)
    seen = as_user(ada).get(reverse("admin:moderation_review_changelist")).content.decode()
    assert "Paused: Known authors" in seen
    assert "&lt;b&gt;The service moves." in seen
    assert "Look at it" not in seen  # that page is not hers
    press(client, "resume")
    assert not LanePause.objects.exists()
    seen = as_user(ada).get(reverse("admin:moderation_review_changelist")).content.decode()
    assert "Paused:" not in seen
    events = AuditEvent.objects.filter(subject_kind="lane").order_by("pk")
    assert [event.kind for event in events] == ["lane.paused", "lane.resumed"]
    assert all("service" not in str(event.facts) for event in events)


def test_what_is_done_already_is_said_and_not_done_twice(olu: User, as_user: ClientFor):
    client = as_user(olu)
    press(client, "pause")
    assert "paused already" in press(client, "pause").content.decode()
    assert AuditEvent.objects.filter(kind="lane.paused").count() == 1


def test_a_note_that_is_too_long_is_asked_for_again(olu: User, as_user: ClientFor):
    answer = press(as_user(olu), "pause", note="x" * 201)
    assert "at most 200" in answer.content.decode()
    assert not LanePause.objects.exists()


def test_what_is_stuck_is_put_back(olu: User, as_user: ClientFor):
    post = PostFactory.create()
    row = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, attempts=1
    )
    Submission.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(hours=5))
    client = as_user(olu)
    assert "Put back: 1." in press(client, "requeue", "screen").content.decode()
    assert "Nothing was stuck." in press(client, "requeue", "media").content.decode()


def test_a_worker_is_drained_and_let_claim_again(olu: User, worker: Heartbeat, as_user: ClientFor):
    client = as_user(olu)
    assert "Draining: finishes what it holds" in press(client, "drain", WORKER).content.decode()
    Heartbeat.objects.update(at_work=0)
    assert "Drained: it holds nothing" in text(client)
    press(client, "undrain", WORKER)
    worker.refresh_from_db()
    assert worker.drain_asked_at is None


@pytest.mark.parametrize("act", LANE_ACTS)
def test_lanes_are_not_for_moderators_and_leads(ada: User, lea: User, as_user: ClientFor, act: str):
    for user in (ada, lea):
        assert press(as_user(user), act).status_code == 403
        assert as_user(user).get(reverse(PAGE)).status_code == 403
    assert not AuditEvent.objects.filter(subject_kind="lane").exists()


def test_who_may_only_look_finds_no_buttons(rea: User, worker: Heartbeat, as_user: ClientFor):
    from django.contrib.auth.models import Permission

    rea.user_permissions.add(Permission.objects.get(codename="view_heartbeat"))
    client = as_user(rea)
    assert reverse("admin:moderation_lane_pause", args=["screen"]) not in text(client)
    assert press(client, "pause").status_code == 403


@pytest.mark.parametrize("act", LANE_ACTS)
def test_an_act_needs_the_forms_token(olu: User, act: str):
    client = Client(enforce_csrf_checks=True)
    client.force_login(olu, backend="django.contrib.auth.backends.ModelBackend")
    assert press(client, act).status_code == 403
    assert not AuditEvent.objects.filter(subject_kind="lane").exists()


@pytest.mark.parametrize(("act", "what"), [("pause", "nowhere"), ("drain", "nobody@box:1")])
def test_what_is_not_there_is_not_found(olu: User, as_user: ClientFor, act: str, what: str):
    assert press(as_user(olu), act, what).status_code == 404


def test_the_part_that_is_read_again_is_the_page_without_its_frame(
    olu: User, worker: Heartbeat, as_user: ClientFor
):
    found = text(as_user(olu), "admin:moderation_instance_now")
    assert "<html" not in found
    assert "box" in found


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (9e5, "10 d")],
)
def test_times_are_told_in_their_largest_unit(seconds: float, said: str):
    assert span(seconds) == said


def test_every_act_on_the_record_has_its_words():
    words = (Path(__file__).parents[2] / "moderation/admin/words.py").read_text()
    for kind in ("lane.paused", "lane.resumed", "lane.requeued", "process.drained"):
        assert f'"{kind}"' in words
