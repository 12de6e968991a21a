"""A rescan turn by turn: nothing is left out or sent twice, whoever interrupts it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_results.models import TaskResult

from moderation.errors import Conflict, InvalidSubmission, NotAllowed
from moderation.models import AuditEvent, Post, Submission
from moderation.operations import ledger, valve
from moderation.operations import rescan as rescanning
from moderation.operations.rescan import start_rescan
from moderation.pipeline.rejudging.rescan import Selection
from moderation.vocabulary import Reason, Status, SubmissionState, Visibility
from tests.asking.fakes import FakeService
from tests.factories import PostFactory, UserFactory
from tests.operations.rescans.conftest import SINCE, UNTIL
from tests.pipeline.helpers import HARMLESS, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def posts(community):
    return [PostFactory.create(author__community=community) for _ in range(7)]


@pytest.fixture
def by_twos(monkeypatch):
    monkeypatch.setattr(rescanning, "BATCH", 2)


@pytest.fixture
def one_step(monkeypatch):
    """Let a turn end after its first step."""
    take_step = rescanning._take_step

    def take_one(work, turn):
        step = take_step(work, turn)
        return step if step is rescanning._Step.END else rescanning._Step.WAIT

    monkeypatch.setattr(rescanning, "_take_step", take_one)


def sent():
    """Return which posts were sent again, each as often as it was."""
    made = Submission.objects.filter(reason=Reason.RESCAN).order_by("pk")
    return list(made.values_list("post_id", flat=True))


def everyone(posts):
    return sorted(post.pk for post in posts)


def kinds(operation):
    events = AuditEvent.objects.filter(subject_id=operation, subject_kind="operation")
    return list(events.order_by("sequence").values_list("kind", flat=True))


def as_seen(operation, user):
    return ledger.get_operation(operation, user)


def test_everything_is_sent_once_and_its_end_is_on_the_record(posts, by_twos, rescan, broker, lea):
    operation = rescan()
    broker.do_all()
    assert sent() == everyone(posts)
    assert kinds(operation) == ["operation.started", "operation.finished"]
    end = AuditEvent.objects.get(kind="operation.finished")
    assert end.facts == {"done": 7, "total": 7, "sent": 7}
    seen = as_seen(operation, lea)
    assert (seen.percent, seen.state_label, seen.is_finished) == (100, "Done", True)
    said = AuditEvent.objects.filter(kind="post.rescanned").values_list("facts", "actor_id")
    assert set(map(str, said)) == {str(({"operation": operation}, str(lea.pk)))}


def test_only_what_matches_is_sent(posts, by_twos, community, broker, rescan, lea):
    rejected = posts[4]
    Post.objects.filter(pk=rejected.pk).update(status=Status.REJECTED, visibility=Visibility.HIDDEN)
    rescan(Selection(community.pk, SINCE, UNTIL, status=Status.REJECTED))
    operation = rescan(Selection(community.pk, SINCE, UNTIL, judged_by="nobody"))
    broker.do_all()
    assert sent() == [rejected.pk]
    assert as_seen(operation, lea).outcome["sent"] == 0


def test_a_worker_that_dies_in_a_batch_takes_nothing_with_it(
    posts, by_twos, rescan, broker, lea, monkeypatch
):
    operation = rescan()
    send_next, calls = rescanning._send_next, []

    def die_in_the_second(*given):
        calls.append(given)
        result = send_next(*given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(rescanning, "_send_next", die_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        broker.do_one()
    assert sent() == everyone(posts)[:2]
    assert as_seen(operation, lea).done == 2
    # Nobody rings for it any more; the scheduler does once it has been silent.
    assert (broker.messages, ledger.ring_for_silent_ones()) == ([], 0)
    _make_silent(operation)
    assert as_seen(operation, lea).state_label.startswith("Silent")
    assert ledger.ring_for_silent_ones() == 1
    drain_all()
    broker.do_all()
    assert sent() == everyone(posts)


def _make_silent(operation):
    TaskResult.objects.filter(task_id=operation).update(
        date_done=timezone.now() - timedelta(seconds=61)
    )


def test_a_message_that_comes_twice_makes_one_turn(posts, by_twos, one_step, rescan, broker):
    rescan()
    broker.do_one()
    broker.messages *= 2
    broker.do_one()
    broker.do_one()
    assert sent() == everyone(posts)[:4]
    assert len(broker.messages) == 1


def test_a_worker_that_was_frozen_does_not_go_on_beside_another(
    posts, by_twos, one_step, rescan, broker, monkeypatch
):
    operation = rescan()
    hindrance, looks = valve.hindrance, []

    def freeze_at_first(policy):
        looks.append(policy)
        if len(looks) == 1:
            rescanning.run_turn(operation, 1)  # another worker takes the next turn meanwhile
        return hindrance(policy)

    monkeypatch.setattr(valve, "hindrance", freeze_at_first)
    broker.do_one()
    assert sent() == everyone(posts)[:2]
    # Only the other one has rung for what comes next.
    assert [said["turn"] for _, said, _ in broker.messages] == [2]
    broker.do_all()
    assert sent() == everyone(posts)


def test_a_lost_row_loses_no_work(posts, by_twos, one_step, rescan, broker):
    """Celery tidies rows away after a day; a rescan may be paused for longer."""
    operation = rescan()
    broker.do_one()
    broker.messages.clear()
    assert sent() == everyone(posts)[:2]
    drain_all()
    TaskResult.objects.all().delete()
    rescanning.run_turn(operation)
    broker.do_all()
    assert sent() == everyone(posts)


# --- people ------------------------------------------------------------------------------------


def test_a_paused_rescan_rests_until_it_is_resumed(posts, by_twos, rescan, broker, lea, one_step):
    operation = rescan()
    broker.do_one()
    ledger.pause_operation(operation_id=operation, user=lea)
    seen = as_seen(operation, lea)
    assert (seen.state_label, seen.can_pause, seen.is_finished) == ("Paused", False, False)
    broker.do_all()
    _make_silent(operation)
    assert ledger.ring_for_silent_ones() == 0
    assert sent() == everyone(posts)[:2]
    drain_all()
    ledger.resume_operation(operation_id=operation, user=lea)
    broker.do_all(between=drain_all)
    assert sent() == everyone(posts)
    assert kinds(operation) == [
        "operation.started",
        "operation.paused",
        "operation.resumed",
        "operation.finished",
    ]
    assert AuditEvent.objects.get(kind="operation.paused").facts["done"] == 2


def test_a_cancelled_rescan_sends_no_more(posts, by_twos, rescan, broker, lea, one_step):
    operation = rescan()
    broker.do_one()
    ledger.cancel_operation(operation_id=operation, user=lea)
    broker.do_all()
    _make_silent(operation)
    assert ledger.ring_for_silent_ones() == 0
    assert sent() == everyone(posts)[:2]
    seen = as_seen(operation, lea)
    assert (seen.state_label, seen.is_finished, seen.percent) == ("Stopped", True, 28)


def test_what_is_pressed_too_late_says_so(posts, rescan, broker, lea):
    operation = rescan()
    with pytest.raises(Conflict):
        ledger.resume_operation(operation_id=operation, user=lea)
    ledger.pause_operation(operation_id=operation, user=lea)
    with pytest.raises(Conflict):
        ledger.pause_operation(operation_id=operation, user=lea)
    ledger.cancel_operation(operation_id=operation, user=lea)
    for press in (ledger.resume_operation, ledger.pause_operation, ledger.cancel_operation):
        with pytest.raises(Conflict):
            press(operation_id=operation, user=lea)


def test_the_same_is_not_started_twice(posts, rescan, broker, community):
    rescan()
    with pytest.raises(Conflict):
        rescan()
    rescan(Selection(community.pk, SINCE, UNTIL, status=Status.APPROVED))
    broker.do_all()
    rescan()


def test_who_may_start_one(everything, community, broker):
    with pytest.raises(NotAllowed):
        start_rescan(selection=everything, user=UserFactory.create(is_staff=True))
    assert broker.messages == []


def test_no_day_is_no_selection(community, lea, broker):
    with pytest.raises(InvalidSubmission):
        start_rescan(selection=Selection(community.pk, UNTIL, SINCE), user=lea)


# --- behind live traffic -----------------------------------------------------------------------


def test_the_lane_is_never_filled_ahead(posts, by_twos, rescan, broker, monkeypatch):
    monkeypatch.setattr(valve, "MOST_DUE", 3)
    rescan()
    most = []

    def look():
        due = Submission.objects.filter(state=SubmissionState.DUE, reason=Reason.RESCAN)
        most.append(due.count())
        if len(most) % 3 == 0:
            drain_all()

    broker.do_all(between=look)
    assert sent() == everyone(posts)
    assert max(most) == 3


def test_live_posts_come_first(posts, rescan, broker, community, lea):
    live = PostFactory.create(author__community=community)
    Submission.objects.create(
        post=live,
        revision=1,
        content_hash=live.content_hash,
        created_at=timezone.now() - timedelta(seconds=6),
    )
    operation = rescan()
    broker.do_one()
    assert sent() == []
    seen = as_seen(operation, lea)
    assert (seen.state_label, seen.waits_for) == ("Running", "Live posts come first.")
    assert broker.messages[0][2] == rescanning.PAUSE_SECONDS
    drain_all()
    broker.do_all()
    assert sent() == everyone([*posts, live])
    assert as_seen(operation, lea).waits_for == ""


def test_a_live_post_that_just_came_keeps_nobody(posts, rescan, broker, community):
    live = PostFactory.create(author__community=community)
    Submission.objects.create(post=live, revision=1, content_hash=live.content_hash)
    rescan()
    broker.do_all()
    assert sent() == everyone(posts)


def test_a_service_that_does_not_answer_is_waited_for(
    posts, rescan, broker, community, lea, monkeypatch
):
    """Else every old post that readers see would be held for want of an answer."""
    service = FakeService("paid")
    add_provider(monkeypatch, service)
    use_policy(community, route={"text": ["paid"]})
    state = {"now": valve.BreakerState.OPEN}
    monkeypatch.setattr(valve, "breaker_state", lambda _: state["now"])
    operation = rescan()
    broker.do_one()
    assert (sent(), as_seen(operation, lea).waits_for) == ([], "paid does not answer now.")
    state["now"] = valve.BreakerState.HALF_OPEN
    broker.do_one()
    assert len(sent()) == 2
    state["now"] = valve.BreakerState.CLOSED
    broker.do_all()
    assert sent() == everyone(posts)


def test_the_rest_of_a_days_money_is_for_live_posts(
    posts, rescan, broker, community, lea, monkeypatch
):
    service = FakeService("paid")
    add_provider(monkeypatch, service, cost_micros=10, daily_budget_micros=100)
    use_policy(community, route={"text": ["paid"]})
    send(community, *(f"{HARMLESS} {number}" for number in range(8)))
    drain_all()
    operation = rescan()
    broker.do_one()
    assert as_seen(operation, lea).waits_for == "paid has used up most of today's money."
    assert sent() == []
