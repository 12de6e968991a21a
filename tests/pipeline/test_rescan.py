"""Old posts looked at again: which they are, in which order, and what becomes of them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db.models.functions import Now

from moderation import queries
from moderation.identifiers import first_id_at
from moderation.models import Post, ProviderResult, Review, Submission, VerdictRecord
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.rejudging import rescan
from moderation.pipeline.rejudging.rescan import (
    Selection,
    matching_posts,
    next_posts,
    rescan_posts,
    some_posts,
    tally,
    unseen_posts,
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


def id_at(moment):
    return UUID(int=first_id_at(moment).int + 1)


def chosen(selection, limit=2):
    """Walk to the end by twos; return what matched."""
    found, place, is_end = [], "", False
    while not is_end:
        walk = next_posts(selection, after=place, limit=limit)
        found += matching_posts(selection, walk.posts)
        place, is_end = walk.place, walk.is_end
    return found


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
    assert unseen_posts(selection, selection.judged_before).count() == 4


def test_no_step_reads_more_rows_than_a_window(community, monkeypatch):
    """However rare what is looked for: the walk goes on behind posts that do not fit."""
    monkeypatch.setattr(rescan, "WINDOW", 2)
    for _ in range(5):
        PostFactory.create(author__community=community)
    last = PostFactory.create(author__community=community, status=Status.REJECTED)
    selection = select(community, status=Status.REJECTED)
    first = next_posts(selection, after="", limit=10)
    assert (first.posts, first.is_end) == ([], False)
    assert chosen(selection) == [last.pk]


def test_the_walk_begins_a_day_before_its_first(community):
    """Ids and times come from two clocks; what is older than both needs no reading."""
    now = queries.database_now()
    ids = [id_at(now - timedelta(hours=hours)) for hours in (50, 25, 23)]
    for pk in ids:
        PostFactory.create(pk=pk, author__community=community, created_at=now)
    assert chosen(Selection(community.pk, now, UNTIL)) == [ids[2]]
    assert chosen(Selection(community.pk, now + timedelta(seconds=1), UNTIL)) == []


def test_posts_are_counted_and_a_large_number_is_worked_out(community, monkeypatch):
    now = queries.database_now()
    posts = [
        PostFactory.create(
            pk=id_at(now - timedelta(hours=hours)),
            author__community=community,
            created_at=now - timedelta(hours=hours),
        ).pk
        for hours in range(100, 0, -1)
    ]
    selection = Selection(community.pk, now - timedelta(hours=100), UNTIL)
    counted = tally(selection, now=now)
    assert (counted.number, counted.is_exact, counted.counted) == (100, True, posts)
    monkeypatch.setattr(rescan, "_COUNTING_WINDOW", 10)
    assert tally(selection, now=now).is_exact
    monkeypatch.setattr(rescan, "MOST_COUNTED", 20)
    counted = tally(selection, now=now)
    assert (counted.is_exact, counted.counted) == (False, posts[:20])
    assert 100 <= counted.number <= 110
    spread = some_posts(selection, number=40, now=now)
    # From two moments: the first hour, and the fiftieth.
    assert spread == [*posts[:20], *posts[50:70]]


def test_a_busy_day_before_the_first_is_not_counted(community, monkeypatch):
    monkeypatch.setattr(rescan, "_COUNTING_WINDOW", 2)
    monkeypatch.setattr(rescan, "MOST_COUNTED", 4)
    now = queries.database_now()
    since = now - timedelta(hours=2)
    for minutes in range(10):
        earlier = since - timedelta(minutes=1 + minutes)
        PostFactory.create(pk=id_at(earlier), author__community=community, created_at=earlier)
    post = PostFactory.create(author__community=community)
    counted = tally(Selection(community.pk, since, UNTIL), now=now)
    assert (counted.counted, counted.is_exact) == ([post.pk], True)


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
