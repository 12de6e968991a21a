"""`/moderate` and `/moderate/batch`: the contract that clients know, without its open door."""

from __future__ import annotations

import hashlib

import pytest

from moderation.api.dialects.moderate import COVERS
from moderation.models import Post, Submission
from moderation.vocabulary import Category, Outcome, WordAction
from tests.api.conftest import Api
from tests.api.test_limits import SLOW
from tests.factories import CommunityFactory, OrganisationFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT
from tests.pipeline.test_enforce import use_policy

ONE, BATCH = "/moderate", "/moderate/batch"
FIELDS = {"content_id", "is_safe", "confidence", "action", "processing_time_ms", "categories"}
UNAVAILABLE = {"detail": "Content moderation service unavailable"}


@pytest.fixture
def client(key):
    return Api(key)


@pytest.fixture
def trusted(community):
    return Api(make_key(community, ["check", "admin"])[1])


def moderated(client, content, **more):
    answer = client.send("POST", ONE, {"content": content, **more})
    assert answer.status_code == 200, answer.content
    assert answer.json().keys() == FIELDS
    return answer.json()


def batch_of(client, *items, **more):
    answer = client.send("POST", BATCH, {"items": items, **more})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body.keys() == {"results", "total_processing_time_ms", "failed_items"}
    assert all(result.keys() == FIELDS for result in body["results"])
    return body


def wrong_places(answer):
    assert answer.status_code == 422, answer.content
    return [entry["loc"] for entry in answer.json()["detail"]]


# What is said


def test_a_threat_is_blocked(client):
    body = moderated(client, THREAT)
    assert (body["is_safe"], body["action"]) == (False, "block")
    assert body["categories"].keys() <= set(COVERS)
    assert body["confidence"] == max(body["categories"].values()) > 0.85
    assert body["processing_time_ms"] > 0
    assert body["content_id"] == hashlib.sha256(THREAT.encode()).hexdigest()[:32]


def test_a_harmless_text_is_safe(client):
    answer = client.send("POST", ONE, {"content": HARMLESS, "content_id": "c7"})
    body = answer.json()
    assert (body["is_safe"], body["action"], body["content_id"]) == (True, "allow", "c7")
    assert body["confidence"] < 0.5
    assert answer["X-Gatehouse-Model"].startswith("gatehouse-1-")
    assert answer["X-Gatehouse-Judged-By"].startswith("local_text=")
    assert "X-Gatehouse-Not-Judged" not in answer


@pytest.mark.parametrize(
    ("score", "action", "is_safe"),
    [
        (0.49, "allow", True),
        (0.5, "warn", True),
        (0.7, "review", False),
        (0.85, "block", False),
    ],
)
def test_the_policy_says_what_is_safe(client, scored, score, action, is_safe):
    scored(hate=score)
    body = moderated(client, "Hello")
    assert (body["action"], body["is_safe"], body["confidence"]) == (action, is_safe, score)
    assert body["categories"] == {"hate_speech": score}


def test_every_category_of_ours_is_one_of_the_contracts():
    covered = [category for categories in COVERS.values() for category in categories]
    assert sorted(covered) == sorted(Category)


def test_the_highest_of_several_scores_stands_for_a_category(client, scored):
    scored(toxic=0.2, harassment=0.4, severe_toxic=0.1)
    assert moderated(client, "Hello")["categories"] == {"harassment": 0.4}


def test_asking_for_categories_shortens_the_list_and_not_the_policy(client, scored):
    scored(hate=0.9, spam=0.1)
    body = moderated(client, "Hello", categories=["spam", "no_such_word"])
    assert body["categories"] == {"spam": 0.1}
    assert (body["action"], body["is_safe"], body["confidence"]) == ("block", False, 0.9)
    everything = moderated(client, "Hello", categories=["no_such_word"])["categories"]
    assert everything == {"hate_speech": 0.9, "spam": 0.1}


def test_a_word_that_the_community_blocks_is_certain(client, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    body = moderated(client, "A gurkin!")
    assert (body["action"], body["is_safe"], body["confidence"]) == ("block", False, 1.0)
    assert body["categories"] == {}


def test_nothing_is_stored(client):
    moderated(client, THREAT)
    batch_of(client, {"content": THREAT})
    for model in (Post, Submission):
        assert not model.objects.exists()


# When nobody judges


def test_a_text_that_nobody_judged_is_an_error(client, scored):
    scored(outcome=Outcome.FAILED)
    answer = client.send("POST", ONE, {"content": HARMLESS})
    assert (answer.status_code, answer.json()) == (503, UNAVAILABLE)


def test_a_text_that_nobody_judged_can_wait_for_a_person_but_is_never_safe(client, scored, limits):
    limits(moderate_fallback="review")
    scored(outcome=Outcome.FAILED)
    answer = client.send("POST", ONE, {"content": HARMLESS, "content_id": "c7"})
    body = answer.json()
    assert body.pop("processing_time_ms") >= 0
    assert body == {
        "content_id": "c7",
        "is_safe": False,
        "confidence": 0.0,
        "action": "review",
        "categories": {},
    }
    assert answer["X-Gatehouse-Not-Judged"] == "text"


def test_one_judge_of_two_that_fails_leaves_it_to_a_person(client, community):
    use_policy(community, route={"text": ["local_text", "gone"]})
    body = moderated(client, HARMLESS)
    assert (body["is_safe"], body["action"]) == (False, "review")
    assert body["categories"]


def test_a_batch_of_which_nobody_judged_anything_is_an_error(client, scored, limits):
    scored(outcome=Outcome.FAILED)
    answer = client.send("POST", BATCH, {"items": [{"content": HARMLESS}]})
    assert (answer.status_code, answer.json()) == (503, UNAVAILABLE)
    limits(moderate_fallback="review")
    body = batch_of(client, {"content": HARMLESS}, {"content": THREAT})
    assert [one["is_safe"] for one in body["results"]] == [False, False]
    assert {one["action"] for one in body["results"]} == {"review"}
    assert body["failed_items"] == 2


def test_items_that_nobody_judged_are_counted(client, scored):
    judge = scored(hate=0.1)
    fails = type(judge.says(None))(Outcome.FAILED, error="down")
    fine = judge.says(None)
    judge.says = lambda part: fails if part.text == "b" else fine
    answer = client.send("POST", BATCH, {"items": [{"content": word} for word in "abc"]})
    body = answer.json()
    assert [one["action"] for one in body["results"]] == ["allow", "review", "allow"]
    assert body["failed_items"] == 1
    assert answer["X-Gatehouse-Not-Judged"] == "items.1"


# Batches


def test_a_batch_is_answered_in_order(client):
    body = batch_of(client, {"content": THREAT, "content_id": "a"}, {"content": HARMLESS})
    assert [(one["content_id"], one["action"]) for one in body["results"]] == [
        ("a", "block"),
        ("batch_1", "allow"),
    ]
    assert body["failed_items"] == 0
    assert body["total_processing_time_ms"] >= sum(
        one["processing_time_ms"] for one in body["results"]
    )


def test_a_batch_has_up_to_100_items(client, scored):
    judge = scored(hate=0.1)
    items = [{"content": f"Tomato {number}"} for number in range(101)]
    assert len(batch_of(client, *items[:100])["results"]) == 100
    assert [len(call) for call in judge.calls] == [100]
    answer = client.send("POST", BATCH, {"items": items})
    assert answer.status_code == 400
    assert "at most 100" in answer.json()["detail"]


def test_an_empty_batch_has_no_results(client):
    body = batch_of(client)
    assert (body["results"], body["failed_items"]) == ([], 0)


def test_each_item_takes_a_token(client, limits):
    limits(key_rate_burst=3, key_rate_per_second=SLOW)
    assert client.send("POST", BATCH, {"items": [{"content": "a"}] * 2}).status_code == 200
    answer = client.send("POST", BATCH, {"items": [{"content": "a"}] * 2})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert answer.json().keys() == {"detail"}


# Whoever vouches for a text


def test_a_trusted_key_may_vouch_for_a_text(trusted, scored):
    judge = scored(hate=0.9)
    assert moderated(trusted, THREAT, bypass_moderation=True) == {
        "content_id": "bypassed",
        "is_safe": True,
        "confidence": 1.0,
        "action": "allow",
        "processing_time_ms": 0.0,
        "categories": {},
    }
    body = batch_of(trusted, {"content": "a", "bypass_moderation": True}, {"content": "b"})
    assert [one["action"] for one in body["results"]] == ["allow", "block"]
    assert judge.asked == ["b"]
    assert batch_of(trusted, {"content": "a", "bypass_moderation": True})["results"]


def test_no_other_key_may_vouch_for_a_text(client):
    sent = {"content": THREAT, "bypass_moderation": True}
    for address, body in [(ONE, sent), (BATCH, {"items": [{"content": "a"}, sent]})]:
        answer = client.send("POST", address, body)
        assert answer.status_code == 403
        assert "admin" in answer.json()["detail"]
    assert moderated(client, THREAT, bypass_moderation=False)["action"] == "block"


# Who asks


def test_a_key_is_needed_and_a_session_does_not_do(anonymous, bo):
    for client in (anonymous, bo, Api("gate_nonsense")):
        answer = client.send("POST", ONE, {"content": HARMLESS})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


def test_an_organisations_key_names_its_community(community):
    organisation = OrganisationFactory.create()
    lenient = CommunityFactory.create(organisation=organisation)
    never = {"warn": None, "review": None, "block": None}
    use_policy(lenient, thresholds={"default": never, "categories": {}})
    client = Api(make_key(organisation, ["check"])[1])
    assert moderated(client, THREAT, community=lenient.slug)["action"] == "allow"
    body = batch_of(client, {"content": THREAT}, community=lenient.slug)
    assert body["results"][0]["action"] == "allow"
    assert wrong_places(client.send("POST", ONE, {"content": "a"})) == [["body", "community"]]
    foreign = {"content": "a", "community": community.slug}
    assert client.send("POST", ONE, foreign).status_code == 404


def test_the_dialect_can_be_switched_off(client, limits):
    limits(dialects=frozenset({"openai"}))
    assert client.send("POST", ONE, {"content": "a"}).status_code == 404
    assert client.send("POST", BATCH, {"items": []}).status_code == 404


# What is refused


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "content"]),
        ({"content": ""}, ["body", "content"]),
        ({"content": "  "}, ["body", "content"]),
        ({"content": 7}, ["body", "content"]),
        ({"content": "a\x00"}, ["body", "content"]),
        ({"content": "a" * 40_001}, ["body", "content"]),
        ({"content": "a", "content_id": 7}, ["body", "content_id"]),
        ({"content": "a", "categories": "spam"}, ["body", "categories"]),
        ({"content": "a", "categories": [7]}, ["body", "categories"]),
        ({"content": "a", "bypass_moderation": "perhaps"}, ["body", "bypass_moderation"]),
        ([], ["body"]),
        (b"{", ["body"]),
        (b'{"content": "\xff"}', ["body"]),
        (b'{"content": "\\ud800"}', ["body", "content"]),
        (b"[" * 100_000, ["body"]),
    ],
)
def test_a_body_that_is_no_good_is_said_to_be(client, body, place):
    assert wrong_places(client.send("POST", ONE, body))[0] == place


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "items"]),
        ({"items": {}}, ["body", "items"]),
        ({"items": [{"content": "a"}, {}]}, ["body", "items", 1, "content"]),
        ({"items": ["a"]}, ["body", "items", 0]),
    ],
)
def test_a_batch_that_is_no_good_is_said_to_be(client, body, place):
    assert place in wrong_places(client.send("POST", BATCH, body))


def test_what_is_too_large_or_no_json_is_refused(client):
    huge = b'{"content": "' + b"a" * 6_000_000 + b'"}'
    assert client.send("POST", ONE, huge).status_code == 413
    assert client.send("POST", ONE, b"content=a", content_type="text/plain").status_code == 415
    answer = client.get(ONE)
    assert answer.status_code == 405
    assert answer.json().keys() == {"detail"}


# The contract's third address


def test_a_load_balancer_learns_that_all_is_well(anonymous):
    answer = anonymous.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
