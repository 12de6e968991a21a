"""Discuse's way of asking: a text, pictures and animations at once, each in its own section."""

from __future__ import annotations

import time

import pytest

from moderation.models import FilterRule, Post
from moderation.providers import registry
from moderation.providers.adapters.discuse import DiscuseAdapter
from moderation.providers.base import Account, Answer, TextPart
from moderation.vocabulary import Category, FilterKind, Outcome, Part, WordAction
from tests.api.conftest import Api
from tests.api.test_limits import SLOW
from tests.factories import CommunityFactory, OrganisationFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT, banking
from tests.pipeline.test_enforce import use_policy
from tests.pipeline.test_media import BANK_ONLY, picture
from tests.unit.media_files import animation, photo

ADDRESS = "/discuse/api/v1/check"
SECTIONS = {
    "trace_context",
    "links",
    "badwords",
    "antivirus",
    "language",
    "images",
    "gifs",
    "sentiment",
    "hits",
}
POLISH = "Dzisiaj pomidory w naszym ogrodzie wreszcie dojrzały i są bardzo smaczne."
ENGLISH = "The tomatoes in our garden are finally ripe and taste very good today."


class Discuse(Api):
    """A client with both of Discuse's headers."""

    def __init__(self, client_id, secret):
        super().__init__()
        self.defaults |= {"HTTP_X_CLIENT_ID": client_id, "HTTP_X_CLIENT_SECRET": secret}

    def check(self, *, project=12345, **media):
        body = {"request": {"media": media, "user_id": "u7"}, "settings": {"project_id": project}}
        return self.send("POST", ADDRESS, body)


@pytest.fixture
def client(community, key):
    return Discuse(community.organisation.client_id, key)


@pytest.fixture
def pictures(httpserver, limits):
    """Serve files at addresses that may be fetched: `pictures(a=content)["a"]`."""
    limits(fetch_allowed_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"}))

    def serve(**files):
        for name, content in files.items():
            httpserver.expect_request(f"/{name}").respond_with_data(content)
        return {name: httpserver.url_for(f"/{name}") for name in files}

    return serve


def found(client, **media):
    answer = client.check(**media)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body.keys() == SECTIONS
    return body


def moving():
    return animation([photo(seed) for seed in range(3)])


# What is said


def test_a_threat_is_a_hit_with_its_numbers(client):
    body = found(client, text=THREAT)
    sentiment = body["sentiment"]
    assert sentiment["threat"] > 0.85
    assert sentiment.keys() == {"toxic", "profanity", "threat", "insult", "status", "hit"}
    assert (sentiment["status"], sentiment["hit"], body["hits"]) == ("ok", True, True)
    for section in ("links", "badwords", "antivirus"):
        assert body[section] == {"status": "", "hit": False}
    assert (body["images"], body["gifs"]) == ({"result": {}}, {"result": {}})
    assert body["trace_context"] is None


def test_a_harmless_text_is_no_hit(client):
    answer = client.check(text=HARMLESS)
    body = answer.json()
    assert (body["sentiment"]["hit"], body["hits"]) == (False, False)
    assert answer["X-Gatehouse-Model"].startswith("gatehouse-1-")
    assert "X-Gatehouse-Not-Judged" not in answer


def test_a_trace_is_given_back(client):
    body = {"request": {"media": {"text": HARMLESS}}, "trace_context": "t-1"}
    assert client.send("POST", ADDRESS, body).json()["trace_context"] == "t-1"


@pytest.mark.parametrize(("score", "hit"), [(0.5, False), (0.69, False), (0.7, True), (0.9, True)])
def test_a_hit_is_what_the_policy_does_not_leave_up(client, scored, score, hit):
    scored(threat=score)
    body = found(client, text="Hello")
    assert body["sentiment"] == {"threat": score, "status": "ok", "hit": hit}
    assert body["hits"] is hit


def test_pictures_and_animations_are_judged_in_one_question(client, scored, pictures):
    scores = {Part.TEXT: {"toxic": 0.1}, Part.IMAGE: {"sexual": 0.9}, Part.GIF: {"sexual": 0.2}}
    judge = scored()
    judge.says = lambda part: Answer(Outcome.JUDGED, scores=scores[part.kind])
    at = pictures(photo=picture(), film=moving())
    body = found(client, text=HARMLESS, image_url=[at["photo"]], gif_url=[at["film"]])
    assert body["images"] == {
        "result": {"category": "pornographic", "confidence": 0.9},
        "status": "ok",
        "porn": 0.9,
        "sexual": 0.9,
        "neutral": 0.1,
        "hit": True,
    }
    assert body["gifs"]["result"] == {"category": "neutral", "confidence": 0.8}
    assert (body["gifs"]["hit"], body["sentiment"]["hit"], body["hits"]) == (False, False, True)


@pytest.mark.parametrize(
    ("score", "category"),
    [(0.49, "neutral"), (0.5, "sexual"), (0.84, "sexual"), (0.85, "pornographic")],
)
def test_a_picture_is_called_by_its_score(client, scored, pictures, score, category):
    scored(sexual=score)
    body = found(client, image_url=[pictures(a=picture())["a"]])
    assert body["images"]["result"]["category"] == category
    assert body["sentiment"] == {"status": "", "hit": False}


def test_the_worst_of_several_pictures_is_told(client, community, pictures):
    use_policy(community, route=BANK_ONLY)
    at = pictures(known=picture(), other=picture(5))
    with banking(community, picture()):
        body = found(client, image_url=[at["other"], at["known"]])
    assert (body["images"]["hit"], body["hits"]) == (True, True)
    # The bank knows nothing of the other one, and that is no "neutral".
    assert body["images"]["status"] == "not_judged"
    assert body["images"]["result"] == {}


@pytest.mark.django_db(transaction=True)
def test_our_own_adapter_for_discuse_understands_us(live_server, community, key):
    account = Account(
        name="ours",
        secrets={"client_id": community.organisation.client_id, "client_secret": key},
        options={"project_id": "12345", "base_url": f"{live_server.url}/discuse"},
        allow_private_hosts=frozenset({live_server.url.removeprefix("http://")}),
    )
    parts = [TextPart("a", THREAT), TextPart("b", HARMLESS)]
    adapter = DiscuseAdapter(account)
    threat, harmless = adapter.judge(parts)
    assert threat.scores.keys() == harmless.scores.keys()
    assert threat.scores[Category.THREAT] > 0.85 > 0.1 > harmless.scores[Category.THREAT]
    use_policy(community, route={"text": ["gone"]})
    [unknown] = adapter.judge(parts[:1])
    adapter.client.close()
    assert (unknown.outcome, unknown.scores) == (Outcome.NOT_JUDGED, {})


# What nobody judged


def test_a_text_that_nobody_judged_is_a_hit(client, scored):
    scored(outcome=Outcome.FAILED)
    answer = client.check(text=HARMLESS)
    body = answer.json()
    assert body["sentiment"] == {"status": "not_judged", "hit": True}
    assert body["hits"] is True
    assert answer["X-Gatehouse-Not-Judged"] == "text"


@pytest.mark.parametrize("content", [b"no picture", picture()[:300], b"GIF89a" + b"\x00" * 50, b""])
def test_a_picture_that_cannot_be_used_is_a_hit(client, pictures, content):
    at = pictures(broken=content)["broken"]
    answer = client.check(text=HARMLESS, gif_url=[at])
    body = answer.json()
    assert body["gifs"] == {"result": {}, "status": "not_judged", "hit": True}
    assert (body["sentiment"]["hit"], body["hits"]) == (False, True)
    assert answer["X-Gatehouse-Not-Judged"] == "gif_url.0"


def test_a_private_address_is_not_touched_and_a_hit(client, httpserver):
    body = found(client, image_url=[httpserver.url_for("/a.png")])
    assert (body["images"]["status"], body["hits"]) == ("not_judged", True)
    assert httpserver.log == []


def test_an_address_that_is_late_is_a_hit(client, httpserver, limits):
    limits(
        fetch_allowed_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"}),
        dialect_deadline_seconds=0.2,
    )
    httpserver.expect_request("/a").respond_with_handler(lambda _: time.sleep(0.5))
    body = found(client, image_url=[httpserver.url_for("/a")])
    assert (body["images"]["status"], body["hits"]) == ("not_judged", True)


def test_numbers_that_nobody_gave_are_absent(client, scored, pictures):
    scored(outcome=Outcome.JUDGED, hate=0.9)
    body = found(client, text="Hello", image_url=[pictures(a=picture())["a"]])
    assert body["sentiment"] == {"status": "ok", "hit": True}
    assert body["images"] == {"result": {}, "status": "ok", "hit": True}


# Words, links and languages


@pytest.fixture
def filtered(community):
    """Let the community look for something itself."""

    def add(kind, pattern, score=1.0):
        FilterRule.objects.create(
            community=community, kind=kind, pattern=pattern, category="spam", score=score
        )
        registry._own_judges.cache_clear()

    yield add
    registry._own_judges.cache_clear()


@pytest.mark.parametrize(
    ("kind", "pattern", "section"),
    [
        (FilterKind.LINK, "pills.example", "links"),
        (FilterKind.WORD, "gurkin", "badwords"),
        (FilterKind.REGEX, "gur+kin", "badwords"),
    ],
)
def test_what_the_communitys_filters_find_shows(client, filtered, kind, pattern, section):
    filtered(kind, pattern)
    body = found(client, text="A gurkin: https://pills.example/a")
    assert body[section] == {"status": "ok", "hit": True}
    assert body["hits"] is True
    others = {"links", "badwords", "antivirus"} - {section}
    assert all(body[other] == {"status": "", "hit": False} for other in others)


def test_a_filter_that_the_policy_does_not_act_on_is_no_hit(client, filtered):
    filtered(FilterKind.WORD, "gurkin", score=0.3)
    body = found(client, text="A gurkin, and more of it")
    assert (body["badwords"]["hit"], body["hits"]) == (False, False)


def test_a_word_that_the_community_refuses_is_a_bad_word(client, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    body = found(client, text="A gurkin!")
    assert body["badwords"] == {"status": "ok", "hit": True}
    assert (body["sentiment"]["status"], body["hits"]) == ("not_judged", True)


@pytest.mark.parametrize(
    ("text", "detected"), [(ENGLISH, "en"), (POLISH, "pl"), ("Hi!", None), ("7" * 40, None)]
)
def test_the_language_is_told_and_no_rule_of_its_own(client, community, text, detected):
    community.language = "en"
    community.save()
    assert found(client, text=text)["language"] == {
        "expected": "en",
        "detected": detected,
        "hit": False,
    }


def test_another_language_is_a_hit_where_the_community_says_so(client, community, filtered):
    community.language = "en"
    community.save()
    filtered(FilterKind.LANGUAGE, "en")
    assert found(client, text=ENGLISH)["language"]["hit"] is False
    body = found(client, text=POLISH)
    assert (body["language"]["hit"], body["hits"]) == (True, True)


def test_malware_shows(client, scored):
    scored(malware=0.9)
    assert found(client, text="Hello")["antivirus"] == {"status": "ok", "hit": True}
    scored(malware=0.1)
    assert found(client, text="Hello")["antivirus"] == {"status": "ok", "hit": False}


def test_nothing_is_stored(client):
    found(client, text=THREAT)
    assert not Post.objects.exists()


# Who asks


@pytest.fixture
def everything(community, key):
    return {"id": community.organisation.client_id, "secret": key}


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": "org_0"},
        {"id": "é"},
        {"secret": ""},
        {"secret": "gate_nonsense"},
        {"id": "", "secret": ""},
    ],
)
def test_both_headers_are_needed(everything, wrong):
    sent = everything | wrong
    answer = Discuse(sent["id"], sent["secret"]).check(text=HARMLESS)
    assert answer.status_code == 401
    assert answer.json().keys() == {"detail"}


def test_the_identifier_of_another_organisation_does_not_do(key):
    other = OrganisationFactory.create()
    assert Discuse(other.client_id, key).check(text=HARMLESS).status_code == 401


def test_a_session_or_a_bearer_does_not_do(bo, community, key):
    for client in (bo, Api(key)):
        body = {"request": {"media": {"text": HARMLESS}}}
        assert client.send("POST", ADDRESS, body).status_code == 401


def test_a_key_needs_the_scope_to_check(community):
    client = Discuse(community.organisation.client_id, make_key(community, ["read"])[1])
    assert client.check(text=HARMLESS).status_code == 403


def test_an_organisations_key_names_its_project(community):
    organisation = community.organisation
    lenient = CommunityFactory.create(organisation=organisation)
    never = {"warn": None, "review": None, "block": None}
    use_policy(lenient, thresholds={"default": never, "categories": {}})
    client = Discuse(organisation.client_id, make_key(organisation, ["check"])[1])
    assert client.check(project=lenient.pk, text=THREAT).json()["hits"] is False
    assert client.check(project=community.pk, text=THREAT).json()["hits"] is True
    assert client.check(project=CommunityFactory.create().pk, text=THREAT).status_code == 404
    assert client.check(project=None, text=THREAT).status_code == 400
    named = {"request": {"media": {"text": THREAT}}}
    answer = client.send("POST", ADDRESS, named, X_Gatehouse_Community=lenient.slug)
    assert answer.json()["hits"] is False


def test_a_projects_own_secret_says_which_project_it_is(client):
    assert client.check(project=99_999, text=THREAT).json()["hits"] is True
    assert client.check(project=None, text=THREAT).json()["hits"] is True


def test_too_many_questions_are_refused(client, limits):
    limits(key_rate_burst=1, key_rate_per_second=SLOW)
    assert client.check(text=HARMLESS).status_code == 200
    answer = client.check(text=HARMLESS)
    assert (answer.status_code, answer.json().keys()) == (429, {"detail"})
    assert int(answer["Retry-After"]) > 0


def test_the_dialect_can_be_switched_off(client, limits):
    limits(dialects=frozenset())
    assert client.check(text=HARMLESS).status_code == 404


# What is refused


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"request": {}},
        {"request": {"media": {}}},
        {"request": {"media": {"text": ""}}},
        {"request": {"media": {"text": 7}}},
        {"request": {"media": {"text": "a\x00"}}},
        {"request": {"media": {"text": "a" * 40_001}}},
        {"request": {"media": {"image_url": "https://example.org/a.png"}}},
        {"request": {"media": {"image_url": [7]}}},
        {"request": {"media": {"image_url": [""]}}},
        {"request": {"media": {"image_url": ["ftp://example.org/a.png"]}}},
        {"request": {"media": {"image_url": ["https://example.org/" + "a" * 2_000]}}},
        {"request": {"media": {"gif_url": ["https://example.org/a.gif"] * 21}}},
        {"request": {"media": {"text": "a"}, "user_id": 7}},
        {"request": {"media": {"text": "a"}}, "settings": []},
        {"request": {"media": {"text": "a"}}, "settings": {"project_id": "seven"}},
        {"request": {"media": {"text": "a"}}, "settings": {"project_id": 2**70}},
        b"{",
        b'{"request": "\xff"}',
        b'{"request": {"media": {"text": "\\ud800"}}}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_good_is_refused(client, body):
    answer = client.send("POST", ADDRESS, body)
    assert answer.status_code == 400, answer.content
    assert answer.json().keys() == {"detail"}


def test_what_is_missing_is_named_with_its_place(client):
    answer = client.send("POST", ADDRESS, {})
    assert answer.json() == {"detail": "request: is required; request.media: is required"}


def test_addresses_of_both_kinds_are_counted_together(client):
    urls = ["https://192.0.2.1/a"] * 11
    assert client.check(image_url=urls, gif_url=urls).status_code == 400


def test_what_is_too_large_or_no_json_is_refused(client):
    huge = b'{"request": "' + b"a" * 6_000_000 + b'"}'
    assert client.send("POST", ADDRESS, huge).status_code == 413
    form = client.send("POST", ADDRESS, b"a=b", content_type="application/x-www-form-urlencoded")
    assert form.status_code == 415
    assert client.get(ADDRESS).status_code == 405
