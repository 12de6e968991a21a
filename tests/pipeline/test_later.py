"""Services that answer later: parked rows, polls, callbacks in any order, and who stood in."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from moderation import queries
from moderation.asking.calls import breaker_name
from moderation.coordination.breaker import Breaker
from moderation.coordination.callbacks import give_out
from moderation.errors import ProviderAuthFailed, ProviderUnavailable
from moderation.models import (
    CallbackMessage,
    Post,
    ProviderJob,
    ProviderResult,
    Reevaluation,
    Review,
    Submission,
    VerdictRecord,
)
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.dispatch import drain, sweep
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.judging import inbox
from moderation.pipeline.rejudging.again import send_again
from moderation.pipeline.rejudging.reevaluate import reevaluate
from moderation.providers.base import Answer, Callback
from moderation.vocabulary import Category, JobState, Lane, Outcome, Reason, Status, Visibility
from tests.asking.fakes import FakeService, LaterService, clean, toxic
from tests.pipeline.helpers import CLIENT, HARMLESS, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def later(monkeypatch, community):
    """A service that answers later, on the route of the community's texts."""
    made = LaterService(f"later-{uuid4().hex[:8]}")
    add_provider(monkeypatch, made)
    use_policy(community, route={"text": [made.name]})
    return made


def sent(community, body=HARMLESS):
    [post] = send(community, body)
    drain_all()
    return post


def come_due():
    """Let the waiting time of every parked row be over."""
    Submission.objects.filter(state="due").update(due_at=Now())
    ProviderJob.objects.filter(state=JobState.WAITING).update(poll_at=Now() - timedelta(seconds=1))


def call_back(service, body, *, token=None):
    token = ProviderJob.objects.latest("pk").token if token is None else token
    inbox.receive(service.name, Callback(token, {}, body.encode()))


def status(post):
    return Post.objects.get(pk=post.pk).status


def test_a_post_waits_for_its_service_without_being_asked_about_again(community, later):
    post = sent(community)
    row = Submission.objects.get(post=post)
    assert (row.state, row.lease_token, row.attempts) == ("due", None, 0)
    assert row.due_at > queries.database_now() + timedelta(seconds=20)
    assert ProviderJob.objects.get().state == JobState.WAITING
    come_due()
    drain_all()
    assert (len(later.calls), later.polled) == (1, ["job-1"])
    assert status(post) == Status.PENDING


@pytest.mark.parametrize(("verdict", "becomes"), [("clean", "approved"), ("toxic", "rejected")])
def test_a_callback_decides(community, later, verdict, becomes):
    post = sent(community)
    call_back(later, f"m1:{verdict}")
    drain_all()
    assert status(post) == becomes
    result = ProviderResult.objects.get()
    assert (result.provider, result.outcome) == (later.name, "judged")
    assert later.polled == []


def test_a_poll_decides_when_no_callback_comes(community, later):
    post = sent(community)
    later.answers["job-1"] = toxic(None)
    come_due()
    drain_all()
    assert status(post) == Status.REJECTED


def test_a_callback_may_only_say_that_there_is_something_to_read(community, later):
    post = sent(community)
    later.answers["job-1"] = toxic(None)
    call_back(later, "m1:done")
    drain_all()
    assert (status(post), later.polled) == (Status.REJECTED, ["job-1"])


def test_a_repeated_callback_counts_once(community, later):
    post = sent(community)
    for _ in range(3):
        call_back(later, "m1:clean")
    drain_all()
    assert status(post) == Status.APPROVED
    assert CallbackMessage.objects.count() == 1


def test_a_later_message_cannot_change_what_is_settled(community, later):
    post = sent(community)
    call_back(later, "m1:clean")
    call_back(later, "m2:toxic")
    drain_all()
    call_back(later, "m3:toxic")
    drain_all()
    assert status(post) == Status.APPROVED
    assert VerdictRecord.objects.count() == 1
    said = CallbackMessage.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(said) == ["settled", "stale", "stale"]


@pytest.mark.parametrize("token", ["", "guessed", "token-2"])
def test_an_address_that_no_job_has_is_refused(community, later, token):
    post = sent(community)
    with pytest.raises(Exception, match="No job"):
        call_back(later, "m1:toxic", token=token)
    assert CallbackMessage.objects.count() == 0
    assert status(post) == Status.PENDING


def test_a_forged_message_is_refused(community, later):
    sent(community)
    with pytest.raises(Exception, match="not authentic"):
        call_back(later, "forged:toxic")
    assert CallbackMessage.objects.count() == 0


def test_a_callback_about_an_older_revision_changes_nothing(community, later):
    post = sent(community, "First words that wait")
    old = ProviderJob.objects.get().token
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Second words that wait")
    drain_all()
    call_back(later, "m1:toxic", token=old)
    drain_all()
    assert status(post) == Status.PENDING
    call_back(later, "m2:clean")
    drain_all()
    assert status(post) == Status.APPROVED
    assert VerdictRecord.objects.get().revision == 2


def test_a_message_that_overtakes_its_job_is_used_when_the_job_is_known(community, later):
    early = CallbackMessage.objects.create(
        provider=later.name, message_id="m0", token="token-1", answer=toxic(None).to_json()
    )
    post = sent(community)
    drain_all()
    assert status(post) == Status.REJECTED
    early.refresh_from_db()
    assert (early.outcome, early.handled_at is None) == ("settled", False)


def test_a_message_stored_while_its_job_was_being_stored_is_swept_up(community, later):
    post = sent(community)
    CallbackMessage.objects.create(
        provider=later.name, message_id="m0", token="token-1", answer=toxic(None).to_json()
    )
    assert sweep() == {Lane(Submission.objects.get(post=post).lane)}
    drain_all()
    assert status(post) == Status.REJECTED


def test_a_job_that_never_ends_is_for_a_person(community, later):
    post = sent(community)
    ProviderJob.objects.update(expires_at=Now() - timedelta(seconds=1))
    come_due()
    drain_all()
    assert status(post) == Status.IN_REVIEW
    assert VerdictRecord.objects.get().rule == "not_judged"
    assert ProviderJob.objects.get().state == JobState.EXPIRED
    call_back(later, "m1:clean")
    drain_all()
    assert status(post) == Status.IN_REVIEW


def test_a_service_that_cannot_be_polled_is_polled_again_later(community, later):
    post = sent(community)
    later.answers["job-1"] = ProviderUnavailable("away")
    come_due()
    drain_all()
    job = ProviderJob.objects.get()
    assert (job.state, job.polls) == (JobState.WAITING, 1)
    assert status(post) == Status.PENDING


def test_what_others_said_meanwhile_is_not_paid_for_twice(monkeypatch, community, later):
    paid = FakeService(f"paid-{uuid4().hex[:8]}", clean)
    add_provider(monkeypatch, paid, cost_micros=50)
    use_policy(community, route={"text": ["local_text", paid.name, later.name]})
    post = sent(community)
    assert set(ProviderResult.objects.values_list("provider", flat=True)) == {paid.name}
    call_back(later, "m1:clean")
    drain_all()
    assert status(post) == Status.APPROVED
    assert len(paid.calls) == 1
    kept = ProviderResult.objects.values_list("provider", "cost_micros")
    assert set(kept) == {("local_text", 0), (paid.name, 50), (later.name, 0)}


def test_a_zombie_cannot_park(community, later):
    [post] = send(community, HARMLESS)
    from moderation.pipeline.judging.lease import claim
    from moderation.pipeline.judging.park import park
    from moderation.pipeline.judging.screen import screen

    lane = Lane(Submission.objects.get(post=post).lane)
    screened = screen(claim(lane, 10))
    Submission.objects.update(lease_token=uuid4())
    park(screened)
    assert not ProviderJob.objects.exists()


def test_who_failed_is_asked_again_when_it_has_recovered(monkeypatch, community):
    down = FakeService(f"down-{uuid4().hex[:8]}", ProviderUnavailable())
    add_provider(monkeypatch, down)
    route = [{"ask": [{"provider": down.name, "otherwise": ["local_text"]}]}]
    use_policy(community, route={"text": route})
    post = sent(community)
    assert status(post) == Status.APPROVED
    failed = ProviderResult.objects.get(provider=down.name)
    assert (failed.outcome, failed.stood_in) == ("failed", "local_text")
    assert Reevaluation.objects.get().provider == down.name

    assert reevaluate() == 0  # too soon
    down.says = toxic
    Reevaluation.objects.update(created_at=Now() - timedelta(minutes=1))
    assert reevaluate() == 1
    drain_all()
    assert status(post) == Status.REJECTED
    assert not Reevaluation.objects.exists()
    again = Submission.objects.get(post=post, reason=Reason.RESCAN)
    assert ProviderResult.objects.get(submission=again).provider == down.name


def test_a_post_that_was_edited_meanwhile_is_not_asked_about_again(monkeypatch, community):
    down = FakeService(f"down-{uuid4().hex[:8]}", ProviderUnavailable())
    add_provider(monkeypatch, down)
    route = [{"ask": [{"provider": down.name, "otherwise": ["local_text"]}]}]
    use_policy(community, route={"text": route})
    post = sent(community)
    down.says = clean
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Other words altogether")
    drain_all()
    Reevaluation.objects.update(created_at=Now() - timedelta(minutes=1))
    assert reevaluate() == 0
    assert not Reevaluation.objects.exists()


def test_stored_answers_are_enough_for_a_second_look(monkeypatch, community):
    paid = FakeService(f"paid-{uuid4().hex[:8]}", clean)
    add_provider(monkeypatch, paid, cost_micros=50)
    use_policy(community, route={"text": [paid.name]})
    post = sent(community)
    assert send_again([post.pk], actor=SYSTEM, facts={}) == 1
    drain(Lane.RESCAN)
    assert len(paid.calls) == 1
    again = ProviderResult.objects.get(submission__reason=Reason.RESCAN)
    assert (again.cached, again.cost_micros, again.outcome) == (True, 0, "judged")
    paid.model_version = "fake-2"
    send_again([post.pk], actor=SYSTEM, facts={})
    drain(Lane.RESCAN)
    assert len(paid.calls) == 2


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.NOT_JUDGED])
def test_a_job_that_ends_without_a_judgement_is_for_a_person(community, later, outcome):
    post = sent(community)
    later.answers["job-1"] = Answer(outcome, error="broken")
    come_due()
    drain_all()
    assert status(post) == Status.IN_REVIEW


def test_scores_come_through_a_job_as_they_were(community, later):
    sent(community)
    later.answers["job-1"] = Answer(
        Outcome.JUDGED, scores={Category.HATE: 0.4}, raw={"frames": [1, 2]}, model_version="v9"
    )
    come_due()
    drain_all()
    result = ProviderResult.objects.get()
    assert (result.scores, result.raw, result.model_version) == (
        {"hate": 0.4},
        {"frames": [1, 2]},
        "v9",
    )


def test_an_address_that_was_given_out_is_known_before_its_job(community, later):
    give_out(later.name, "token-1")
    call_back(later, "m1:toxic", token="token-1")
    assert CallbackMessage.objects.get().handled_at is None
    post = sent(community)
    drain_all()
    assert status(post) == Status.REJECTED


def test_a_message_at_one_jobs_address_about_another_settles_neither(community, later):
    post = sent(community)
    message = CallbackMessage.objects.create(
        provider=later.name,
        message_id="m1",
        token="token-1",
        job_id="job-7",
        answer=toxic(None).to_json(),
    )
    inbox.sweep_inbox()
    message.refresh_from_db()
    assert (message.handled_at, status(post)) == (None, Status.PENDING)


def test_a_key_that_is_refused_now_may_be_right_at_the_next_poll(community, later):
    post = sent(community)
    later.answers["job-1"] = ProviderAuthFailed()
    come_due()
    drain_all()
    assert ProviderJob.objects.get().state == JobState.WAITING
    later.answers["job-1"] = clean(None)
    Breaker(breaker_name(later.name)).release()
    come_due()
    drain_all()
    assert status(post) == Status.APPROVED


def test_a_second_look_that_fails_moves_nothing(monkeypatch, community):
    flaky = FakeService(f"flaky-{uuid4().hex[:8]}", clean)
    add_provider(monkeypatch, flaky)
    use_policy(community, route={"text": [flaky.name]})
    post = sent(community)
    flaky.says, flaky.model_version = ProviderUnavailable(), "fake-2"
    send_again([post.pk], actor=SYSTEM, facts={})
    drain(Lane.RESCAN)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert not Review.objects.exists()
    assert VerdictRecord.objects.latest("pk").rule == "not_judged"


def test_a_second_look_that_half_fails_is_for_a_person_where_something_was_found(
    monkeypatch, community
):
    flaky = FakeService(f"flaky-{uuid4().hex[:8]}", clean)
    finder = FakeService(f"finder-{uuid4().hex[:8]}", clean)
    add_provider(monkeypatch, flaky)
    add_provider(monkeypatch, finder)
    use_policy(community, route={"text": [flaky.name, finder.name]})
    post = sent(community)
    flaky.says, flaky.model_version = ProviderUnavailable(), "fake-2"
    finder.model_version = "fake-2"
    finder.says = lambda part: Answer(Outcome.JUDGED, scores={Category.HATE: 0.75})
    send_again([post.pk], actor=SYSTEM, facts={})
    drain(Lane.RESCAN)
    assert status(post) == Status.IN_REVIEW
