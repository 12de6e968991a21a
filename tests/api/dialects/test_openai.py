"""OpenAI's way of asking: the same policy, in OpenAI's words."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from moderation.providers.base import Answer
from moderation.vocabulary import Outcome, Part, WordAction
from tests.api.conftest import Api
from tests.api.test_limits import SLOW
from tests.asking.fakes import FakeService
from tests.factories import CommunityFactory, OrganisationFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider
from tests.pipeline.test_enforce import use_policy
from tests.pipeline.test_media import picture

ADDRESS = "/v1/moderations"
CATEGORIES = {
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
}


@pytest.fixture
def client(key):
    return Api(key)


def asked(client, given, **more):
    answer = client.send("POST", ADDRESS, {"input": given, **more})
    assert answer.status_code == 200, answer.content
    return answer


def results(client, given, **more):
    return asked(client, given, **more).json()["results"]


def error_of(answer):
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    return body["error"]


def image(content=None, kind="image/png"):
    data = base64.b64encode(picture() if content is None else content).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}


def text(said):
    return {"type": "text", "text": said}


# What is said


@pytest.mark.parametrize("address", ["/v1/moderations", "/moderations"])
def test_a_threat_is_flagged_in_thirteen_categories(client, address):
    answer = client.send("POST", address, {"input": THREAT, "model": "omni-moderation-latest"})
    body = answer.json()
    assert body["id"].startswith("modr-")
    assert body["model"] == answer["X-Gatehouse-Model"]
    [result] = body["results"]
    assert result["flagged"] is True
    for name in ("categories", "category_scores", "category_applied_input_types"):
        assert result[name].keys() == CATEGORIES
    assert result["categories"]["harassment/threatening"] is True
    assert result["categories"]["sexual"] is False
    assert result["category_scores"]["harassment/threatening"] > 0.85
    assert result["category_applied_input_types"]["hate"] == ["text"]
    assert result["gatehouse"]["action"] == "block"


def test_a_harmless_text_is_not_flagged(client):
    [result] = results(client, HARMLESS)
    assert result["flagged"] is False
    assert not any(result["categories"].values())
    assert (result["gatehouse"]["action"], result["gatehouse"]["rule"]) == (
        "allow",
        "nothing_fired",
    )


def test_the_local_model_judges_nine_of_them(client):
    answer = asked(client, HARMLESS)
    assert answer["X-Gatehouse-Not-Judged"] == (
        "self-harm/intent, self-harm/instructions, sexual/minors, violence/graphic"
    )
    assert answer["X-Gatehouse-Judged-By"].startswith("local_text=local-text-")


def test_texts_are_answered_in_order_by_one_question(client, scored):
    judge = scored(hate=0.1)
    judge.says = lambda part: Answer(Outcome.JUDGED, scores={"hate": 0.1 * len(part.text)})
    found = results(client, ["a" * 9, "a", "a" * 4])
    assert [result["category_scores"]["hate"] for result in found] == pytest.approx([0.9, 0.1, 0.4])
    assert [result["flagged"] for result in found] == [True, False, False]
    assert [len(call) for call in judge.calls] == [3]


def test_a_text_with_nothing_in_it_violates_nothing(client, scored):
    scored(hate=0.9)
    blank, said = results(client, [" \n", "a"])
    assert (blank["flagged"], said["flagged"]) == (False, True)
    assert not any(blank["category_scores"].values())
    answer = asked(client, "")
    assert answer.json()["results"][0]["flagged"] is False
    assert answer.json()["model"] == asked(client, "a").json()["model"]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"harassment": 0.8}, {"harassment": 0.8}),
        ({"threat": 0.8}, {"harassment/threatening": 0.8}),
        ({"hate": 0.9, "threat": 0.4}, {"hate/threatening": 0.4}),
        ({"illicit": 0.2, "drugs": 0.7}, {"illicit": 0.7}),
        ({"weapons": 0.6}, {"illicit": 0.6, "illicit/violent": 0.6}),
        ({"illicit": 0.9, "violence": 0.5}, {"illicit/violent": 0.5, "violence": 0.5}),
        ({"self_harm": 0.9}, {"self-harm": 0.9}),
        ({"sexual": 0.9, "sexual_minors": 0.3}, {"sexual": 0.9, "sexual/minors": 0.3}),
        ({"graphic": 0.9}, {"violence": 0.9, "violence/graphic": 0.9}),
    ],
)
def test_scores_are_made_of_our_categories(client, scored, scores, expected):
    scored(**scores)
    [result] = results(client, "a")
    assert {name: result["category_scores"][name] for name in expected} == expected


def test_what_nobody_judged_is_named_and_not_hidden_in_a_0(client, scored):
    scored(hate=0.1)
    answer = asked(client, ["a", "b"])
    named = set(answer["X-Gatehouse-Not-Judged"].split(", "))
    assert named == CATEGORIES - {"hate"}
    [result, _] = answer.json()["results"]
    assert set(result["gatehouse"]["not_judged"]) == named
    assert result["category_scores"]["violence"] == 0
    assert result["category_applied_input_types"]["violence"] == []


def test_a_category_is_true_where_the_policy_asks_for_a_person(client, community, scored):
    scored(hate=0.6, harassment=0.6)
    use_policy(
        community,
        route={"text": ["judge"]},
        thresholds={"categories": {"hate": {"warn": 0.1, "review": 0.6, "block": None}}},
    )
    [result] = results(client, "a")
    assert result["categories"]["hate"] is True
    assert result["categories"]["harassment"] is False
    assert result["flagged"] is True


def test_what_only_warns_is_not_flagged(client, scored):
    scored(hate=0.6)
    [result] = results(client, "a")
    assert (result["flagged"], result["gatehouse"]["action"]) == (False, "warn")


def test_a_category_that_openai_does_not_know_is_flagged_all_the_same(client, scored):
    scored(spam=0.99)
    [result] = results(client, "a")
    assert result["flagged"] is True
    assert not any(result["categories"].values())
    assert result["gatehouse"]["rule"] == "spam.block"


def test_what_nobody_could_judge_is_flagged(client, scored):
    scored(outcome=Outcome.FAILED)
    answer = asked(client, "a")
    [result] = answer.json()["results"]
    assert (result["flagged"], result["gatehouse"]["rule"]) == (True, "not_judged")
    assert set(answer["X-Gatehouse-Not-Judged"].split(", ")) == CATEGORIES


def test_a_word_that_the_community_blocks_is_flagged(client, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    [result] = results(client, "a gurkin")
    assert (result["flagged"], result["gatehouse"]["rule"]) == (True, "word.block")


# Pictures


def test_a_text_and_a_picture_are_one_result(client, community, monkeypatch):
    seen = FakeService(
        "judge",
        lambda part: Answer(
            Outcome.JUDGED,
            scores={"hate": 0.4} if part.kind is Part.TEXT else {"sexual": 0.9, "hate": 0.8},
        ),
        is_local=True,
    )
    add_provider(monkeypatch, seen)
    use_policy(community, route={"text": ["judge"], "image": ["judge"]})
    [result] = results(client, [text("a"), image(), text("b")])
    assert result["category_scores"]["sexual"] == 0.9
    assert result["category_scores"]["hate"] == 0.8
    assert result["category_applied_input_types"]["sexual"] == ["image"]
    # A library would not read "image" here.
    assert result["category_applied_input_types"]["hate"] == ["text"]
    assert seen.asked == ["media.0", "a\nb"] or seen.asked == ["a\nb", "media.0"]


def test_a_picture_that_cannot_be_fetched_is_flagged(client, scored):
    scored(sexual=0.1)
    there = {"type": "image_url", "image_url": {"url": "https://192.0.2.1/a.png"}}
    [result] = results(client, [there])
    assert (result["flagged"], result["gatehouse"]["rule"]) == (True, "not_judged")


# What is refused


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["a", 7]}, "input.0"),
        ({"input": [["a"]]}, "input.0"),
        ({"input": "a\x00"}, "input"),
        ({"input": ["a", "b\ud800"]}, "input.1"),
        ({"input": "a" * 40_001}, "input"),
        ({"input": ["a"] * 101}, "input"),
        ({"input": [{"type": "sound"}]}, "input.0.type"),
        ({"input": [text("a"), {"type": "image_url"}]}, "input.1.image_url"),
        (
            {"input": [{"type": "image_url", "image_url": "https://a.example/"}]},
            "input.0.image_url",
        ),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "ftp://a.example/"}}]},
            "input.0.image_url.url",
        ),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}]},
            "input.0.image_url.url",
        ),
        ({"input": [image(b"%PDF-1.7 and more of it")]}, "input.0.image_url.url"),
        ({"input": [image(b"")]}, "input.0.image_url.url"),
        ({"input": [image(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")]}, "input.0.image_url.url"),
        ({"input": [image()] * 9}, "input"),
        ({"input": [text("a" * 30_000)] * 2}, "input"),
        ({"input": "a", "model": 7}, "model"),
        ([], "body"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_its_parameter(client, body, param):
    answer = client.send("POST", ADDRESS, body)
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["code"] == "invalid_value"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b'{"input": NaN}', 400),
        (b'{"input": "\xff"}', 400),
        (b'{"input": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
        (b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"input": "' + b"a" * 10 * 1024 * 1024 + b'"}', 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client, raw, status):
    answer = client.send("POST", ADDRESS, raw)
    assert answer.status_code == status
    assert error_of(answer)["type"] == "invalid_request_error"


def test_anything_but_json_is_refused(client):
    answer = client.send("POST", ADDRESS, b"input=a", content_type="text/plain")
    assert answer.status_code == 415
    assert error_of(answer)["type"] == "invalid_request_error"


def test_another_method_is_refused(client):
    answer = client.get(ADDRESS)
    assert answer.status_code == 405
    assert error_of(answer)["code"] == "method_not_supported"


# Who may ask


def test_whoever_sends_no_key_is_told_so(anonymous):
    answer = anonymous.send("POST", ADDRESS, {"input": "a"})
    assert answer.status_code == 401
    error = error_of(answer)
    assert error["code"] is None
    assert error["message"].startswith("You didn't provide an API key")


def test_a_key_that_is_not_ours_or_no_longer_lives_is_refused(community):
    ended, sent = make_key(community, ["check"])
    ended.expires_at = timezone.now() - timedelta(seconds=1)
    ended.save()
    for given in (sent, "sk-1234", f"{sent[:-1]}x"):
        answer = Api(given).send("POST", ADDRESS, {"input": "a"})
        assert answer.status_code == 401
        error = error_of(answer)
        assert error["code"] == "invalid_api_key"
        assert given not in error["message"]


def test_a_key_needs_the_scope_to_check(community):
    answer = Api(make_key(community, ["submit", "read"])[1]).send("POST", ADDRESS, {"input": "a"})
    assert answer.status_code == 403
    assert error_of(answer)["code"] == "insufficient_permissions"


def test_a_session_counts_for_nothing(bo):
    answer = bo.send("POST", ADDRESS, {"input": "a", "community": "garden"})
    assert answer.status_code == 401
    assert not answer.cookies


def test_no_cookie_is_looked_for_or_set(client):
    answer = asked(client, "a")
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_an_organisations_key_names_a_community(community):
    organisation = OrganisationFactory.create()
    lenient = CommunityFactory.create(organisation=organisation, slug="lenient")
    use_policy(lenient, thresholds={"default": {"warn": None, "review": None, "block": None}})
    CommunityFactory.create(organisation=organisation, slug="strict")
    client = Api(make_key(organisation, ["check"])[1])
    assert results(client, THREAT, community="lenient")[0]["flagged"] is False
    by_header = client.send("POST", ADDRESS, {"input": THREAT}, x_gatehouse_community="strict")
    assert by_header.json()["results"][0]["flagged"] is True
    nameless = client.send("POST", ADDRESS, {"input": THREAT})
    assert (nameless.status_code, error_of(nameless)["param"]) == (400, "community")
    foreign = client.send("POST", ADDRESS, {"input": THREAT, "community": community.slug})
    assert foreign.status_code == 404
    error_of(foreign)


def test_each_text_takes_a_token_and_the_answer_says_how_many_are_left(client, limits):
    limits(key_rate_burst=4, key_rate_per_second=SLOW)
    answer = asked(client, ["a", "b", "c"])
    assert answer["x-ratelimit-limit-requests"] == "4"
    assert answer["x-ratelimit-remaining-requests"] == "1"
    assert answer["x-ratelimit-reset-requests"] == "50m0s"
    assert client.send("POST", ADDRESS, {}).status_code == 400
    refused = client.send("POST", ADDRESS, {"input": "a"})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert refused["x-ratelimit-remaining-requests"] == "0"
    error = error_of(refused)
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")


def test_every_answer_has_an_id_of_its_own(client, anonymous):
    answers = [asked(client, "a"), asked(client, "a"), client.send("POST", ADDRESS, {})]
    answers.append(anonymous.send("POST", ADDRESS, {}))
    assert len({answer["x-request-id"] for answer in answers}) == 4
    assert all(answer["openai-processing-ms"].isdecimal() for answer in answers)
    assert len({answer.json()["id"] for answer in answers[:2]}) == 2


def test_switched_off_it_is_not_there(client, limits):
    limits(dialects=frozenset({"perspective"}))
    for address in ("/v1/moderations", "/moderations"):
        assert client.send("POST", address, {"input": "a"}).status_code == 404
        assert Api().send("POST", address, {"input": "a"}).status_code == 404


# Who judged


def test_the_model_is_the_same_until_a_judge_or_the_policy_changes(client, community, scored):
    scored(hate=0.1)
    first = asked(client, "a")["X-Gatehouse-Model"]
    assert first.startswith("gatehouse-2-")
    assert asked(client, ["b", "c"])["X-Gatehouse-Model"] == first
    judge = scored(hate=0.1, version="fake-2")
    changed = asked(client, "a")["X-Gatehouse-Model"]
    assert changed.split("-")[2] != first.split("-")[2]
    judge.model_version = "fake-1"
    again = asked(client, "a")["X-Gatehouse-Model"]
    assert again == first.replace("gatehouse-2-", "gatehouse-3-")


def test_a_community_without_a_policy_of_its_own_has_a_model_too(client, community):
    community.policy = None
    community.save()
    assert asked(client, "a").json()["model"].startswith("gatehouse-builtin-")


def test_who_judged_is_told_and_can_forge_no_header(client, scored):
    scored(hate=0.1, version="v 1\r\nX-Evil: 1, b=é")
    assert asked(client, "a")["X-Gatehouse-Judged-By"] == "judge=v_1_X-Evil:_1_b_"


def test_what_is_sent_is_never_in_the_log(client, caplog):
    asked(client, THREAT)
    client.send("POST", ADDRESS, {"input": [THREAT, 7]})
    assert "worthless" not in caplog.text
    assert json.dumps(THREAT) not in caplog.text
