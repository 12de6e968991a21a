"""Perspective's way of asking, and of telling what a text should have scored."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from moderation.models import Post, SuggestedScore
from moderation.providers.base import Answer, Span
from moderation.vocabulary import Category, Outcome, WordAction
from tests.api.conftest import Api
from tests.api.test_limits import SLOW
from tests.factories import CommunityFactory, OrganisationFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT
from tests.pipeline.test_enforce import use_policy

ANALYZE = "/v1alpha1/comments:analyze"
SUGGEST = "/v1alpha1/comments:suggestscore"
DISCOVERY = "/$discovery/rest?version=v1alpha1"
GERMAN = "Die Tomaten sind endlich reif, und wir haben heute Abend viel Spaß im Garten."


@pytest.fixture
def client(key):
    """Sends the key in the address, as Perspective's clients do."""
    return Perspective(key)


class Perspective:
    def __init__(self, key):
        self.key = key

    def send(self, address, body, **more):
        asked = f"{address}?{urlencode({'key': self.key})}" if self.key else address
        return Api().send("POST", asked, body, **more)


def question(text=THREAT, *attributes, **more):
    wanted = {name: {} for name in attributes or ("TOXICITY",)}
    return {"comment": {"text": text}, "requestedAttributes": wanted, **more}


def suggestion(text=THREAT, **scores):
    given = {name: {"summaryScore": {"value": value}} for name, value in scores.items()}
    return {"comment": {"text": text}, "attributeScores": given}


def analysed(client, *asked, **more):
    answer = client.send(ANALYZE, question(*asked, **more))
    assert answer.status_code == 200, answer.content
    return answer


def scores_in(answer):
    return {
        name: said["summaryScore"]["value"]
        for name, said in answer.json()["attributeScores"].items()
    }


def error_of(answer):
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"]["code"] == answer.status_code
    return body["error"]


def refused(client, body, address=ANALYZE):
    """Return the type of error of a question that is refused as such."""
    answer = client.send(address, body)
    assert answer.status_code == 400, answer.content
    error = error_of(answer)
    assert error["status"] == "INVALID_ARGUMENT"
    [detail] = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
    return detail["errorType"]


# Scores


def test_a_threat_is_scored_in_what_was_asked_for(client):
    answer = analysed(client, THREAT, "TOXICITY", "THREAT", "SEXUALLY_EXPLICIT")
    body = answer.json()
    assert body.keys() == {"attributeScores", "languages", "detectedLanguages"}
    assert body["languages"] == body["detectedLanguages"] == ["en"]
    assert body["attributeScores"]["THREAT"]["summaryScore"]["type"] == "PROBABILITY"
    assert "spanScores" not in body["attributeScores"]["THREAT"]
    found = scores_in(answer)
    assert found.keys() == {"TOXICITY", "THREAT", "SEXUALLY_EXPLICIT"}
    assert found["THREAT"] > 0.85 > 0.5 > found["SEXUALLY_EXPLICIT"]
    assert answer["X-Gatehouse-Action"] == "block"
    assert answer["X-Gatehouse-Model"].startswith("gatehouse-1-")
    assert answer["X-Gatehouse-Judged-By"].startswith("local_text=local-text-")
    assert "X-Gatehouse-Not-Judged" not in answer


@pytest.mark.parametrize(
    ("attribute", "category"),
    [
        ("TOXICITY", Category.TOXIC),
        ("TOXICITY_EXPERIMENTAL", Category.TOXIC),
        ("TOXICITY_FAST", Category.TOXIC),
        ("SEVERE_TOXICITY", Category.SEVERE_TOXIC),
        ("IDENTITY_ATTACK", Category.HATE),
        ("INSULT", Category.HARASSMENT),
        ("PROFANITY", Category.PROFANITY),
        ("OBSCENE", Category.PROFANITY),
        ("THREAT", Category.THREAT),
        ("SEXUALLY_EXPLICIT", Category.SEXUAL),
        ("SPAM", Category.SPAM),
    ],
)
def test_an_attribute_is_a_category_of_ours(client, scored, attribute, category):
    scored(**{category: 0.37, Category.MALWARE: 0.1})
    assert scores_in(analysed(client, "a", attribute)) == {attribute: 0.37}


def test_what_is_below_its_threshold_is_left_out(client, scored):
    scored(toxic=0.4, threat=0.4)
    wanted = {"TOXICITY": {"scoreThreshold": 0.41}, "THREAT": {"scoreThreshold": 0.4}}
    answer = client.send(ANALYZE, {"comment": {"text": "a"}, "requestedAttributes": wanted})
    assert scores_in(answer) == {"THREAT": 0.4}


def test_names_may_be_spelt_with_underscores(client):
    body = {
        "comment": {"text": THREAT, "type": "PLAIN_TEXT"},
        "requested_attributes": {"TOXICITY": {"score_type": "PROBABILITY", "score_threshold": 0.1}},
        "client_token": "7",
        "do_not_store": True,
        "span_annotations": True,
        "session_id": None,
    }
    answer = client.send(ANALYZE, body).json()
    assert answer["clientToken"] == "7"
    assert answer["attributeScores"]["TOXICITY"]["spanScores"]


def test_what_a_client_sends_along_comes_back_or_has_no_effect(client):
    plain = analysed(client, THREAT).json()
    more = {
        "clientToken": " comment:7 ",
        "languages": ["en-GB"],
        "doNotStore": True,
        "sessionId": "s",
        "communityId": "Coral:7",
        "context": {"entries": [{"text": "Before"}]},
    }
    answer = analysed(client, THREAT, **more).json()
    assert answer["clientToken"] == " comment:7 "
    assert answer["languages"] == ["en-GB"]
    assert answer["detectedLanguages"] == ["en"]
    assert answer["attributeScores"] == plain["attributeScores"]


def test_stretches_are_places_in_utf_16(client, scored):
    text = "\U0001f600 You idiot \U0001f600 and so on"
    judge = scored(toxic=0.9)
    spans = [
        Span(8, 11, Category.TOXIC),
        Span(6, 10, Category.TOXIC),
        Span(14, 17, Category.HATE),
    ]
    judge.says = lambda part: Answer(
        Outcome.JUDGED, scores={Category.TOXIC: 0.9, Category.THREAT: 0.1}, spans=spans
    )
    said = analysed(client, text, "TOXICITY", "THREAT", spanAnnotations=True).json()
    score = {"value": 0.9, "type": "PROBABILITY"}
    assert said["attributeScores"]["TOXICITY"] == {
        "summaryScore": score,
        "spanScores": [{"begin": 7, "end": 12, "score": score}],
    }
    units = len(text.encode("utf-16-le")) // 2
    [whole] = said["attributeScores"]["THREAT"]["spanScores"]
    assert (whole["begin"], whole["end"]) == (0, units)
    assert text.encode("utf-16-le")[14:24].decode("utf-16-le") == "idiot"


def test_nothing_of_a_question_is_kept(client):
    analysed(client, THREAT, doNotStore=False)
    assert not Post.objects.exists()
    assert not SuggestedScore.objects.exists()


# Where nobody judged


def test_an_attribute_that_nobody_judges_in_a_language_fails_the_question(client):
    assert scores_in(analysed(client, GERMAN, "TOXICITY", "PROFANITY")).keys() == {
        "TOXICITY",
        "PROFANITY",
    }
    answer = client.send(ANALYZE, question(GERMAN, "TOXICITY", "THREAT"))
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["message"] == "Attribute THREAT does not support request languages: de"
    [detail] = error["details"]
    assert detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert detail["languageNotSupportedByAttributeError"] == {
        "detectedLanguages": ["de"],
        "requestedLanguages": [],
        "attribute": "THREAT",
    }


def test_it_is_left_out_and_named_where_that_is_asked_for(client):
    answer = analysed(client, GERMAN, "TOXICITY", "THREAT", dropUnsupportedAttributes=True)
    assert scores_in(answer).keys() == {"TOXICITY"}
    assert answer["X-Gatehouse-Not-Judged"] == "THREAT"


def test_a_language_that_the_client_names_is_believed_where_the_text_does_not_tell(client):
    answer = client.send(ANALYZE, question("ok super", "THREAT", languages=["de"]))
    assert error_of(answer)["details"][0]["languageNotSupportedByAttributeError"][
        "requestedLanguages"
    ] == ["de"]
    assert scores_in(analysed(client, "ok super", "THREAT", languages=["en"]))


def test_a_text_in_no_language_that_anybody_knows(client, scored):
    scored(outcome=Outcome.NOT_JUDGED)
    assert refused(client, question("xyz")) == "LANGUAGE_DETECTION_FAILED"
    unknown = question("xyz", languages=["tlh"])
    assert refused(client, unknown) == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"


@pytest.mark.parametrize("attribute", ["ATTACK_ON_AUTHOR", "UNSUBSTANTIAL", "NUANCE_EXPERIMENTAL"])
def test_attributes_that_are_nothing_of_ours_are_not_supported(client, attribute):
    asked = question(THREAT, "TOXICITY", attribute)
    assert refused(client, asked) == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    answer = analysed(client, THREAT, "TOXICITY", attribute, dropUnsupportedAttributes=True)
    assert scores_in(answer).keys() == {"TOXICITY"}


def test_flirtation_is_0_and_named_as_judged_by_nobody(client):
    answer = analysed(client, THREAT, "TOXICITY", "FLIRTATION")
    assert scores_in(answer)["FLIRTATION"] == 0
    assert answer["X-Gatehouse-Not-Judged"] == "FLIRTATION"


def test_a_judge_that_fails_gives_no_score(client, scored):
    scored(outcome=Outcome.FAILED)
    answer = client.send(ANALYZE, question("a"))
    assert answer.status_code == 503
    assert error_of(answer)["status"] == "UNAVAILABLE"
    assert answer["Retry-After"] == "1"


def test_a_policy_that_asks_nobody_gives_no_score(client, community):
    use_policy(community, route={"text": []})
    assert client.send(ANALYZE, question("a")).status_code == 503


def test_what_others_judged_is_told_beside_one_that_fails(client, community):
    use_policy(community, route={"text": ["local_text", "gone"]})
    assert scores_in(analysed(client, THREAT, "THREAT"))["THREAT"] > 0.85
    assert client.send(ANALYZE, question(GERMAN, "THREAT")).status_code == 503


def test_a_word_that_the_community_blocks_scores_1(client, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    answer = analysed(client, "a gurkin", "TOXICITY", "THREAT", spanAnnotations=True)
    assert scores_in(answer) == {"TOXICITY": 1.0, "THREAT": 1.0}
    [span] = answer.json()["attributeScores"]["THREAT"]["spanScores"]
    assert (span["begin"], span["end"]) == (2, 8)
    assert answer["X-Gatehouse-Action"] == "block"


# What is refused


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        ({}, "COMMENT_EMPTY"),
        (question(""), "COMMENT_EMPTY"),
        (question(" \n"), "COMMENT_EMPTY"),
        ({"comment": {}, "requestedAttributes": {"TOXICITY": {}}}, "COMMENT_EMPTY"),
        (question("a" * 20_481), "COMMENT_TOO_LONG"),
        (question("ä" * 10_241), "COMMENT_TOO_LONG"),
        ({"comment": {"text": "a"}}, "NO_REQUESTED_ATTRIBUTES"),
        ({"comment": {"text": "a"}, "requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES"),
        (question("a", "KINDNESS"), "INVALID_REQUEST"),
        (question("a", "TOXICITY@6"), "INVALID_REQUEST"),
        (question("a", "\ud800\x00"), "INVALID_REQUEST"),
        ({**question("a"), "comment": {"text": "a", "type": "HTML"}}, "INVALID_REQUEST"),
        (
            {**question("a"), "requestedAttributes": {"TOXICITY": {"scoreType": "RAW"}}},
            "INVALID_REQUEST",
        ),
        (
            question("a", context={"entries": [], "articleAndParentComment": {}}),
            "INVALID_REQUEST",
        ),
    ],
)
def test_a_question_is_refused_as_perspective_would(client, body, error_type):
    assert refused(client, body) == error_type


def test_a_comment_may_have_twenty_kilobytes(client):
    assert scores_in(analysed(client, "a " * 10_240)).keys() == {"TOXICITY"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "body"),
        ({**question(), "comment": "a"}, "comment"),
        ({**question(), "comment": {"text": 7}}, "comment.text"),
        (question("a\x00"), "comment.text"),
        (question("a\ud800"), "comment.text"),
        ({**question(), "requestedAttributes": ["TOXICITY"]}, "requestedAttributes"),
        ({**question(), "requestedAttributes": {"THREAT": 7}}, "requestedAttributes.THREAT"),
        (
            {**question(), "requestedAttributes": {"THREAT": {"scoreThreshold": "high"}}},
            "requestedAttributes.THREAT.scoreThreshold",
        ),
        (
            {**question(), "requestedAttributes": {"THREAT": {"scoreThreshold": True}}},
            "requestedAttributes.THREAT.scoreThreshold",
        ),
        (question(languages="en"), "languages"),
        (question(languages=["english please"]), "languages"),
        (question(clientToken=7), "clientToken"),
        (question(clientToken="\ud800"), "clientToken"),
        (question(spanAnnotations="perhaps"), "spanAnnotations"),
        (question(context=[]), "context"),
    ],
)
def test_a_malformed_question_is_refused_by_field(client, body, place):
    answer = client.send(ANALYZE, body)
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["status"] == "INVALID_ARGUMENT"
    [detail] = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert place in {one["field"] for one in detail["fieldViolations"]}


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b'{"comment": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
        (b'{"comment": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"comment": {"text": "' + b"a" * 10 * 1024 * 1024 + b'"}}', 413),
    ],
)
@pytest.mark.parametrize("address", [ANALYZE, SUGGEST])
def test_a_body_that_cannot_be_read_is_refused(client, address, raw, status):
    answer = client.send(address, raw)
    assert answer.status_code == status
    assert error_of(answer)["status"] == "INVALID_ARGUMENT"


def test_anything_but_json_is_refused(client):
    answer = client.send(ANALYZE, b"a=b", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    error_of(answer)


# Who may ask


def test_whoever_sends_no_key_is_denied(db):
    answer = Perspective("").send(ANALYZE, question())
    assert (answer.status_code, error_of(answer)["status"]) == (403, "PERMISSION_DENIED")


def test_a_key_that_is_not_ours_is_invalid(db):
    for given in ("AIzaSy-1234", "gate_x", "\x00"):
        answer = Perspective(given).send(ANALYZE, question())
        assert answer.status_code == 400
        [detail] = error_of(answer)["details"]
        assert detail["reason"] == "API_KEY_INVALID"


def test_a_key_may_come_in_a_header(key):
    assert Api().send("POST", ANALYZE, question(), x_goog_api_key=key).status_code == 200
    assert Api(key).send("POST", ANALYZE, question()).status_code == 403


def test_a_key_needs_the_scope_to_check(community):
    client = Perspective(make_key(community, ["read", "submit"])[1])
    for address, body in ((ANALYZE, question()), (SUGGEST, suggestion(TOXICITY=1))):
        answer = client.send(address, body)
        assert answer.status_code == 403
        assert error_of(answer)["details"][0]["reason"] == "API_KEY_SERVICE_BLOCKED"


def test_a_session_counts_for_nothing(bo):
    answer = bo.send("POST", ANALYZE, question(community="garden"))
    assert answer.status_code == 403
    assert not answer.cookies


def test_an_organisations_key_names_a_community(community):
    organisation = OrganisationFactory.create()
    CommunityFactory.create(organisation=organisation, slug="orchard")
    client = Perspective(make_key(organisation, ["check"])[1])
    assert client.send(ANALYZE, question(community="orchard")).status_code == 200
    by_header = client.send(ANALYZE, question(), x_gatehouse_community="orchard")
    assert by_header.status_code == 200
    assert client.send(ANALYZE, question()).status_code == 400
    foreign = client.send(ANALYZE, question(community=community.slug))
    assert (foreign.status_code, error_of(foreign)["status"]) == (404, "NOT_FOUND")


def test_too_many_questions_wait(client, limits):
    limits(key_rate_burst=2, key_rate_per_second=SLOW)
    analysed(client, "a")
    assert client.send(ANALYZE, {}).status_code == 400
    answer = client.send(ANALYZE, question())
    assert answer.status_code == 429
    error = error_of(answer)
    assert error["status"] == "RESOURCE_EXHAUSTED"
    reason, retry = error["details"]
    assert reason["reason"] == "RATE_LIMIT_EXCEEDED"
    assert retry["retryDelay"] == f"{answer['Retry-After']}s"


def test_another_method_is_refused(client):
    answer = Api().get(f"{ANALYZE}?key={client.key}")
    assert answer.status_code == 405
    error_of(answer)


def test_switched_off_it_is_not_there(client, limits):
    limits(dialects=frozenset({"openai"}))
    for address in (ANALYZE, SUGGEST):
        assert client.send(address, question()).status_code == 404
        assert Perspective("").send(address, question()).status_code == 404
    assert Api().get(DISCOVERY).status_code == 404


# Suggested scores


def test_a_suggested_score_is_kept_beside_ours_and_without_the_text(client, key, community):
    body = {**suggestion(THREAT, TOXICITY=1, UNSUBSTANTIAL=0.25), "clientToken": "comment:7"}
    answer = client.send(SUGGEST, body)
    assert answer.status_code == 200
    assert answer.json() == {
        "clientToken": "comment:7",
        "requestedLanguages": [],
        "detectedLanguages": ["en"],
    }
    toxic, other = SuggestedScore.objects.order_by("attribute")
    assert (toxic.attribute, toxic.score) == ("TOXICITY", 1.0)
    assert toxic.our_score == scores_in(analysed(client, THREAT))["TOXICITY"]
    assert toxic.model == answer["X-Gatehouse-Model"]
    assert (other.attribute, other.score, other.our_score) == ("UNSUBSTANTIAL", 0.25, None)
    assert toxic.community == community
    assert toxic.client == f"key:{key.split('_')[1]}"
    assert THREAT not in str(vars(toxic))
    assert len(toxic.fingerprint) == 64


def test_a_client_that_changes_its_mind_replaces_what_it_said(client, community):
    for value in (1, 0):
        assert client.send(SUGGEST, suggestion(THREAT, TOXICITY=value)).status_code == 200
    client.send(SUGGEST, suggestion(f" {THREAT}\n", TOXICITY=0.5))
    [kept] = SuggestedScore.objects.all()
    assert kept.score == 0.5
    other = Perspective(make_key(community, ["check"])[1])
    other.send(SUGGEST, suggestion(THREAT, TOXICITY=1))
    assert SuggestedScore.objects.count() == 2


def test_a_suggestion_is_kept_although_nobody_could_judge(client, scored):
    scored(outcome=Outcome.FAILED)
    assert client.send(SUGGEST, suggestion("a", TOXICITY=1)).status_code == 200
    assert SuggestedScore.objects.get().our_score is None


def test_scores_of_stretches_alone_are_no_labels(client):
    spans = [{"begin": 0, "end": 1, "score": {"value": 1}}]
    body = {"comment": {"text": "a"}, "attributeScores": {"TOXICITY": {"spanScores": spans}}}
    assert client.send(SUGGEST, body).status_code == 200
    assert not SuggestedScore.objects.exists()


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (suggestion("", TOXICITY=1), "COMMENT_EMPTY"),
        ({"comment": {"text": "a"}}, "NO_REQUESTED_ATTRIBUTES"),
        (suggestion("a", KINDNESS=1), "INVALID_REQUEST"),
    ],
)
def test_a_suggestion_is_refused_as_perspective_would(client, body, error_type):
    assert refused(client, body, SUGGEST) == error_type


@pytest.mark.parametrize("value", [None, 1.01, -1, "1", True, [1]])
def test_a_suggestion_without_a_proper_score_is_refused(client, value):
    answer = client.send(SUGGEST, suggestion("a", TOXICITY=value))
    assert answer.status_code == 400
    [wrong] = error_of(answer)["details"][0]["fieldViolations"]
    assert wrong["field"] == "attributeScores.TOXICITY.summaryScore.value"
    assert not SuggestedScore.objects.exists()


# Discovery


def test_the_document_leads_to_this_very_address(db):
    answer = Api().get(DISCOVERY, headers={"host": "localhost"})
    body = answer.json()
    assert body["rootUrl"] == "http://localhost/"
    methods = body["resources"]["comments"]["methods"]
    assert {f"/{one['path']}" for one in methods.values()} == {ANALYZE, SUGGEST}
    named = {one["request"]["$ref"] for one in methods.values()}
    assert named <= body["schemas"].keys()


def test_there_is_no_other_version(db):
    answer = Api().get("/$discovery/rest?version=v2")
    assert (answer.status_code, error_of(answer)["status"]) == (404, "NOT_FOUND")


def test_a_harmless_text_scores_low(client):
    assert scores_in(analysed(client, HARMLESS))["TOXICITY"] < 0.3
