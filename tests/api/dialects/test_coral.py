"""Coral's external moderation phase: signed questions in, and never an approval out."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from django.db import OperationalError

from moderation import queries
from moderation.models import Post
from moderation.vocabulary import Outcome, WordAction
from tests.api.conftest import Api
from tests.api.test_limits import SLOW
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT
from tests.pipeline.test_enforce import use_policy

ADDRESS = "/coral/garden"
SECRET, FORMER = "empsec_new", "empsec_former"
WITHHELD = {"actions": [], "status": "SYSTEM_WITHHELD"}
SPAM = "CASINO BONUS 500% FREE SPINS make money fast work from home earn $5000 a week"


@pytest.fixture(autouse=True)
def _secrets(community, limits):
    limits(coral_secrets=frozenset({f"garden:{SECRET}", "orchard:empsec_orchard", "garden:"}))


@pytest.fixture
def coral():
    return Api()


def comment(body, **more):
    """Return a request as Coral sends it."""
    return {
        "action": "NEW",
        "comment": {"body": body, "parentID": None},
        "author": {"id": "a1", "role": "COMMENTER"},
        "story": {"id": "s1", "url": "https://news.example/tomatoes"},
        "site": {"id": "t1"},
        "tenantID": "n1",
        "tenantDomain": "comments.news.example",
        **more,
    }


def signed(raw, *secrets):
    digests = [hmac.new(one.encode(), raw, hashlib.sha256).hexdigest() for one in secrets]
    return ",".join(f"sha256={digest}" for digest in digests)


def sent(client, body, *secrets, address=ADDRESS, **more):
    raw = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
    signature = signed(raw, *(secrets or (SECRET,)))
    return client.send("POST", address, raw, x_coral_signature=signature, **more)


def told(client, body):
    answer = sent(client, body)
    assert answer.status_code == 200, answer.content
    return answer.json()


# What Coral is told


def test_a_threat_is_rejected(coral):
    assert told(coral, comment(THREAT)) == {
        "actions": [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}],
        "status": "REJECTED",
    }


def test_spam_is_called_spam(coral):
    body = told(coral, comment(SPAM, action="EDIT"))
    assert body["actions"] == [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_SPAM"}]


def test_what_nothing_speaks_against_is_left_to_coral(coral):
    answer = sent(coral, comment(HARMLESS))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["X-Gatehouse-Model"].startswith("gatehouse-1-")


@pytest.mark.parametrize(
    ("score", "status"), [(0.5, None), (0.7, "SYSTEM_WITHHELD"), (0.85, "REJECTED")]
)
def test_the_policy_says_what_becomes_of_a_comment(coral, scored, score, status):
    scored(hate=score)
    answer = sent(coral, comment("Hello"))
    assert (answer.json()["status"] if answer.content else None) == status


def test_a_review_that_holds_nothing_back_only_flags(coral, community):
    steps = {"warn": None, "review": 0.0, "block": None}
    thresholds = {"default": steps, "categories": {}}
    use_policy(community, thresholds=thresholds, review_visibility="public")
    body = told(coral, comment(HARMLESS))
    assert body.keys() == {"actions"}
    assert [one["actionType"] for one in body["actions"]] == ["FLAG"]


def test_a_word_that_the_community_blocks_is_rejected(coral, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    assert told(coral, comment("A gurkin!")) == {"actions": [], "status": "REJECTED"}


@pytest.mark.parametrize("score", [0.0, 0.5, 0.7, 0.99])
def test_nothing_is_ever_approved(coral, scored, score):
    scored(hate=score)
    assert b"APPROVED" not in sent(coral, comment("Hello")).content


def test_nothing_is_stored(coral):
    told(coral, comment(THREAT))
    assert not Post.objects.exists()


# What goes wrong


def test_a_comment_that_nobody_judged_is_withheld(coral, scored):
    scored(outcome=Outcome.FAILED)
    answer = sent(coral, comment(HARMLESS))
    assert (answer.status_code, answer.json()) == (200, WITHHELD)
    assert answer["X-Gatehouse-Not-Judged"] == "text"


def test_a_policy_that_publishes_on_failure_does_not_publish_here(coral, community):
    use_policy(community, route={"text": ["gone"]}, on_failure="publish_and_queue")
    assert told(coral, comment(HARMLESS)) == WITHHELD


@pytest.mark.parametrize("body", ["", "  ", "a\x00", "a" * 40_001, 7, ["a"]])
def test_a_comment_that_cannot_be_read_is_withheld(coral, body):
    assert told(coral, comment(body)) == WITHHELD
    half = json.dumps(comment("HALF")).replace("HALF", "\\ud800").encode()
    assert told(coral, half) == WITHHELD


def test_more_comments_than_are_allowed_are_withheld(coral, limits):
    limits(key_rate_burst=1, key_rate_per_second=SLOW)
    assert sent(coral, comment(HARMLESS)).status_code == 204
    assert told(coral, comment(HARMLESS)) == WITHHELD


@pytest.mark.parametrize("error", [OperationalError("away"), RuntimeError("a fault of ours")])
def test_a_failure_of_ours_withholds_a_comment(coral, monkeypatch, error, caplog):
    def fail(slug):
        raise error

    monkeypatch.setattr(queries, "get_community", fail)
    assert told(coral, comment(HARMLESS)) == WITHHELD
    [said] = [one for one in caplog.records if one.message == "coral_comment_withheld"]
    assert said.exc_info[1] is error
    assert HARMLESS not in caplog.text


def test_a_community_that_is_gone_withholds(coral):
    assert told_at(coral, "/coral/orchard", "empsec_orchard") == WITHHELD


def told_at(client, address, secret):
    answer = sent(client, comment(HARMLESS), secret, address=address)
    assert answer.status_code == 200
    return answer.json()


# Who signed


def test_two_signatures_will_do_while_a_secret_is_replaced(coral, limits):
    assert sent(coral, comment(HARMLESS), FORMER, SECRET).status_code == 204
    assert sent(coral, comment(HARMLESS), FORMER).status_code == 401
    limits(coral_secrets=frozenset({f"garden:{SECRET}", f"garden:{FORMER}"}))
    assert sent(coral, comment(HARMLESS), FORMER).status_code == 204


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "sha256=é",
        "sha256=00," * 1_000,
    ],
)
def test_a_signature_that_is_none_is_refused(coral, header):
    answer = coral.send("POST", ADDRESS, comment(HARMLESS), x_coral_signature=header)
    assert (answer.status_code, answer.json().keys()) == (401, {"error"})


def test_a_comment_that_was_changed_on_its_way_is_refused(coral):
    raw = json.dumps(comment(THREAT)).encode()
    changed = raw.replace(b"kill", b"kiss")
    answer = coral.send("POST", ADDRESS, changed, x_coral_signature=signed(raw, SECRET))
    assert answer.status_code == 401


def test_another_communitys_secret_does_not_do(coral):
    CommunityFactory.create(slug="orchard")
    assert sent(coral, comment(HARMLESS), "empsec_orchard").status_code == 401
    assert sent(coral, comment(HARMLESS), SECRET, address="/coral/orchard").status_code == 401


def test_a_community_without_a_secret_answers_nobody(coral, limits):
    for secrets in (frozenset(), frozenset({"garden:"}), frozenset({"garden"})):
        limits(coral_secrets=secrets)
        assert sent(coral, comment(HARMLESS), "").status_code == 401


def test_neither_a_key_nor_a_session_stands_for_a_signature(bo, community):
    for client in (bo, Api(), Api(make_key(community, ["check"])[1])):
        assert client.send("POST", ADDRESS, comment(HARMLESS)).status_code == 401


def test_the_dialect_can_be_switched_off(coral, limits):
    limits(dialects=frozenset())
    assert sent(coral, comment(HARMLESS)).status_code == 404
    assert sent(coral, comment(HARMLESS), "empsec_wrong").status_code == 404


# What is no comment of Coral's


@pytest.mark.parametrize(
    "body", [{}, [], {"comment": {}}, {"comment": "a"}, b"{", b"\xff", b"[" * 100_000]
)
def test_what_is_no_comment_is_refused(coral, body):
    answer = sent(coral, body)
    assert (answer.status_code, answer.json().keys()) == (400, {"error"})


def test_what_is_too_large_or_no_json_is_refused(coral):
    huge = json.dumps(comment("a" * 6_000_000)).encode()
    assert sent(coral, huge).status_code == 413
    assert sent(coral, b"a=b", content_type="text/plain").status_code == 415
    assert coral.get(ADDRESS).status_code == 401
