"""A pause keeps workers from claiming, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from moderation import queries
from moderation.coordination import own_process
from moderation.errors import Conflict, NotFound
from moderation.models import (
    AuditEvent,
    Endpoint,
    Heartbeat,
    LanePause,
    OutboxMessage,
    Post,
    Submission,
    VerdictRecord,
)
from moderation.models.screening import PARKED
from moderation.operations import lanes, valve
from moderation.operations.heartbeat import Heart
from moderation.pipeline import dispatch, notify
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.vocabulary import EndpointKind, Lane, ProcessRole, Status, Visibility
from tests.factories import CommunityFactory, PostFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return UserFactory.create(username="ada", is_superuser=True)


@pytest.fixture(autouse=True)
def _no_name_is_left():
    yield
    own_process.drop_name()


def due(lane: Lane = Lane.SCREEN, **fields: object) -> Submission:
    post = PostFactory.create()
    row = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, lane=lane, **fields
    )
    Submission.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(hours=1))
    return row


def kinds(subject: str) -> list[tuple[str, str]]:
    events = AuditEvent.objects.filter(subject_kind=subject).order_by("pk")
    return list(events.values_list("kind", "subject_id"))


def test_a_paused_lane_is_left_alone_and_goes_on_where_it_stopped(ada):
    row = due()
    Post.objects.filter(pk=row.post_id).update(status=Status.PENDING, visibility=Visibility.HELD)
    lanes.pause_lane(lane=Lane.SCREEN, user=ada, note="The service moves.")
    assert dispatch.drain(Lane.SCREEN) == 0
    row.refresh_from_db()
    row.post.refresh_from_db()
    assert (row.state, row.attempts) == ("due", 0)
    assert (row.post.status, row.post.visibility) == (Status.PENDING, Visibility.HELD)
    assert not VerdictRecord.objects.exists()
    lanes.resume_lane(lane=Lane.SCREEN, user=ada)
    assert dispatch.drain(Lane.SCREEN) == 1
    row.refresh_from_db()
    assert row.state == "decided"


def test_other_lanes_go_on(ada):
    due(Lane.SCREEN)
    due(Lane.SCREEN_HIGH)
    lanes.pause_lane(lane=Lane.SCREEN, user=ada)
    assert dispatch.sweep() == {Lane.SCREEN_HIGH}
    assert dispatch.drain(Lane.SCREEN_HIGH) == 1


def test_a_pause_is_a_row_that_every_process_reads_within_seconds(ada):
    assert not queries.is_stopped(Lane.SCREEN)
    LanePause.objects.create(lane=Lane.SCREEN)  # by another process
    queries.forget_lanes()  # what a second does
    assert queries.is_stopped(Lane.SCREEN)
    assert not queries.is_stopped(Lane.MEDIA)


def test_deliveries_wait_while_their_lane_is_paused(ada, monkeypatch):
    started: list[object] = []
    monkeypatch.setattr(notify, "_start", lambda endpoint: started.append(endpoint) or True)
    endpoint = Endpoint(community=CommunityFactory.create(), name="hook", secrets={})
    endpoint.url = "https://example.org/hook"
    endpoint.save()
    OutboxMessage.objects.create(endpoint=endpoint, message_id="msg_1", event_type="post.approved")
    lanes.pause_lane(lane=Lane.DELIVER, user=ada)
    assert notify.drain() == 0
    assert not notify._take_turn(endpoint.pk)
    assert OutboxMessage.objects.get().attempts == 0
    lanes.resume_lane(lane=Lane.DELIVER, user=ada)
    assert notify.drain() == 1
    assert started


def test_old_posts_are_not_sent_into_a_paused_lane(ada):
    lanes.pause_lane(lane=Lane.RESCAN, user=ada)
    assert "paused" in valve.hindrance(parse_policy(DEFAULT_DOCUMENT))


def test_everything_is_on_the_record_and_nothing_twice(ada):
    lanes.pause_lane(lane=Lane.MEDIA, user=ada)
    with pytest.raises(Conflict):
        lanes.pause_lane(lane=Lane.MEDIA, user=ada)
    lanes.resume_lane(lane=Lane.MEDIA, user=ada)
    with pytest.raises(Conflict):
        lanes.resume_lane(lane=Lane.MEDIA, user=ada)
    lanes.requeue_stuck(lane=Lane.MEDIA, user=ada)
    assert kinds("lane") == [
        ("lane.paused", "media"),
        ("lane.resumed", "media"),
        ("lane.requeued", "media"),
    ]
    assert set(AuditEvent.objects.values_list("actor_id", flat=True)) == {str(ada.pk)}


def test_what_is_stuck_is_due_at_once_and_its_holder_comes_too_late(ada):
    token = uuid4()
    held = due(
        attempts=1, lease_token=token, lease_until=queries.database_now() + timedelta(hours=1)
    )
    put_off = due(attempts=2)
    Submission.objects.filter(pk=put_off.pk).update(due_at=Now() + timedelta(hours=1))
    assert dispatch.drain(Lane.SCREEN) == 0
    assert lanes.requeue_stuck(lane=Lane.SCREEN, user=ada) == 2
    held.refresh_from_db()
    assert (held.lease_token, held.attempts) == (None, 1)
    assert dispatch.drain(Lane.SCREEN) == 2


def test_what_waits_for_a_service_or_is_fresh_is_left_alone(ada):
    due(attempts=1, last_error=PARKED)
    due(attempts=0)
    young = due(attempts=1)
    Submission.objects.filter(pk=young.pk).update(created_at=Now())
    due(Lane.MEDIA, attempts=1)
    assert lanes.requeue_stuck(lane=Lane.SCREEN, user=ada) == 0


@pytest.mark.parametrize(
    ("attempts", "kind", "number"),
    [
        (1, EndpointKind.WEBHOOK, 1),
        (0, EndpointKind.WEBHOOK, 0),  # waits until its decision can no longer be undone
        (1, EndpointKind.STREAM, 0),  # keeps its turn
    ],
)
def test_deliveries_that_failed_are_tried_now(ada, attempts, kind, number):
    endpoint = Endpoint(community=CommunityFactory.create(), name="hook", kind=kind, secrets={})
    endpoint.url = "https://example.org/hook"
    endpoint.save()
    OutboxMessage.objects.create(
        endpoint=endpoint,
        message_id="msg_1",
        event_type="post.approved",
        attempts=attempts,
        due_at=queries.database_now() + timedelta(hours=1),
    )
    assert lanes.requeue_stuck(lane=Lane.DELIVER, user=ada) == number


def test_a_drained_worker_claims_nothing_while_others_do(ada):
    heart = Heart(ProcessRole.WORKER, lanes=[Lane.SCREEN])
    heart.beat()
    due()
    lanes.drain_process(name=heart.name, user=ada)
    assert dispatch.drain(Lane.SCREEN) == 0
    own_process.drop_name()  # another process
    assert dispatch.drain(Lane.SCREEN) == 1
    assert kinds("process")[0][0] == "process.drained"


def test_a_worker_can_be_let_claim_again(ada):
    heart = Heart(ProcessRole.WORKER, lanes=[Lane.SCREEN])
    heart.beat()
    lanes.drain_process(name=heart.name, user=ada)
    with pytest.raises(Conflict):
        lanes.drain_process(name=heart.name, user=ada)
    lanes.undrain_process(name=heart.name, user=ada)
    assert not queries.is_stopped(Lane.SCREEN)


def test_only_what_claims_can_be_drained(ada):
    Heart(ProcessRole.SWEEPER).beat()
    with pytest.raises(Conflict):
        lanes.drain_process(name=Heartbeat.objects.get().name, user=ada)
    with pytest.raises(NotFound):
        lanes.drain_process(name="nobody", user=ada)


def test_lateness_goes_by_the_oldest_due_row_that_nobody_paused(ada):
    assert not queries.is_late()
    row = due()
    Submission.objects.filter(pk=row.pk).update(due_at=Now() - timedelta(minutes=10))
    queries.forget_lanes()
    assert queries.overdue_seconds() > 500
    assert queries.is_late()
    lanes.pause_lane(lane=Lane.SCREEN, user=ada)
    assert not queries.is_late()


def test_what_is_held_or_put_off_is_not_late():
    row = due()
    Submission.objects.filter(pk=row.pk).update(
        due_at=Now() - timedelta(minutes=10),
        lease_token=uuid4(),
        lease_until=Now() + timedelta(minutes=1),
    )
    later = due()
    Submission.objects.filter(pk=later.pk).update(due_at=Now() + timedelta(minutes=1))
    assert queries.overdue_seconds() == 0.0
