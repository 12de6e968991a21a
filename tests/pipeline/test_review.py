"""6 · Moderators decide; enforcements can be reversed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from moderation.errors import (
    InvalidSubmission,
    ModerationError,
    NotAllowed,
    NotFound,
    ReviewTaken,
    StaleRevision,
)
from moderation.models import AuditEvent, Author, Decision, Enforcement, Review
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review, escalate_review
from moderation.vocabulary import Action, ReviewLane, ReviewState, Standing, Status, Visibility
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send
from tests.pipeline.test_enforce import strict, use_policy

LEAD = (
    "view_review",
    "decide_review",
    "escalate_review",
    "reverse_enforcement",
    "decide_escalated",
)


@pytest.fixture
def ada(community):
    return make_moderator(community, LEAD)


@pytest.fixture
def queued(community):
    """A post in review, and its item."""
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    return post, Review.objects.get(post=post)


def decide(review, moderator, action=Action.BLOCK, revision=1, reason="It threatens a person."):
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason=reason,
        seen_revision=revision,
    )


@pytest.mark.parametrize(
    ("action", "status", "visibility"),
    [
        (Action.ALLOW, Status.APPROVED, Visibility.PUBLIC),
        (Action.WARN, Status.APPROVED, Visibility.PUBLIC),
        (Action.BLOCK, Status.REJECTED, Visibility.HIDDEN),
    ],
)
def test_decision_settles_the_post(queued, ada, action, status, visibility):
    post, review = queued
    decide(review, ada, action)
    post.refresh_from_db()
    review.refresh_from_db()
    assert (post.status, post.visibility) == (status, visibility)
    assert review.state == ReviewState.DECIDED


def test_item_held_by_one_moderator_is_not_anothers(queued, ada, community):
    _, review = queued
    ben = make_moderator(community)
    hold_review(review_id=review.pk, moderator=ada)
    with pytest.raises(ReviewTaken):
        hold_review(review_id=review.pk, moderator=ben)
    with pytest.raises(ReviewTaken):
        decide(review, ben)


def test_decision_on_an_unseen_revision_is_refused(queued, ada):
    post, review = queued
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=HARMLESS)
    with pytest.raises((StaleRevision, ReviewTaken)):
        decide(review, ada)
    assert not Decision.objects.exists()


def test_second_decision_is_refused(queued, ada):
    _, review = queued
    decide(review, ada)
    with pytest.raises(ReviewTaken):
        decide(review, ada, Action.ALLOW)
    assert Decision.objects.count() == 1


def test_decision_needs_a_reason_and_an_action_that_decides(queued, ada):
    _, review = queued
    with pytest.raises(InvalidSubmission):
        decide(review, ada, reason="  ")
    with pytest.raises(InvalidSubmission):
        decide(review, ada, Action.REVIEW)


def test_moderator_of_another_community_may_not_decide(queued):
    _, review = queued
    stranger = make_moderator(CommunityFactory.create())
    with pytest.raises(NotAllowed):
        decide(review, stranger)


def test_looking_is_not_deciding(queued, community):
    _, review = queued
    reader = make_moderator(community, ["view_review"])
    with pytest.raises(NotAllowed):
        decide(review, reader)


def test_escalated_item_rises_and_is_free_again(queued, ada):
    _, review = queued
    hold_review(review_id=review.pk, moderator=ada)
    after = escalate_review(
        review_id=review.pk, moderator=ada, reason="Is this a quote?", seen_revision=1
    )
    assert (after.lane, after.holder) == (ReviewLane.ESCALATED, None)
    assert after.rank_at < review.rank_at


def test_reversal_undoes_exactly_its_own_effects(queued, ada):
    post, review = queued
    decide(review, ada, Action.BLOCK)
    assert Author.objects.get(pk=post.author_id).standing == Standing.WATCHED
    enforcement = Enforcement.objects.get(decision__isnull=False)
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=ada, reason="It was a quote.")
    post.refresh_from_db()
    # The machine's own hold stands: only the decision was taken back.
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert Author.objects.get(pk=post.author_id).standing == Standing.NEW
    machine = Enforcement.objects.get(verdict__isnull=False)
    reverse_enforcement(enforcement_id=machine.pk, moderator=ada, reason="Nor was the machine.")
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    with pytest.raises(NotFound):
        reverse_enforcement(enforcement_id=machine.pk, moderator=ada, reason="Again.")


def test_reversal_leaves_a_later_revision_and_a_deletion_alone(queued, ada):
    post, review = queued
    decide(review, ada, Action.BLOCK)
    enforcement = Enforcement.objects.get(decision__isnull=False)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=HARMLESS)
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=ada, reason="It was a quote.")
    post.refresh_from_db()
    assert (post.revision, post.status, post.visibility) == (2, Status.PENDING, Visibility.HELD)
    delete_post(post_id=post.pk, actor=CLIENT)
    machine = Enforcement.objects.get(verdict__isnull=False)
    reverse_enforcement(enforcement_id=machine.pk, moderator=ada, reason="Late.")
    post.refresh_from_db()
    assert post.visibility == Visibility.DELETED


def test_decision_and_reversal_are_on_the_record_without_their_words(queued, ada):
    post, review = queued
    decide(review, ada)
    enforcement = Enforcement.objects.get(decision__isnull=False)
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=ada, reason="It was a quote.")
    events = list(AuditEvent.objects.filter(subject_id=str(post.pk)).order_by("sequence"))
    assert [event.kind for event in events[-2:]] == ["decision.rejected", "enforcement.reversed"]
    assert "quote" not in str([event.facts for event in events])


@pytest.mark.django_db(transaction=True)
def test_two_moderators_at_once_make_one_decision():
    community = CommunityFactory.create()
    use_policy(community, thresholds=strict("review"))
    send(community, *[f"{THREAT} {number}" for number in range(10)])
    drain_all()
    moderators = [make_moderator(community), make_moderator(community)]
    for review in Review.objects.all():
        refused: list[ModerationError] = []
        start = threading.Barrier(2)

        def work(moderator, review=review, refused=refused, start=start):
            start.wait()
            try:
                decide(review, moderator)
            except ReviewTaken as error:
                refused.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=(who,)) for who in moderators]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
    assert Decision.objects.count() == 10
    assert Enforcement.objects.filter(decision__isnull=False).count() == 10


def test_edit_after_a_persons_rejection_comes_before_a_person_again(queued, ada, community):
    post, review = queued
    decide(review, ada, Action.BLOCK)
    use_policy(community)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=HARMLESS)
    drain_all()
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    again = Review.objects.get(post=post, state=ReviewState.OPEN)
    assert again.rule == "edited_after_rejection"
    decide(again, ada, Action.ALLOW, revision=2)
    edit_post(post_id=post.pk, base_revision=2, actor=CLIENT, body="The beans are ripe")
    drain_all()
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)


def test_escalated_item_is_decided_by_a_lead(queued, ada, community):
    _, review = queued
    ben = make_moderator(community, ["view_review", "decide_review", "escalate_review"])
    escalate_review(review_id=review.pk, moderator=ben, reason="A quote?", seen_revision=1)
    with pytest.raises(NotAllowed):
        decide(review, ben)
    decide(review, ada)
