"""One item before a moderator: its lease, its decision, and what happens when two meet."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.models import AuditEvent, Community, Decision, Post, Review
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, ActorKind, ReviewLane, ReviewState, Status, Visibility
from tests.admin.conftest import ClientFor
from tests.admin.situations import DECISION, queued


def desk_of(review: Review) -> str:
    return reverse("admin:moderation_review_change", args=[review.pk])


@pytest.fixture
def review(garden: Community) -> Review:
    return queued(garden)


def test_opening_an_item_takes_it(ada: User, review: Review, as_user: ClientFor) -> None:
    page = as_user(ada).get(desk_of(review)).content.decode()
    review.refresh_from_db()
    assert review.holder == ada
    assert "Give it back" in page


def test_reading_along_takes_nothing(rea: User, review: Review, as_user: ClientFor) -> None:
    page = as_user(rea).get(desk_of(review)).content.decode()
    review.refresh_from_db()
    assert review.holder is None
    assert page.count("You may look, not decide.") == 1
    assert "Nobody has decided yet." in page
    assert 'name="action"' not in page


def test_what_another_holds_is_shown_with_their_name(
    ada: User, lea: User, review: Review, as_user: ClientFor
) -> None:
    hold_review(review_id=review.pk, moderator=lea)
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert "lea holds this item" in page
    assert 'name="action"' not in page


def test_an_item_can_be_given_back(ada: User, review: Review, as_user: ClientFor) -> None:
    client = as_user(ada)
    client.get(desk_of(review))
    answer = client.post(reverse("admin:moderation_review_free", args=[review.pk]))
    review.refresh_from_db()
    assert answer.status_code == 302
    assert review.holder is None


def test_the_desk_shows_what_was_found_and_where(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert '<mark class="gh-mark" title="Harassment or insult">idiot</mark>' in page
    assert "Harassment or insult scored 0.78; the policy asks a person from 0.70." in page
    assert 'value="0.780"' in page
    assert "test-1" in page


@pytest.mark.parametrize(
    ("action", "status", "visibility", "logged"),
    [
        ("allow", Status.APPROVED, Visibility.PUBLIC, "Approved."),
        ("warn", Status.APPROVED, Visibility.PUBLIC, "Approved with a warning."),
        ("block", Status.REJECTED, Visibility.HIDDEN, "Rejected."),
    ],
)
def test_a_decision_is_enforced_and_logged(
    action: str,
    status: Status,
    visibility: Visibility,
    logged: str,
    ada: User,
    review: Review,
    as_user: ClientFor,
) -> None:
    answer = as_user(ada).post(desk_of(review), {**DECISION, "action": action})
    post = Post.objects.get(pk=review.post_id)
    entry = LogEntry.objects.get()
    assert answer.status_code == 302
    assert (post.status, post.visibility) == (status, visibility)
    assert (entry.user, entry.object_id, entry.change_message) == (ada, str(review.pk), logged)


def test_the_reason_is_the_picked_sentence_and_the_own_words(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    as_user(ada).post(desk_of(review), {**DECISION, "own_words": "See rule 3."})
    assert Decision.objects.get().reason == "It insults or harasses someone. See rule 3."


def test_a_decision_without_a_reason_is_refused(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    answer = as_user(ada).post(desk_of(review), {**DECISION, "picked": "", "own_words": "  "})
    assert answer.status_code == 400
    assert "State the reason" in answer.content.decode()
    assert not Decision.objects.exists()
    assert not LogEntry.objects.exists()


def test_an_escalated_item_rises_before_a_lead(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    as_user(ada).post(desk_of(review), {**DECISION, "action": "escalate", "picked": "danger"})
    before = review.rank_at
    review.refresh_from_db()
    assert review.lane == ReviewLane.ESCALATED
    assert review.rank_at < before
    assert LogEntry.objects.get().change_message == "Put before a lead."


def test_after_a_decision_comes_the_next_item(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    first, held, second = queued(garden), queued(garden), queued(garden)
    hold_review(review_id=held.pk, moderator=lea)
    answer = as_user(ada).post(desk_of(first), DECISION)
    assert answer["Location"] == desk_of(second)


def test_after_the_last_decision_comes_the_queue(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    answer = as_user(ada).post(desk_of(review), DECISION)
    assert answer["Location"] == reverse("admin:moderation_review_changelist")


def test_nobody_decides_on_a_text_that_they_did_not_see(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    edit_post(
        post_id=review.post_id,
        base_revision=1,
        actor=Actor(ActorKind.AUTHOR, "1"),
        body="You are kind",
    )
    answer = as_user(ada).post(desk_of(review), DECISION)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Nothing was decided." in page
    assert "You are kind" in page
    assert "idiot" in page
    assert not Decision.objects.exists()
    assert not LogEntry.objects.exists()


def test_the_second_of_two_moderators_learns_what_the_first_decided(
    ada: User, lea: User, review: Review, as_user: ClientFor
) -> None:
    decide_review(
        review_id=review.pk,
        moderator=lea,
        action=Action.ALLOW,
        reason="Fine.",
        seen_revision=1,
    )
    answer = as_user(ada).post(desk_of(review), DECISION)
    assert answer.status_code == 409
    assert "lea has decided: allow." in answer.content.decode()
    assert Decision.objects.count() == 1


def test_an_item_that_another_holds_is_not_decided(
    ada: User, lea: User, review: Review, as_user: ClientFor
) -> None:
    hold_review(review_id=review.pk, moderator=lea)
    answer = as_user(ada).post(desk_of(review), DECISION)
    assert answer.status_code == 409
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_a_reader_who_posts_a_decision_is_refused(
    rea: User, review: Review, as_user: ClientFor
) -> None:
    answer = as_user(rea).post(desk_of(review), DECISION)
    assert answer.status_code == 403
    assert "Nothing was decided." in answer.content.decode()
    assert not Decision.objects.exists()


def test_the_note_of_an_escalation_opens_only_to_those_who_decide(
    ada: User, rea: User, review: Review, as_user: ClientFor
) -> None:
    asked = {**DECISION, "action": "escalate", "picked": "", "own_words": "Look at rule 9."}
    as_user(ada).post(desk_of(review), asked)
    assert "Look at rule 9." in as_user(ada).get(desk_of(review)).content.decode()
    assert "Look at rule 9." not in as_user(rea).get(desk_of(review)).content.decode()
    assert "Look at rule 9." not in str(list(AuditEvent.objects.values_list("facts")))
