"""1b · Edits and deletions."""

from __future__ import annotations

import pytest

from moderation.errors import NotFound, StaleRevision
from moderation.models import AuditEvent, PostRevision, Review, Submission
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.vocabulary import ReviewState, Status, SubmissionState, Visibility
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send


def edit(post, **fields):
    return edit_post(post_id=post.pk, base_revision=post.revision, actor=CLIENT, **fields)


def test_edit_makes_a_revision_that_must_be_judged(community):
    [post] = send(community, HARMLESS)
    drain_all()
    edited = edit(post, body="The beans are ripe")
    assert (edited.revision, edited.status) == (2, Status.PENDING)
    assert Submission.objects.get(post=post, revision=2).state == SubmissionState.DUE
    assert PostRevision.objects.get(post=post, revision=1).body == HARMLESS


def test_edit_supersedes_what_was_under_way(community):
    [post] = send(community, HARMLESS)
    edit(post, body="The beans are ripe")
    states = Submission.objects.filter(post=post).order_by("pk").values_list("state", flat=True)
    assert list(states) == [SubmissionState.SUPERSEDED, SubmissionState.DUE]
    assert drain_all() == 1


def test_edit_to_a_threat_does_not_ride_on_the_approval(community):
    [post] = send(community, HARMLESS)
    drain_all()
    edit(post, body=THREAT)
    drain_all()
    post.refresh_from_db()
    assert post.status in (Status.REJECTED, Status.IN_REVIEW)
    assert post.visibility != Visibility.PUBLIC


def test_hidden_post_does_not_come_back_by_being_edited(community):
    [post] = send(community, THREAT)
    drain_all()
    post.refresh_from_db()
    assert post.visibility != Visibility.PUBLIC
    edited = edit(post, body=HARMLESS)
    assert (edited.status, edited.visibility) == (Status.PENDING, Visibility.HELD)
    drain_all()
    edited.refresh_from_db()
    assert (edited.status, edited.visibility) == (Status.APPROVED, Visibility.PUBLIC)


def test_edit_closes_the_review_of_the_old_revision(community):
    community.policy = None
    [post] = send(community, THREAT)
    drain_all()
    Review.objects.filter(post=post).update(state=ReviewState.OPEN, closed_at=None)
    edit(post, body=HARMLESS)
    assert not Review.objects.filter(post=post, state=ReviewState.OPEN).exists()


def test_edit_of_an_older_revision_is_refused(community):
    [post] = send(community, HARMLESS)
    edit(post, body="second")
    with pytest.raises(StaleRevision):
        edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="third")


def test_edit_that_changes_nothing_is_no_revision(community):
    [post] = send(community, HARMLESS)
    assert edit(post, body=HARMLESS).revision == 1


def test_deleted_post_is_gone_and_stays_on_the_record(community):
    [post] = send(community, HARMLESS)
    delete_post(post_id=post.pk, actor=CLIENT)
    post.refresh_from_db()
    assert post.visibility == Visibility.DELETED
    assert drain_all() == 0
    kinds = AuditEvent.objects.filter(subject_id=str(post.pk)).order_by("sequence")
    assert [event.kind for event in kinds] == ["post.submitted", "post.deleted"]
    with pytest.raises(NotFound):
        delete_post(post_id=post.pk, actor=CLIENT)
