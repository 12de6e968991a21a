"""2a · Leases: whoever lost one cannot write, and one killer takes no neighbours."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from moderation import queries
from moderation.models import Author, Review, Submission, VerdictRecord
from moderation.pipeline import dispatch
from moderation.pipeline.enforcement.enforce import enforce
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.judging.judge import judge
from moderation.pipeline.judging.lease import claim, claim_one_again, release, renewing
from moderation.pipeline.judging.screen import screen
from moderation.vocabulary import Lane, Standing, Status, SubmissionState
from tests.factories import CommunityFactory
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send

HIGH = Lane.SCREEN_HIGH  # where new authors' posts wait


def expire_leases() -> None:
    Submission.objects.filter(lease_token__isnull=False).update(
        lease_until=Now() - timedelta(seconds=1)
    )


def test_claimed_submission_is_nobody_elses(community):
    send(community, HARMLESS, "Beans too")
    assert len(claim(HIGH, 1)) == 1
    assert len(claim(HIGH, 10)) == 1
    assert claim(HIGH, 10) == []


def test_riskier_author_goes_first_and_age_wins_in_the_end(community):
    Author.objects.create(community=community, external_id="new")
    Author.objects.create(community=community, external_id="watched", standing=Standing.WATCHED)
    [ordinary] = send(community, HARMLESS, writer="new")
    [watched] = send(community, HARMLESS, writer="watched")
    old = send(community, HARMLESS, writer="new")[0]
    Submission.objects.filter(post=old).update(rank_at=Now() - timedelta(minutes=10))
    order = [item.post.pk for item in claim(HIGH, 3)]
    ranks = dict(Submission.objects.values_list("post_id", "rank_at"))
    assert sorted(order, key=ranks.__getitem__) == [old.pk, watched.pk, ordinary.pk]
    first = claim  # claims are taken in rank order: the first of one is the oldest
    Submission.objects.update(lease_token=None, lease_until=None, attempts=0)
    assert first(HIGH, 1)[0].post.pk == old.pk


def test_expired_lease_is_claimed_again_and_alone(community):
    send(community, HARMLESS, "Beans too", "And peas")
    assert len(claim(HIGH, 10)) == 3
    expire_leases()
    assert claim(HIGH, 10) == []
    assert len(claim_one_again(HIGH)) == 1


def test_verdict_of_a_lost_lease_changes_nothing(community):
    [post] = send(community, THREAT)
    mine = claim(HIGH, 1)
    late = judge(screen(mine))
    expire_leases()
    theirs = claim_one_again(HIGH)
    assert len(enforce(judge(screen(theirs)))) == 1
    assert enforce(late) == []
    assert VerdictRecord.objects.filter(post=post).count() == 1


def test_verdict_on_an_edited_revision_changes_nothing(community):
    [post] = send(community, THREAT)
    late = judge(screen(claim(HIGH, 1)))
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=HARMLESS)
    assert enforce(late) == []
    drain_all()
    post.refresh_from_db()
    assert (post.status, post.revision) == (Status.APPROVED, 2)


def test_same_verdict_twice_counts_once(community):
    send(community, HARMLESS)
    judged = judge(screen(claim(HIGH, 1)))
    assert len(enforce(judged)) == 1
    assert enforce(judged) == []


def test_released_submission_waits_before_it_is_tried_again(community):
    send(community, HARMLESS)
    release(claim(HIGH, 1), error="ProviderUnavailable")
    submission = Submission.objects.get()
    assert submission.last_error == "ProviderUnavailable"
    assert submission.due_at > queries.database_now()
    assert claim_one_again(HIGH) == []


def test_post_whose_attempts_are_spent_goes_to_a_person(community):
    [post] = send(community, HARMLESS)
    Submission.objects.update(attempts=5)
    assert drain_all() == 1
    post.refresh_from_db()
    assert post.status == Status.IN_REVIEW
    assert Review.objects.get(post=post).rule == "not_judged"


def test_crash_while_screening_decides_nothing_and_gives_back(community, monkeypatch):
    send(community, HARMLESS)

    def crash(*_):
        raise RuntimeError("disk is gone")

    monkeypatch.setattr(dispatch, "screen", crash)
    assert dispatch.drain(HIGH) == 0
    submission = Submission.objects.get()
    assert (submission.state, submission.lease_token) == (SubmissionState.DUE, None)
    assert submission.last_error == "RuntimeError"


@pytest.mark.parametrize("lane", dispatch.SCREENING_LANES)
def test_sweep_names_the_lanes_that_wait(community, lane):
    send(community, HARMLESS)
    Submission.objects.update(lane=lane)
    assert dispatch.sweep() == {lane}


@pytest.mark.django_db(transaction=True)
def test_lease_is_kept_for_as_long_as_providers_take(settings):
    settings.MODERATION = {"lease_seconds": 0.5, "lease_renew_seconds": 0.1}
    send(CommunityFactory.create(), HARMLESS)
    with renewing(claim(HIGH, 1)):
        time.sleep(1.0)
        assert claim_one_again(HIGH) == []
    time.sleep(0.7)
    assert len(claim_one_again(HIGH)) == 1
