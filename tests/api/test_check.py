"""What a policy would say, asked over HTTP."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from moderation.models import AuditEvent, Author, MediaItem, Post, ProviderResult, Submission
from moderation.vocabulary import WordAction
from tests.api.conftest import POSTS, Api
from tests.api.test_limits import SLOW, left_of
from tests.api.test_posts import code_of, fields_of
from tests.factories import CommunityFactory, OrganisationFactory, make_key
from tests.pipeline.helpers import banking
from tests.pipeline.test_enforce import use_policy
from tests.pipeline.test_media import BANK_ONLY, picture

CHECK = "/api/v1/check"
THREAT = "I will kill you, you worthless idiot"
HARMLESS = "The tomatoes are finally ripe."


def data_url(content, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def checked(client, **sent):
    answer = client.send("POST", CHECK, sent)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_threat_is_told_with_what_led_there(keyed):
    body = checked(keyed, text=THREAT)
    assert body["action"] == "block"
    assert body["rule"] == f"{body['category']}.block"
    assert body["score"] >= body["threshold"] == 0.85
    assert body["scores"][body["category"]] == body["score"]
    assert body["not_judged"] == []
    assert body["policy"] == {"revision": 1}
    assert "kill" in {THREAT[one["start"] : one["end"]] for one in body["flagged_spans"]}
    [said] = body["evidence"]
    assert (said["provider"], said["part"], said["outcome"]) == ("local_text", "text", "judged")
    assert said["model"].startswith("local-text-")
    assert said["scores"] == body["scores"]
    assert 0 < said["latency_ms"] <= body["took_ms"]


def test_a_harmless_text_is_allowed(keyed):
    body = checked(keyed, text=HARMLESS)
    assert (body["action"], body["rule"]) == ("allow", "nothing_fired")
    assert (body["category"], body["score"], body["threshold"]) == (None, None, None)


@pytest.mark.parametrize("name", ["text", "body", "title"])
def test_a_text_is_judged_whatever_its_field_is_called(keyed, name):
    assert checked(keyed, **{name: THREAT})["action"] == "block"


def test_a_batch_is_answered_as_each_item_alone(keyed):
    items = [{"text": THREAT}, {"title": "Harvest", "text": HARMLESS}, {"text": "you bloody fool"}]
    body = checked(keyed, items=items)
    assert [_timeless(one) for one in body["results"]] == [
        _timeless(checked(keyed, **item)) for item in items
    ]
    assert body["took_ms"] > 0


def _timeless(result):
    result.pop("took_ms", None)
    for said in result["evidence"]:
        said.pop("latency_ms")
    return result


def test_a_batch_of_one_is_a_batch(keyed):
    assert len(checked(keyed, items=[{"text": HARMLESS}])["results"]) == 1


def test_nothing_of_it_is_kept(keyed, bo):
    media = [{"data": data_url(picture())}, {"url": "https://192.0.2.1/a.png"}]
    checked(keyed, text=THREAT, media=media, deadline_ms=50)
    checked(bo, items=[{"text": THREAT}], community="garden")
    for model in (Post, Submission, ProviderResult, AuditEvent, MediaItem, Author):
        assert not model.objects.exists()


def test_a_word_that_the_community_blocks_is_told_where_it_stands(keyed, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    community.words.create(term="marrow", action=WordAction.ADVISE)
    body = checked(keyed, text=" A Gurkin and a marrow")
    assert (body["action"], body["rule"], body["not_judged"]) == ("block", "word.block", ["text"])
    assert body["flagged_spans"] == [{"field": "text", "start": 3, "end": 9, "category": None}]
    assert (body["scores"], body["evidence"]) == ({}, [])


def test_a_provider_that_fails_allows_nothing(keyed, community):
    use_policy(community, route={"text": ["local_text", "gone"]})
    body = checked(keyed, text=HARMLESS)
    assert (body["action"], body["rule"], body["not_judged"]) == ("review", "not_judged", ["text"])
    assert {(one["provider"], one["error"]) for one in body["evidence"]} == {
        ("local_text", ""),
        ("gone", "unknown_provider"),
    }


# Attachments


@pytest.fixture
def banked(community):
    """A picture that the community knows to be bad."""
    with banking(community, picture()):
        yield picture()


def test_a_picture_can_be_sent_as_text(keyed, community, banked):
    use_policy(community, route=BANK_ONLY)
    body = checked(keyed, text=HARMLESS, media=[{"data": data_url(banked)}])
    assert (body["action"], body["rule"]) == ("block", "extremism.block")
    assert {one["part"] for one in body["evidence"]} == {"text", "media.0"}


def test_a_picture_can_be_sent_as_a_form(keyed, community, banked):
    use_policy(community, route=BANK_ONLY)
    files = [SimpleUploadedFile("a.png", picture(5)), SimpleUploadedFile("b.png", banked)]
    form = {"text": HARMLESS, "media": files, "alt_text": ["Beans", "Peas"], "deadline_ms": "900"}
    answer = keyed.post(CHECK, form)
    assert answer.status_code == 200, answer.content
    assert answer.json()["rule"] == "extremism.block"
    assert answer.json()["not_judged"] == ["media.0"]


def test_a_file_that_is_no_image_is_refused_by_name(keyed):
    items = [{"text": HARMLESS}, {"media": [{"data": data_url(b"%PDF-1.7 and more of it")}]}]
    answer = keyed.send("POST", CHECK, {"items": items})
    assert code_of(answer) == "media_refused"
    assert "items.1.media.0" in answer.json()["detail"]


# What is refused


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": "  "}, "text"),
        ({"text": 7}, "text"),
        ({"text": "a\x00"}, "text"),
        ({"text": "Ripe.", "body": "Ripe."}, "text"),
        ([], "body"),
        ({"text": "Ripe.", "deadline_ms": 49}, "deadline_ms"),
        ({"text": "Ripe.", "deadline_ms": 10_001}, "deadline_ms"),
        ({"text": "Ripe.", "deadline_ms": "soon"}, "deadline_ms"),
        ({"text": "Ripe.", "deadline_ms": True}, "deadline_ms"),
        ({"items": []}, "items"),
        ({"items": {"text": "Ripe."}}, "items"),
        ({"items": [{"text": "Ripe."}] * 101}, "items"),
        ({"items": [{"text": "Ripe."}], "text": "Ripe."}, "text"),
        ({"items": [{"text": "Ripe."}, {}]}, "items.1.text"),
        ({"items": [{"text": "Ripe."}, 7]}, "items.1"),
        ({"media": [{}]}, "media.0"),
        ({"media": [{"url": "https://a.example/", "data": "data:"}]}, "media.0"),
        ({"media": [{"url": "ftp://a.example/a.png"}]}, "media.0.url"),
        ({"media": [{"data": "iVBORw0KGgo="}]}, "media.0.data"),
        ({"media": [{"data": "data:image/png;base64,!!"}]}, "media.0.data"),
        ({"media": [{"url": "https://a.example/a.png"}] * 9}, "media"),
        ({"items": [{"media": [{"url": "https://a.example/a"}] * 8}] * 13}, "items"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_field(keyed, body, field):
    assert field in fields_of(keyed.send("POST", CHECK, body))


def test_a_batch_at_its_limit_is_answered(keyed):
    assert len(checked(keyed, items=[{"text": "Ripe."}] * 100)["results"]) == 100


# Who may ask, and how much


def test_a_key_needs_the_scope_to_check(community):
    client = Api(make_key(community, ["submit", "read"])[1])
    assert code_of(client.send("POST", CHECK, {"text": "Ripe."})) == "not_allowed"


def test_a_user_of_the_site_asks_in_communities_that_are_open_to_them(bo):
    closed = CommunityFactory.create(slug="closed")
    assert checked(bo, text=THREAT, community="garden")["action"] == "block"
    answer = bo.send("POST", CHECK, {"text": "Ripe.", "community": closed.slug})
    assert code_of(answer) == "not_found"


def test_an_organisations_key_names_a_community_of_its_own(community):
    organisation = OrganisationFactory.create()
    lenient = CommunityFactory.create(organisation=organisation, slug="lenient")
    never = {"warn": None, "review": None, "block": None}
    use_policy(lenient, thresholds={"default": never, "categories": {}})
    CommunityFactory.create(organisation=organisation, slug="strict")
    client = Api(make_key(organisation, ["check"])[1])
    items = [{"text": THREAT}, {"text": THREAT, "community": "strict"}]
    results = checked(client, items=items, community="lenient")["results"]
    assert [one["action"] for one in results] == ["allow", "block"]
    assert fields_of(client.send("POST", CHECK, {"text": "Ripe."})) == ["community"]
    foreign = client.send("POST", CHECK, {"text": "Ripe.", "community": community.slug})
    assert code_of(foreign) == "not_found"


def test_each_item_takes_a_token_and_none_from_posting(bo, limits):
    limits(rate_burst=3, rate_per_second=SLOW)
    sent = {"community": "garden"}
    first = bo.send("POST", CHECK, {**sent, "items": [{"text": "Ripe."}] * 2})
    assert left_of(first) == ("author", 1)
    assert bo.send("POST", CHECK, {**sent, "items": [{"text": "Ripe."}] * 2}).status_code == 429
    assert bo.send("POST", CHECK, {**sent, "text": "Ripe."}).status_code == 200
    assert bo.send("POST", CHECK, {**sent, "text": "Ripe."}).status_code == 429
    assert bo.send("POST", POSTS, {**sent, "text": "Ripe."}).status_code == 202


def test_a_check_is_kept_only_if_asked_and_without_its_text(keyed):
    body = checked(keyed, text=THREAT)
    assert "id" not in body
    assert not AuditEvent.objects.filter(kind="check.kept").exists()
    body = checked(keyed, text=THREAT, keep=True)
    event = AuditEvent.objects.get(kind="check.kept")
    assert (event.subject_kind, event.subject_id) == ("check", body["id"])
    assert (event.facts["verdict"], event.facts["rule"]) == ("block", body["rule"])
    assert event.facts["text_sha256"] == hashlib.sha256(THREAT.encode()).hexdigest()
    assert THREAT not in json.dumps(event.facts)
    assert event.actor_kind == "api_key"


def test_each_of_a_batch_is_kept_by_itself(keyed):
    body = checked(keyed, items=[{"text": THREAT}, {"text": HARMLESS}], keep=True)
    ids = [one["id"] for one in body["results"]]
    assert len(set(ids)) == 2
    assert set(
        AuditEvent.objects.filter(kind="check.kept").values_list("subject_id", flat=True)
    ) == set(ids)


@pytest.mark.parametrize("wrong", ["yes please", 3, [], {}])
def test_whether_to_keep_is_yes_or_no(keyed, wrong):
    answer = keyed.send("POST", CHECK, {"text": HARMLESS, "keep": wrong})
    assert answer.status_code == 400
    assert "keep" in answer.content.decode()
