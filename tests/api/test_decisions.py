"""A community's programs learn what was concluded of a post, and on what it rested."""

import json
import re

import pytest

from moderation.models import Decision, Effect, Enforcement, ProviderResult
from moderation.queries import history
from moderation.vocabulary import Action
from tests.api.conftest import POSTS, person
from tests.api.test_documents import conforms
from tests.api.test_posts import code_of, rejected
from tests.factories import PostFactory
from tests.pipeline.helpers import THREAT, drain_all


@pytest.fixture
def post(community):
    return PostFactory.create(author__community=community)


def concluded(client, post):
    answer = client.get(f"{POSTS}/{post.pk}/decisions")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_a_post_of_which_nothing_was_concluded_has_none(keyed, post):
    assert concluded(keyed, post) == []


def test_a_verdict_comes_with_its_evidence_and_effects(keyed, anonymous):
    made = keyed.send("POST", POSTS, person(text=THREAT)).json()
    drain_all()
    answer = keyed.get(f"{made['links']['self']}/decisions")
    conforms(anonymous.get("/api/v1/openapi.json").json(), answer, "list_decisions")
    [verdict] = answer.json()["results"]
    assert (verdict["by"], verdict["action"], verdict["part"]) == ("policy", "block", "text")
    assert verdict["score"] >= verdict["threshold"]
    assert "hide" in verdict["effects"]
    assert verdict["policy"] == {"revision": 1}
    found = {result["provider"]: result for result in verdict["evidence"]}
    assert found[verdict["provider"]]["scores"][verdict["category"]] == verdict["score"]
    assert THREAT not in json.dumps(verdict)


def test_what_was_asked_for_a_candidate_only_is_no_evidence(keyed, post):
    rejected(post)
    verdict = post.verdicts.get()
    for name, shadow in (("local_text", False), ("candidate", True)):
        ProviderResult.objects.create(
            submission=verdict.submission,
            provider=name,
            part_kind="text",
            part_key="text",
            outcome="judged",
            raw={"said": "much"},
            shadow=shadow,
        )
    [told] = concluded(keyed, post)
    assert [result["provider"] for result in told["evidence"]] == ["local_text"]
    assert "raw" not in told["evidence"][0]


def _decided(post, moderator):
    review = post.reviews.create(community=post.community, revision=1)
    decision = Decision.objects.create(
        review=review,
        post=post,
        revision=1,
        moderator=moderator,
        action=Action.BLOCK,
        reason="Threats are not for here.",
    )
    enforcement = Enforcement.objects.create(
        post=post, author=post.author, revision=1, action=Action.BLOCK, decision=decision
    )
    Effect.objects.create(enforcement=enforcement, kind="hide")
    return enforcement


def test_a_decision_is_told_without_who_made_it(keyed, ada, post):
    rejected(post)
    _decided(post, ada.user)
    newest, first = concluded(keyed, post)
    assert (newest["by"], first["by"]) == ("person", "policy")
    assert newest["reason"] == "Threats are not for here."
    assert newest["effects"] == ["hide"]
    # As a word: the ids are hexadecimal and may spell it.
    assert not re.search(r"\bada\b", json.dumps(newest))


def test_what_was_reversed_says_so(keyed, ada, post):
    _decided(post, ada.user)
    Enforcement.objects.update(reversed_at="2026-01-01T00:00:00Z")
    assert concluded(keyed, post)[0]["reversed_at"] == "2026-01-01T00:00:00Z"


def _judged_again(post, **fields):
    rejected(post, **fields)
    # A revision has one first look and any number of later ones.
    post.submissions.update(reason="rescan")


def test_it_costs_the_same_queries_however_many(keyed, post, ada, django_assert_max_num_queries):
    keyed.get(f"{POSTS}/{post.pk}/decisions")
    for _ in range(4):
        _judged_again(post)
    # The post, verdicts, effects, evidence, decisions.
    with django_assert_max_num_queries(6):
        assert len(concluded(keyed, post)) == 4


def test_only_the_newest_are_told(keyed, post, monkeypatch):
    monkeypatch.setattr(history, "MOST_TOLD", 2)
    for rule in ("spam.block", "hate.block", "threat.block"):
        _judged_again(post, rule=rule)
    assert [verdict["rule"] for verdict in concluded(keyed, post)] == ["threat.block", "hate.block"]


@pytest.mark.parametrize("post_id", ["7", "%00", "x" * 300, "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_post_has_no_decisions(keyed, post_id):
    assert code_of(keyed.get(f"{POSTS}/{post_id}/decisions")) == "not_found"


def test_another_tenants_post_has_none_for_us(keyed):
    foreign = PostFactory.create(author__community__slug="orchard")
    assert code_of(keyed.get(f"{POSTS}/{foreign.pk}/decisions")) == "not_found"


def test_it_takes_tokens_of_its_own(keyed, post, limits):
    limits(key_rate_burst=1, key_rate_per_second=0.01)
    address = f"{POSTS}/{post.pk}/decisions"
    assert [keyed.get(address).status_code for _ in range(2)] == [200, 429]
    assert keyed.send("POST", POSTS, person()).status_code == 202
