"""Several items decided as one, each by its own decision, and taken back as one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from moderation import queries
from moderation.errors import InvalidSubmission, NotAllowed
from moderation.models import (
    Community,
    Decision,
    DecisionBatch,
    Enforcement,
    MediaItem,
    Post,
    Review,
)
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.enforcement.queueing import queue_facts
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.review.cluster import (
    MOST_TOGETHER,
    Picked,
    decide_together,
    reverse_together,
)
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, ActorKind, ReviewLane, Status, Visibility
from tests.admin.situations import queued
from tests.factories import CommunityFactory, make_moderator

SPAM = "Buy the best watches cheap at http://watches-{}.example now, only today! Dear {}, hurry."
LEADS = ("view_review", "decide_review", "reverse_enforcement")


@pytest.fixture
def garden(db: None) -> Community:
    community: Community = CommunityFactory()
    return community


@pytest.fixture
def ada(garden: Community) -> User:
    return make_moderator(garden, LEADS, username="ada")


@pytest.fixture
def lea(garden: Community) -> User:
    return make_moderator(garden, LEADS, username="lea")


def waiting(community: Community, body: str, **fields: Any) -> Review:
    """Return an open item with what it is found by, as the pipeline fills it in."""
    review = queued(community, title="", body=body, **fields)
    facts = queue_facts(
        title="",
        body=body,
        lane=ReviewLane.NEW,
        minutes={},
        now=queries.database_now(),
        has_media=False,
    )
    Review.objects.filter(pk=review.pk).update(**facts)
    review.refresh_from_db()
    return review


def picked(reviews: list[Review]) -> list[Picked]:
    return [Picked(review.pk, review.revision) for review in reviews]


def rejected(reviews: list[Review], moderator: User) -> DecisionBatch:
    done = decide_together(
        picked=picked(reviews), moderator=moderator, action=Action.BLOCK, reason="It is spam."
    )
    assert done.batch is not None
    return done.batch


def states(reviews: list[Review]) -> list[tuple[str, str]]:
    return [
        (post.status, post.visibility)
        for review in reviews
        for post in [Post.objects.get(pk=review.post_id)]
    ]


HIDDEN = (Status.REJECTED, Visibility.HIDDEN)
HELD = (Status.IN_REVIEW, Visibility.HELD)


def test_each_item_gets_its_own_decision_and_enforcement(garden: Community, ada: User) -> None:
    reviews = [waiting(garden, SPAM.format(number, "Bo")) for number in range(3)]
    batch = rejected(reviews, ada)
    assert states(reviews) == [HIDDEN] * 3
    decisions = batch.decisions.order_by("pk")
    assert [decision.review_id for decision in decisions] == [review.pk for review in reviews]
    assert Enforcement.objects.filter(decision__batch=batch, reversed_at=None).count() == 3
    assert {(one.action, one.reason) for one in decisions} == {("block", "It is spam.")}


def test_what_moved_on_or_is_held_is_left_out_and_named(
    garden: Community, ada: User, lea: User
) -> None:
    reviews = [waiting(garden, SPAM.format(number, "Bo")) for number in range(4)]
    seen = picked(reviews)
    edit_post(
        post_id=reviews[0].post_id,
        base_revision=1,
        actor=Actor(ActorKind.AUTHOR, str(reviews[0].post.author_id)),
        body="Something else altogether.",
    )
    hold_review(review_id=reviews[1].pk, moderator=lea)
    decide_review(
        review_id=reviews[2].pk, moderator=lea, action=Action.ALLOW, reason="Ok.", seen_revision=1
    )
    done = decide_together(picked=seen, moderator=ada, action=Action.BLOCK, reason="Spam.")
    assert [decision.review_id for decision in done.decisions] == [reviews[3].pk]
    assert list(done.left_out) == [review.pk for review in reviews[:3]]
    assert Decision.objects.filter(moderator=ada).count() == 1


def test_a_batch_of_which_nothing_was_decided_leaves_nothing(
    garden: Community, ada: User, lea: User
) -> None:
    review = waiting(garden, SPAM.format(1, "Bo"))
    hold_review(review_id=review.pk, moderator=lea)
    done = decide_together(
        picked=picked([review]), moderator=ada, action=Action.BLOCK, reason="Spam."
    )
    assert done.batch is None
    assert not DecisionBatch.objects.exists()


@pytest.mark.parametrize(
    ("count", "action", "reason"),
    [
        (0, Action.BLOCK, "Spam."),
        (1, Action.BLOCK, "  "),
        (1, Action.REVIEW, "Spam."),
        (MOST_TOGETHER + 1, Action.BLOCK, "Spam."),
    ],
)
def test_what_makes_no_batch_is_refused_whole(
    count: int, action: Action, reason: str, garden: Community, ada: User
) -> None:
    review = waiting(garden, SPAM.format(1, "Bo"))
    many = [Picked(review.pk + number, 1) for number in range(count)]
    with pytest.raises(InvalidSubmission):
        decide_together(picked=many, moderator=ada, action=action, reason=reason)
    assert not DecisionBatch.objects.exists()
    assert states([review]) == [HELD]


def test_items_of_two_communities_are_not_decided_as_one(garden: Community, ada: User) -> None:
    other = CommunityFactory()
    reviews = [waiting(garden, "One."), waiting(other, "Two.")]
    with pytest.raises(InvalidSubmission):
        rejected(reviews, ada)


def test_a_stranger_decides_nothing(garden: Community) -> None:
    cy = make_moderator(CommunityFactory(), LEADS, username="cy")
    review = waiting(garden, SPAM.format(1, "Bo"))
    done = decide_together(
        picked=picked([review]), moderator=cy, action=Action.BLOCK, reason="Spam."
    )
    assert (done.batch, states([review])) == (None, [HELD])


def test_a_batch_is_taken_back_as_one_exactly(garden: Community, ada: User, lea: User) -> None:
    reviews = [waiting(garden, SPAM.format(number, "Bo")) for number in range(3)]
    batch = rejected(reviews, ada)
    first = Enforcement.objects.get(decision__batch=batch, post=reviews[0].post)
    reverse_enforcement(enforcement_id=first.pk, moderator=lea, reason="Not this one.")
    back = reverse_together(batch_id=batch.pk, moderator=ada, reason="A mistake.")
    assert states(reviews) == [HELD] * 3
    assert [one.enforcement.post_id for one in back.reversed] == [
        review.post_id for review in reviews[1:]
    ]
    assert [one.pk for one in back.already] == [first.pk]
    first.refresh_from_db()
    assert first.reversal_reason == "Not this one."
    batch.refresh_from_db()
    assert batch.reversed_at is not None
    again = reverse_together(batch_id=batch.pk, moderator=ada, reason="Again.")
    assert (again.reversed, len(again.already)) == ([], 3)


def test_what_a_machine_did_before_stands_after_the_reversal(garden: Community, ada: User) -> None:
    review = waiting(garden, SPAM.format(1, "Bo"))
    before = list(Enforcement.objects.filter(post=review.post).values_list("pk", "reversed_at"))
    batch = rejected([review], ada)
    reverse_together(batch_id=batch.pk, moderator=ada, reason="A mistake.")
    standing = Enforcement.objects.filter(post=review.post, reversed_at=None)
    assert list(standing.values_list("pk", "reversed_at")) == before


def test_who_may_not_reverse_takes_nothing_back(garden: Community, ada: User) -> None:
    reviews = [waiting(garden, SPAM.format(number, "Bo")) for number in range(2)]
    batch = rejected(reviews, ada)
    mod = make_moderator(garden, username="mod")
    with pytest.raises(NotAllowed):
        reverse_together(batch_id=batch.pk, moderator=mod, reason="Please.")
    assert states(reviews) == [HIDDEN] * 2


# What is alike


def members(review: Review, user: User) -> set[int]:
    return {one.review.pk for one in queries.cluster_of(review, user).members}


def test_near_copies_are_found_and_others_are_not(garden: Community, ada: User) -> None:
    names = ["Peter", "Maria", "Ann", "Tomasz", "Dilek", "Jo"]
    copies = [waiting(garden, SPAM.format(4711 + n, name)) for n, name in enumerate(names)]
    waiting(garden, "The tomatoes are finally ripe, and so are the beans behind the shed.")
    assert members(copies[0], ada) == {copy.pk for copy in copies[1:]}


def test_the_same_text_in_other_signs_is_the_same(garden: Community, ada: User) -> None:
    one = waiting(garden, "Buy cheap watches, only today!")
    other = waiting(garden, "BUY  cheap\nwátches -- only today...")
    (found,) = queries.cluster_of(one, ada).members
    assert (found.review.pk, found.share) == (other.pk, 1.0)


@pytest.mark.parametrize("text", ["", "ok", "!!!", "thank you"])
def test_what_is_too_short_to_tell_is_like_nothing(text: str, garden: Community, ada: User) -> None:
    one, _ = waiting(garden, text), waiting(garden, text)
    assert members(one, ada) == set()


def test_only_open_items_of_ones_own_are_found(garden: Community, ada: User, lea: User) -> None:
    one, closed, edited, spam = (waiting(garden, SPAM.format(1, "Bo")) for _ in range(4))
    foreign = waiting(CommunityFactory(), SPAM.format(1, "Bo"))
    decide_review(
        review_id=closed.pk, moderator=lea, action=Action.ALLOW, reason="Ok.", seen_revision=1
    )
    Post.objects.filter(pk=edited.post_id).update(revision=2)
    Review.objects.filter(pk=spam.pk).update(category="spam")
    assert members(one, ada) == {spam.pk}
    ada.moderates.update(categories=["harassment"])
    assert members(one, ada) == set()
    assert foreign.pk not in members(one, lea)


def picture(review: Review, hashed: str) -> None:
    MediaItem.objects.create(
        community=review.community,
        author=review.post.author,
        post=review.post,
        state="ready",
        perceptual_hash=hashed,
    )
    Review.objects.filter(pk=review.pk).update(has_media=True)


def test_items_with_the_same_picture_are_found(garden: Community, ada: User) -> None:
    one, near, far, plain = (waiting(garden, f"Look {number}") for number in range(4))
    picture(one, "f" * 64)
    picture(near, "f" * 60 + "0000")
    picture(far, "0" * 64)
    picture(plain, "")
    (found,) = queries.cluster_of(one, ada).members
    assert (found.review.pk, found.share, found.distance) == (near.pk, None, 16)


def test_a_cluster_costs_the_same_however_long_the_queue_is(
    garden: Community, ada: User, django_assert_max_num_queries: Any
) -> None:
    reviews = [waiting(garden, SPAM.format(number, "Bo")) for number in range(30)]
    with django_assert_max_num_queries(6):
        found = queries.cluster_of(reviews[0], ada)
    assert len(found.members) == 29
