"""Old posts looked at again: which they are, in which order, and what becomes of them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from moderation import queries
from moderation.models import Post, ProviderResult, Review, Submission, VerdictRecord
from moderation.pipeline.record import SYSTEM
from moderation.pipeline.rescan import (
    Selection,
    matching_posts,
    next_posts,
    rescan_posts,
    walked_posts,
)
from moderation.vocabulary import (
    Action,
    Category,
    Lane,
    Outcome,
    Part,
    Reason,
    Status,
    SubmissionState,
    Visibility,
)
from tests.asking.fakes import FakeService, toxic
from tests.factories import PostFactory
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_enforce import decide, strict, use_policy

SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


def select(community, **fields):
    return Selection(community.pk, SINCE, UNTIL, **fields)


def judged(community, *, revision=1, **evidence):
    """Return a post with a verdict that rests on `provider={category: score}`."""
    post = PostFactory.create(author__community=community)
    look_at(post, revision, **evidence)
    return post


def look_at(post, revision=1, *, shadow=False, **evidence):
    submission = Submission.objects.create(
        post=post,
        revision=revision,
        content_hash=post.content_hash,
        state=SubmissionState.DECIDED,
        reason=Reason.RESCAN,
    )
    VerdictRecord.objects.create(
        submission=submission,
        post=post,
        revision=revision,
        content_hash=post.content_hash,
        action=Action.ALLOW,
        rule="nothing_fired",
        standing=post.author.standing,
    )
    for provider, scores in evidence.items():
        ProviderResult.objects.create(
            submission=submission,
            provider=provider,
            part_kind=Part.TEXT,
            part_key="text",
            outcome=Outcome.JUDGED if scores else Outcome.FAILED,
            scores=scores or {},
            shadow=shadow,
        )


def chosen(selection):
    """Walk to the end by twos; return what matched."""
    found, after = [], ""
    while True:
        posts, after = next_posts(selection, after=after, limit=2)
        if not posts:
            return found
        found += matching_posts(selection, posts)


# --- which posts ---------------------------------------------------------------------------------


def test_a_selection_is_a_community_and_its_days(community):
    mine = [PostFactory.create(author__community=community) for _ in range(3)]
    PostFactory.create()
    old = PostFactory.create(author__community=community)
    Post.objects.filter(pk=old.pk).update(created_at=SINCE - timedelta(seconds=1))
    deleted = PostFactory.create(
        author__community=community, deleted_at=UNTIL, visibility=Visibility.DELETED
    )
    assert chosen(select(community)) == sorted(post.pk for post in mine)
    assert deleted.pk not in chosen(select(community))
    Post.objects.filter(pk=old.pk).update(created_at=SINCE)
    assert len(chosen(select(community))) == 4
    Post.objects.filter(pk=old.pk).update(created_at=UNTIL)
    assert len(chosen(select(community))) == 3


def test_a_status_chooses(community):
    PostFactory.create(author__community=community)
    rejected = PostFactory.create(
        author__community=community, status=Status.REJECTED, visibility=Visibility.HIDDEN
    )
    assert chosen(select(community, status=Status.REJECTED)) == [rejected.pk]


@pytest.mark.parametrize(
    ("category", "least", "most", "fits"),
    [
        (Category.TOXIC, 0.6, 0.8, True),
        (Category.TOXIC, 0.7, 0.7, True),  # both ends belong to it
        (Category.TOXIC, 0.71, None, False),
        (Category.TOXIC, None, 0.69, False),
        (Category.TOXIC, None, None, True),
        (Category.HATE, 0.0, 0.3, True),
        (Category.SPAM, 0.0, 1.0, False),  # nobody judged it: that is no low score
        (None, 0.7, None, True),
        (None, None, 0.5, False),
    ],
)
def test_the_highest_score_of_a_category_chooses(community, category, least, most, fits):
    post = judged(community, one={"toxic": 0.7, "hate": 0.2}, other={"toxic": 0.1})
    selection = select(community, category=category, at_least=least, at_most=most)
    assert chosen(selection) == ([post.pk] if fits else [])


def test_only_the_newest_verdict_on_the_current_revision_counts(community):
    post = judged(community, one={"toxic": 0.9})
    look_at(post, one={"toxic": 0.2})
    assert chosen(select(community, category=Category.TOXIC, at_least=0.5)) == []
    edited = judged(community, one={"toxic": 0.9})
    Post.objects.filter(pk=edited.pk).update(revision=2)
    assert chosen(select(community, category=Category.TOXIC)) == [post.pk]


def test_who_judged_chooses(community):
    both = judged(community, one={"toxic": 0.1}, other={"toxic": 0.1})
    one = judged(community, one={"toxic": 0.1}, other=None)
    looked_on = judged(community, one={"toxic": 0.1})
    look_at(looked_on, other={"toxic": 0.1}, shadow=True)
    never = PostFactory.create(author__community=community)
    assert chosen(select(community, judged_by="other")) == [both.pk]
    others = sorted([one.pk, looked_on.pk, never.pk])
    assert chosen(select(community, not_judged_by="other")) == others
    assert chosen(select(community, judged_by="one", not_judged_by="other")) == [one.pk]


def test_a_selection_survives_the_record(community):
    full = select(
        community,
        status=Status.APPROVED,
        category=Category.HATE,
        at_least=0.0,
        at_most=0.5,
        judged_by="one",
        not_judged_by="other",
        judged_before=SINCE,
    )
    for selection in (full, select(community)):
        assert Selection.from_facts(community.pk, selection.to_facts()) == selection


def test_what_nobody_looked_at_for_longest_comes_first(community):
    days = {1: 5, 2: 40, 3: 35, 4: 40, 5: 31, 6: 40}
    posts = {}
    now = queries.database_now()
    for number, age in days.items():
        posts[number] = PostFactory.create(author__community=community).pk
        Post.objects.filter(pk=posts[number]).update(decided_at=now - timedelta(days=age))
    Post.objects.filter(pk=posts[5]).update(visibility=Visibility.HIDDEN)
    selection = select(community, judged_before=now - timedelta(days=30))
    # Of equal age are more than one step takes.
    assert chosen(selection) == [*sorted([posts[2], posts[4], posts[6]]), posts[3]]
    assert walked_posts(selection).count() == 4


# --- what becomes of them ------------------------------------------------------------------------


def again(posts):
    sent = rescan_posts(
        [post.pk for post in posts], asked_at=UNTIL, operation="an-operation", actor=SYSTEM
    )
    drain_all()
    for post in posts:
        post.refresh_from_db()
    return sent


def test_what_a_service_said_is_not_asked_again(community, monkeypatch):
    paid, added = FakeService("paid"), FakeService("added", toxic)
    for service in (paid, added):
        add_provider(monkeypatch, service, cost_micros=5)
    use_policy(community, route={"text": ["paid"]})
    posts = send(community, HARMLESS, "Beans too")
    drain_all()
    use_policy(community, route={"text": ["paid", "added"]})
    assert again(posts) == 2
    assert len(paid.asked) == 2
    assert sorted(added.asked) == sorted([HARMLESS, "Beans too"])
    assert {post.status for post in posts} == {Status.REJECTED}


def test_another_model_of_the_same_service_is_asked(community, monkeypatch):
    paid = FakeService("paid")
    add_provider(monkeypatch, paid)
    use_policy(community, route={"text": ["paid"]})
    posts = send(community, HARMLESS)
    drain_all()
    paid.model_version = "fake-2"
    again(posts)
    assert len(paid.asked) == 2


def test_a_rejection_by_a_person_stands(community):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    decide(post, community, Action.BLOCK)
    use_policy(community, thresholds={"default": {"warn": None, "review": None, "block": None}})
    again([post])
    assert (post.status, post.visibility) == (Status.REJECTED, Visibility.HIDDEN)
    assert not Review.objects.filter(post=post, state="open").exists()


def test_what_readers_see_waits_for_the_new_verdict(community):
    use_policy(community)
    hidden, shown = send(community, THREAT, HARMLESS)
    drain_all()
    rescan_posts([hidden.pk, shown.pk], asked_at=UNTIL, operation="an-operation", actor=SYSTEM)
    states = Post.objects.values_list("visibility", "status")
    expected = {(Visibility.HIDDEN, Status.REJECTED), (Visibility.PUBLIC, Status.APPROVED)}
    assert set(states) == expected
    drain_all()
    assert set(states.all()) == expected


def test_old_posts_that_wait_make_no_live_ones_wait(community):
    """Else a rescan would put the community's policy on its footing for overload."""
    use_policy(community, overload={"oldest_due_seconds": 60, "then": "hold"})
    [old] = send(community, HARMLESS)
    drain_all()
    rescan_posts([old.pk], asked_at=UNTIL, operation="an-operation", actor=SYSTEM)
    Submission.objects.filter(lane=Lane.RESCAN).update(created_at=Now() - timedelta(minutes=5))
    queries.forget_everything()
    assert queries.oldest_due_seconds() == 0.0
    assert send(community, "Beans too")[0].visibility == Visibility.PUBLIC
