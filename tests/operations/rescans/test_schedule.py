"""Posts are looked at again as often as their community's policy says."""

from datetime import timedelta

import pytest
from celery import current_app

from moderation import queries, tasks
from moderation.models import AuditEvent, Post, Submission
from moderation.operations import ledger, schedule
from moderation.operations.schedule import start_scheduled_rescans
from moderation.vocabulary import ActorKind, Reason, SubmissionState, Visibility
from tests.factories import CommunityFactory, PostFactory
from tests.pipeline.helpers import drain_all
from tests.pipeline.test_enforce import use_policy

RHYTHM = {"every_days": 30, "younger_than_days": 365}


@pytest.fixture
def policy(community):
    return use_policy(community, rescan=RHYTHM)


def post(community, *, age_days=100, judged_days_ago=40, **fields):
    """Return a post of such an age that was last looked at so long ago."""
    made = PostFactory.create(author__community=community, **fields)
    now = queries.database_now()
    Post.objects.filter(pk=made.pk).update(
        created_at=now - timedelta(days=age_days),
        decided_at=now - timedelta(days=judged_days_ago),
    )
    return made


def sent():
    made = Submission.objects.filter(reason=Reason.RESCAN).order_by("pk")
    return list(made.values_list("post_id", flat=True))


def test_what_is_due_is_looked_at_again_the_oldest_verdict_first(
    community, policy, broker, monkeypatch
):
    monkeypatch.setattr("moderation.operations.rescan.BATCH", 1)
    newer, older = post(community, judged_days_ago=31), post(community, judged_days_ago=90)
    post(community, judged_days_ago=29)
    post(community, age_days=366)
    post(community, visibility=Visibility.HIDDEN)
    post(CommunityFactory.create())
    tasks.start_scheduled_rescans()
    broker.do_all()
    assert sent() == [older.pk, newer.pk]


def test_each_run_is_on_the_record_once(community, policy, broker):
    post(community)
    [operation] = start_scheduled_rescans()
    broker.do_all()
    start, end = AuditEvent.objects.filter(subject_id=operation).order_by("sequence")
    assert (start.kind, end.kind) == ("operation.started", "operation.finished")
    assert start.actor_kind == ActorKind.SYSTEM
    assert start.community_id == community.pk
    assert start.facts["every_days"] == 30
    assert end.facts["sent"] == 1


def test_what_was_looked_at_is_left_alone_until_it_is_due_again(community, policy, broker):
    post(community)
    start_scheduled_rescans()
    broker.do_all()
    drain_all()
    assert start_scheduled_rescans() == []
    Post.objects.update(decided_at=queries.database_now() - timedelta(days=31))
    assert len(start_scheduled_rescans()) == 1


def test_an_hour_brings_so_many_and_the_next_one_the_rest(community, policy, broker, monkeypatch):
    monkeypatch.setattr(schedule, "MOST_AN_HOUR", 2)
    by_age = [post(community, judged_days_ago=days).pk for days in (90, 80, 70)]
    start_scheduled_rescans()
    broker.do_all()
    assert sorted(sent()) == sorted(by_age[:2])
    drain_all()
    start_scheduled_rescans()
    broker.do_all()
    assert sent()[2:] == by_age[2:]


def test_a_run_that_is_not_through_is_not_overtaken(community, policy, broker):
    post(community)
    assert len(start_scheduled_rescans()) == 1
    assert start_scheduled_rescans() == []
    broker.do_all()
    Submission.objects.update(state=SubmissionState.DECIDED)
    assert len(start_scheduled_rescans()) == 1


def test_a_paused_run_keeps_the_next_ones_from_starting(community, policy, broker, lea):
    post(community)
    [operation] = start_scheduled_rescans()
    ledger.pause_operation(operation_id=operation, user=lea)
    assert start_scheduled_rescans() == []
    ledger.cancel_operation(operation_id=operation, user=lea)
    assert len(start_scheduled_rescans()) == 1


def test_a_policy_that_asks_for_nothing_starts_nothing(community, broker):
    post(community)
    assert start_scheduled_rescans() == []


def test_of_scheduled_runs_only_the_last_is_listed(community, policy, broker, lea, rescan):
    post(community)
    started = [start_scheduled_rescans()[0]]
    for _ in range(2):
        broker.do_all()
        Submission.objects.update(state=SubmissionState.DECIDED)
        started += start_scheduled_rescans()
    mine = rescan()
    listed = ledger.list_operations(lea)
    assert [operation.id for operation in listed] == [mine, started[-1]]
    assert listed[1].started_by == "the policy"


def test_the_scheduler_asks_for_tasks_that_there_are(settings):
    asked = settings.CELERY_BEAT_SCHEDULE.values()
    assert {entry["task"] for entry in asked} <= set(current_app.tasks)
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    assert {entry["options"]["queue"] for entry in asked} <= queues
