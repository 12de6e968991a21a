"""A key's tier: how much it may send, and how soon that is looked at while many wait."""

from datetime import timedelta

import pytest
from django.db import DatabaseError

from moderation import communities, queries
from moderation.api import answers
from moderation.credentials import Tier, forget_keys, tier_of
from moderation.models import ApiKey, AuditEvent, Post, Submission
from moderation.pipeline.judging.lease import claim
from moderation.vocabulary import Lane, Priority, Status
from tests.api.conftest import POSTS, Api, person
from tests.api.test_documents import DOCUMENT, conforms
from tests.api.test_limits import left_of
from tests.api.test_posts import fields_of
from tests.factories import make_key
from tests.pipeline.helpers import drain_all

KEYS = "/api/v1/keys"
SLOW = Tier(0.001, 2, Priority.LOW)


@pytest.fixture
def with_tier(community):
    """Return a caller whose key has a tier."""

    def make(tier, scopes=("submit", "read")):
        key, text = make_key(community, list(scopes))
        communities.change_tier(key=key, tier=tier, user=None)
        forget_keys()
        return Api(text)

    return make


@pytest.fixture
def document(anonymous):
    return anonymous.get(DOCUMENT).json()


def _submission(answer):
    assert answer.status_code == 202, answer.content
    return Submission.objects.get(post=answer.json()["id"])


# How much


def test_a_keys_own_rate_holds_and_the_headers_say_so(with_tier, keyed):
    slow = with_tier(SLOW)
    sent = [slow.send("POST", POSTS, person()) for _ in range(3)]
    assert [answer.status_code for answer in sent] == [202, 202, 429]
    assert sent[0]["RateLimit-Policy"] == '"key";q=2;w=2000'
    assert left_of(sent[0]) == ("key", 1)
    assert "q=5000;w=3" in keyed.send("POST", POSTS, person())["RateLimit-Policy"]


def test_a_new_key_has_its_makers_tier_and_never_more(with_tier, document):
    managing = with_tier(Tier(50.0, 100, Priority.NORMAL), ["admin"])
    made = managing.send("POST", KEYS, {"scopes": ["read"]})
    conforms(document, made, "issue_key")
    assert tier_of(ApiKey.objects.get(key_id=made.json()["id"])) == Tier(50.0, 100)
    less = {"rate_per_second": 5, "rate_burst": 10, "priority": "low"}
    lesser = managing.send("POST", KEYS, {"scopes": ["read"], **less}).json()
    assert {name: lesser[name] for name in less} == less
    more = {"rate_per_second": 51, "rate_burst": 101, "priority": "high"}
    assert fields_of(managing.send("POST", KEYS, {"scopes": ["read"], **more})) == list(more)


def test_a_successor_keeps_the_tier(with_tier):
    managing = with_tier(Tier(50.0, 100, Priority.HIGH), ["admin"])
    own = ApiKey.objects.get()
    successor = managing.send("POST", f"{KEYS}/{own.key_id}/rotate").json()
    assert tier_of(ApiKey.objects.get(key_id=successor["id"])) == tier_of(own)


def test_a_change_of_tier_is_on_the_record(with_tier):
    with_tier(SLOW)
    facts = AuditEvent.objects.get(kind="key.changed").facts
    assert (facts["rate_per_second"], facts["rate_burst"], facts["priority"]) == (0.001, 2, "low")


# How soon


@pytest.fixture
def backlog(keyed):
    """Twenty posts of a key without a tier, which have waited for two minutes."""
    for number in range(20):
        keyed.send("POST", POSTS, person(f"p{number}"))
    early = timedelta(minutes=2)
    for one in Submission.objects.all():
        one.created_at, one.rank_at = one.created_at - early, one.rank_at - early
        one.save()
    queries.forget_everything()


def _order():
    """Claim all that waits; return the posts in the order in which they are looked at."""
    return [claim(Lane.SCREEN_HIGH, 1)[0].post.pk for _ in range(Submission.objects.count())]


def test_posts_of_a_key_that_stands_before_others_overtake_a_backlog(with_tier, backlog):
    low = _submission(with_tier(Tier(priority=Priority.LOW)).send("POST", POSTS, person("lo")))
    high = _submission(with_tier(Tier(priority=Priority.HIGH)).send("POST", POSTS, person("hi")))
    order = _order()
    assert (order[0], order[-1]) == (high.post_id, low.post_id)


def test_nobody_waits_for_what_came_ten_minutes_later(with_tier):
    first = _submission(with_tier(Tier(priority=Priority.LOW)).send("POST", POSTS, person("lo")))
    ten_minutes = timedelta(minutes=10, seconds=1)
    Submission.objects.update(rank_at=first.rank_at - ten_minutes)
    _submission(with_tier(Tier(priority=Priority.HIGH)).send("POST", POSTS, person("hi")))
    assert _order()[0] == first.post_id


def test_an_edit_keeps_to_the_tier_too(with_tier):
    high = with_tier(Tier(priority=Priority.HIGH))
    made = high.send("POST", POSTS, person())
    high.send("PATCH", made["Location"], {"body": "Riper."})
    edited = Submission.objects.get(post=made.json()["id"], revision=2)
    assert edited.due_at - edited.rank_at >= timedelta(seconds=300)


# Under extreme load


def test_under_a_backlog_posts_are_delayed_and_none_is_dropped(keyed, backlog, document):
    sent = [keyed.send("POST", POSTS, person(f"late{number}")) for number in range(5)]
    sent.append(keyed.send("POST", f"{POSTS}/bulk", {"posts": [person("bulk")] * 5}))
    sent.append(keyed.send("POST", "/api/v1/content/submit", {"text": "Hi", "userId": "c"}))
    assert {answer.status_code for answer in sent} == {202}
    assert all(120 <= int(answer["X-Gatehouse-Delay"]) < 180 for answer in sent)
    assert {answer["Retry-After"] for answer in sent} == {"60"}
    drain_all()
    assert set(Post.objects.values_list("status", flat=True)) == {Status.APPROVED}
    assert Post.objects.count() == 31
    queries.forget_everything()
    assert "X-Gatehouse-Delay" not in keyed.send("POST", POSTS, person())


def test_a_post_that_is_stored_is_accepted_though_nobody_can_say_how_late_it_is(keyed, monkeypatch):
    def fail():
        raise DatabaseError

    monkeypatch.setattr(answers.queries, "oldest_due_seconds", fail)
    assert keyed.send("POST", POSTS, person()).status_code == 202
