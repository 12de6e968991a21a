"""How much a caller may ask for, and what the headers say of it."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from moderation.api import limits as limits_module
from moderation.api.limits import Bucket, spend
from moderation.coordination.token_bucket import Limit
from moderation.errors import RateLimited
from moderation.models import Post
from tests.api.conftest import POSTS, Api, person
from tests.api.test_posts import problem_of
from tests.factories import PostFactory, make_key, site_author

# Slow enough that no token comes back while a test runs.
SLOW = 0.001
LIVE = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


def left_of(answer):
    name, left, _ = LIVE.fullmatch(answer["RateLimit"]).groups()
    return name, int(left)


def test_a_user_is_told_what_is_left_and_then_when_to_come_back(bo, limits):
    limits(rate_burst=2, rate_per_second=0.1)
    sent = {"community": "garden", "text": "Ripe."}
    answers = [bo.send("POST", POSTS, sent) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert [left_of(answer) for answer in answers] == [("author", 1), ("author", 0), ("author", 0)]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"author";q=2;w=20'}
    assert answers[0]["RateLimit"] == '"author";r=1;t=10'
    body = problem_of(answers[2])
    assert body["code"] == "rate_limited"
    assert body["violated-policies"] == ["author"]
    assert 8 <= int(answers[2]["Retry-After"]) <= 10
    assert Post.objects.count() == 2


def test_one_users_limit_is_not_anothers(bo, cy, limits):
    limits(rate_burst=1, rate_per_second=SLOW)
    sent = {"community": "garden", "text": "Ripe."}
    assert bo.send("POST", POSTS, sent).status_code == 202
    assert bo.send("POST", POSTS, sent).status_code == 429
    assert cy.send("POST", POSTS, sent).status_code == 202


def test_a_key_has_the_keys_limit_whoever_it_writes_for(keyed, limits):
    limits(rate_burst=1, rate_per_second=SLOW, key_rate_burst=3, key_rate_per_second=SLOW)
    answers = [keyed.send("POST", POSTS, person("bo")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert left_of(answers[0]) == ("key", 2)


def test_one_keys_limit_is_not_anothers(keyed, community, limits):
    limits(key_rate_burst=1, key_rate_per_second=SLOW)
    keyed.send("POST", POSTS, person())
    assert keyed.send("POST", POSTS, person()).status_code == 429
    assert Api(make_key(community)[1]).send("POST", POSTS, person()).status_code == 202


def test_a_bulk_request_takes_a_token_a_post(keyed, limits):
    limits(key_rate_burst=5, key_rate_per_second=SLOW)
    first = keyed.send("POST", f"{POSTS}/bulk", {"posts": [person()] * 3})
    assert left_of(first) == ("key", 2)
    second = keyed.send("POST", f"{POSTS}/bulk", {"posts": [person()] * 3})
    assert second.status_code == 429
    assert Post.objects.count() == 3
    third = keyed.send("POST", f"{POSTS}/bulk", {"posts": [person()] * 2})
    assert (third.status_code, left_of(third)) == (202, ("key", 0))


def test_a_bulk_request_above_the_burst_passes_when_the_bucket_is_full(keyed, limits):
    limits(key_rate_burst=2, key_rate_per_second=SLOW)
    assert keyed.send("POST", f"{POSTS}/bulk", {"posts": [person()] * 3}).status_code == 202
    assert keyed.send("POST", POSTS, person()).status_code == 429


@pytest.mark.parametrize(
    ("method", "address", "body", "status"),
    [
        ("POST", POSTS, person(), 202),
        ("POST", POSTS, {}, 400),
        ("POST", POSTS, b"{", 400),
        ("POST", POSTS, person(parent="018bcfe5-6800-7000-8000-000000000000"), 404),
        ("POST", f"{POSTS}/bulk", {"posts": [person()]}, 202),
        ("POST", f"{POSTS}/bulk", b"{", 400),
        ("POST", f"{POSTS}/bulk", {}, 400),
        ("POST", f"{POSTS}/bulk", b" " * (5 * 1024 * 1024 + 1), 413),
        ("POST", POSTS, b" " * (5 * 1024 * 1024 + 1), 413),
        ("PATCH", f"{POSTS}/7", {}, 404),
        ("DELETE", f"{POSTS}/7", None, 404),
        ("POST", "/api/v1/hint", {}, 400),
        ("POST", "/api/v1/check", {}, 400),
        ("POST", "/api/v1/check", b"{", 400),
        ("POST", "/api/v1/check", {"text": "Ripe."}, 200),
        ("POST", "/api/v1/content/submit", {}, 400),
        ("POST", "/api/v1/content/submit", {"text": "Ripe.", "userId": "bo"}, 202),
    ],
)
def test_every_answer_of_a_limited_address_says_what_is_left(keyed, method, address, body, status):
    answer = keyed.send(method, address, body)
    assert answer.status_code == status
    assert LIVE.fullmatch(answer["RateLimit"])
    assert re.fullmatch(r'"\w+";q=\d+;w=\d+', answer["RateLimit-Policy"])


def test_edits_and_deletions_take_tokens_too(bo, community, limits):
    post = PostFactory.create(author=site_author(bo.user, community))
    limits(rate_burst=2, rate_per_second=SLOW)
    assert bo.send("PATCH", f"{POSTS}/{post.pk}", {"body": "Riper."}).status_code == 202
    assert bo.send("DELETE", f"{POSTS}/{post.pk}").status_code == 204
    assert bo.send("DELETE", f"{POSTS}/{post.pk}").status_code == 429


def test_reading_takes_no_tokens(bo, limits):
    limits(rate_burst=1, rate_per_second=SLOW)
    answers = [bo.get(POSTS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "RateLimit" not in answers[0]


# Tokens that a process takes ahead


class Asked:
    """All that `spend` needs of a request."""


def spent(bucket, tokens=1):
    request = Asked()
    try:
        spend(request, bucket, tokens=tokens)
    except RateLimited:
        return False
    return True


def test_tokens_taken_ahead_are_never_more_than_the_bucket_holds(db):
    bucket = Bucket("key", "ahead", Limit(100, SLOW), ahead=7)
    with ThreadPoolExecutor(8) as pool:
        allowed = sum(pool.map(lambda _: spent(bucket), range(150)))
    # What one thread took ahead while another did too is forfeited.
    assert 50 <= allowed <= 100


def test_one_caller_alone_gets_all_that_the_bucket_holds(db):
    bucket = Bucket("key", "alone", Limit(100, SLOW), ahead=7)
    assert sum(spent(bucket) for _ in range(150)) == 100


def test_what_is_left_counts_what_was_taken_ahead(keyed, limits):
    limits(key_rate_burst=1000, key_rate_per_second=SLOW)
    answers = [keyed.send("POST", POSTS, person()) for _ in range(3)]
    assert [left_of(answer)[1] for answer in answers] == [999, 998, 997]


def test_tokens_taken_ahead_are_forfeited_after_a_moment(db, monkeypatch):
    monkeypatch.setattr(limits_module._Stock, "_KEEP_SECONDS", 0.0)
    bucket = Bucket("key", "stale", Limit(10, SLOW), ahead=5)
    assert sum(spent(bucket) for _ in range(10)) == 2


def test_a_large_request_takes_what_is_there_beside_what_was_taken_ahead(db):
    bucket = Bucket("key", "large", Limit(100, SLOW), ahead=5)
    assert spent(bucket)
    assert spent(bucket, tokens=95)
    assert not spent(bucket, tokens=5)


def test_the_last_tokens_are_given_though_they_are_too_few_to_take_ahead(db):
    bucket = Bucket("key", "last", Limit(7, SLOW), ahead=5)
    assert [spent(bucket) for _ in range(8)] == [True] * 7 + [False]
