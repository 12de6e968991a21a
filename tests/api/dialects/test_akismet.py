"""Akismet's way of asking: a form in, a word out, and no word where nobody could tell."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from moderation.api.dialects.akismet import THANKS
from moderation.models import FilterRule, Post, SuggestedScore
from moderation.providers import registry
from moderation.vocabulary import FilterKind, Outcome, WordAction
from tests.api.conftest import Api
from tests.api.test_limits import SLOW
from tests.factories import CommunityFactory, OrganisationFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT
from tests.pipeline.test_enforce import use_policy

CHECK, VERIFY = "/1.1/comment-check", "/1.1/verify-key"
FORM = "application/x-www-form-urlencoded"
SPAM = "CASINO BONUS 500% FREE SPINS make money fast work from home earn $5000 a week"


class Akismet(Api):
    """A client that sends forms, with its key in the field that is Akismet's."""

    def __init__(self, key=""):
        super().__init__()
        self.key = key

    def call(self, address, **fields):
        key_field = "key" if address.endswith("verify-key") else "api_key"
        form = {key_field: self.key, "blog": "https://blog.example", **fields}
        return self.send("POST", address, urlencode(form).encode(), content_type=FORM)

    def check(self, content=HARMLESS, **fields):
        return self.call(CHECK, **{"user_ip": "203.0.113.9", "comment_content": content, **fields})


@pytest.fixture
def client(key):
    return Akismet(key)


def word(answer):
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    return answer.content.decode()


# Keys


@pytest.mark.parametrize("address", [VERIFY, "/akismet/1.1/verify-key"])
def test_a_good_key_is_valid(client, address):
    assert word(client.call(address)) == "valid"


@pytest.mark.parametrize("key", ["", "gate_nonsense", "é"])
def test_any_other_is_invalid(community, key):
    for answer in (Akismet(key).call(VERIFY), Akismet(key).check()):
        assert word(answer) == "invalid"
        assert answer["X-akismet-debug-help"]


def test_a_key_needs_the_scope_to_check(community):
    client = Akismet(make_key(community, ["read"])[1])
    for answer in (client.call(VERIFY), client.check()):
        assert word(answer) == "invalid"
        assert "check" in answer["X-akismet-debug-help"]


def test_neither_a_bearer_nor_a_session_stands_for_a_key(bo, key):
    for client in (bo, Api(key)):
        answer = client.send(
            "POST", CHECK, b"blog=b&user_ip=1&comment_content=a", content_type=FORM
        )
        assert word(answer) == "invalid"


def test_a_key_may_stand_before_the_host(key, settings):
    settings.ALLOWED_HOSTS = [".rest.example"]
    form = b"blog=b&user_ip=1&comment_content=" + SPAM.replace("%", "").encode()
    prefix = key.replace("_", "-")
    for host, said in [
        (f"{prefix}.rest.example", "true"),
        (f"{prefix[:-1]}x.rest.example", "invalid"),
        ("rest.example", "invalid"),
    ]:
        assert word(Api().send("POST", CHECK, form, content_type=FORM, host=host)) == said


# Spam or not


@pytest.mark.parametrize("address", [CHECK, "/akismet/1.1/comment-check"])
def test_spam_is_told_from_ham(client, address):
    for content, said in [(SPAM, "true"), (HARMLESS, "false")]:
        answer = client.call(address, user_ip="203.0.113.9", comment_content=content)
        assert word(answer) == said
        assert answer["X-Gatehouse-Model"].startswith("gatehouse-1-")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"spam": 0.5}, "false"),
        ({"spam": 0.69}, "false"),
        ({"spam": 0.7}, "true"),
        ({"hate": 0.84, "spam": 0.0}, "false"),
        ({"hate": 0.85, "spam": 0.0}, "true"),
        ({"hate": 0.8, "spam": 0.7}, "true"),
    ],
)
def test_spam_and_whatever_the_policy_blocks_counts(client, scored, scores, said):
    scored(**scores)
    assert word(client.check("Hello")) == said


@pytest.mark.parametrize(("score", "discard"), [(0.9, False), (0.979, False), (0.98, True)])
def test_blatant_spam_can_be_thrown_away(client, scored, score, discard):
    scored(spam=score)
    answer = client.check("Hello")
    assert word(answer) == "true"
    assert (answer.get("X-akismet-pro-tip") == "discard") is discard


def test_nothing_is_thrown_away_that_the_policy_does_not_block(client, scored, community):
    scored(spam=0.99)
    steps = {"warn": None, "review": 0.7, "block": None}
    thresholds = {"default": steps, "categories": {}}
    use_policy(community, route={"text": ["judge"]}, thresholds=thresholds)
    answer = client.check("Hello")
    assert word(answer) == "true"
    assert "X-akismet-pro-tip" not in answer


def test_a_word_that_the_community_blocks_is_spam(client, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    assert word(client.check("A gurkin!")) == "true"


def test_a_name_and_where_it_leads_are_judged_too(client, scored):
    judge = scored(spam=0.1)
    client.check("Nice post.", comment_author="Cheap pills", comment_author_url="https://p.example")
    assert judge.asked == ["Cheap pills\nNice post.\nhttps://p.example"]
    client.check("", comment_author="Cheap pills")
    assert judge.asked[1:] == ["Cheap pills"]


def test_a_link_that_the_community_does_not_want_is_found_in_the_address(client, community):
    FilterRule.objects.create(
        community=community, kind=FilterKind.LINK, pattern="pills.example", category="spam", score=1
    )
    registry._own_judges.cache_clear()
    try:
        answer = client.check(HARMLESS, comment_author_url="https://pills.example/")
    finally:
        registry._own_judges.cache_clear()
    assert word(answer) == "true"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"comment_author": "viagra-test-123"}, "true"),
        ({"comment_author_email": "akismet-guaranteed-spam@example.com"}, "true"),
        ({"content": SPAM, "user_role": "administrator"}, "false"),
        ({"comment_author": "viagra-test-123", "user_role": "administrator"}, "false"),
        ({"content": SPAM, "user_role": "subscriber"}, "true"),
    ],
)
def test_akismets_own_inputs_are_honoured(client, fields, said):
    assert word(client.check(**fields)) == said


def test_nothing_is_stored(client):
    client.check(THREAT)
    assert not Post.objects.exists()


# Corrections


def correct(client, call, content=SPAM, **fields):
    return client.call(call, **{"user_ip": "203.0.113.9", "comment_content": content, **fields})


@pytest.mark.parametrize(
    ("address", "score"),
    [("/1.1/submit-spam", 1.0), ("/1.1/submit-ham", 0.0), ("/akismet/1.1/submit-ham", 0.0)],
)
def test_a_correction_is_kept_beside_our_score(client, community, address, score):
    assert word(correct(client, address)) == THANKS
    [kept] = SuggestedScore.objects.all()
    assert (kept.community, kept.attribute, kept.score) == (community, "SPAM", score)
    assert kept.our_score > 0.9
    assert kept.model.startswith("gatehouse-1-")
    assert kept.client == f"key:{client.key.split('_')[1]}"


def test_who_changes_their_mind_is_counted_once(client):
    correct(client, "/1.1/submit-spam")
    correct(client, "/1.1/submit-ham")
    assert [kept.score for kept in SuggestedScore.objects.all()] == [0.0]
    for no in ("", "0", "false"):
        correct(client, "/1.1/submit-spam", HARMLESS, is_test=no)
    assert SuggestedScore.objects.count() == 2


def test_a_correction_stands_where_nobody_judged(client, scored):
    scored(outcome=Outcome.FAILED)
    assert word(correct(client, "/1.1/submit-spam")) == THANKS
    [kept] = SuggestedScore.objects.all()
    assert (kept.score, kept.our_score) == (1.0, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"is_test": "1"},
        {"is_test": "true"},
        {"comment_author": "viagra-test-123"},
        {"user_role": "administrator"},
    ],
)
def test_what_is_only_tried_out_is_no_label(client, fields):
    assert word(correct(client, "/1.1/submit-spam", **fields)) == THANKS
    assert not SuggestedScore.objects.exists()


def test_a_correction_without_a_key_or_a_comment_is_not_kept(client, community):
    stranger = Akismet("gate_nonsense")
    assert word(correct(stranger, "/1.1/submit-spam")) == "invalid"
    missing = "Missing required field: comment_content"
    assert word(correct(client, "/1.1/submit-spam", "")) == missing
    assert correct(client, "/1.1/submit-spam", "a\x00").status_code == 400
    assert not SuggestedScore.objects.exists()


# What nobody judged


def test_there_is_no_word_for_what_nobody_judged(client, scored):
    scored(outcome=Outcome.FAILED)
    answer = client.check()
    assert answer.status_code == 503
    assert answer["X-akismet-debug-help"]
    assert answer.content not in (b"true", b"false")
    # Nor advice that could be taken for one.
    assert b"let a person look" in answer.content


def test_one_judge_of_two_that_fails_calls_nothing_ham(client, community):
    use_policy(community, route={"text": ["local_text", "gone"]})
    assert client.check().status_code == 503
    assert word(client.check(SPAM)) == "true"


def test_ham_of_which_nobody_judged_spam_says_so(client, scored):
    scored(hate=0.1)
    answer = client.check("Hello")
    assert (word(answer), answer["X-Gatehouse-Not-Judged"]) == ("false", "spam")
    scored(hate=0.1, spam=0.1)
    assert "X-Gatehouse-Not-Judged" not in client.check("Hello")


# What is missing or no good


@pytest.mark.parametrize("missing", ["blog", "user_ip"])
def test_a_field_that_is_missing_is_named_as_akismet_does(client, missing):
    answer = client.check(**{missing: ""})
    assert word(answer) == f"Missing required field: {missing}"
    assert answer["X-akismet-debug-help"] == f"Missing required field: {missing}"


def test_a_comment_with_nothing_in_it_is_no_ham(client):
    assert word(client.check("  ")) == "Missing required field: comment_content"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("comment_content", "a\x00"),
        ("comment_content", "a" * 40_001),
        ("comment_author", "a" * 301),
        ("comment_author_url", "a" * 2_001),
    ],
)
def test_a_field_that_is_no_good_is_refused(client, field, value):
    answer = client.check(**{field: value})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert field in answer["X-akismet-debug-help"]


def test_a_form_that_is_none_is_refused(client, key):
    many = "&".join(f"f{number}=" for number in range(2_000)).encode()
    assert client.send("POST", CHECK, many, content_type=FORM).status_code == 400
    huge = b"comment_content=" + b"a" * 6_000_000
    assert client.send("POST", CHECK, huge, content_type=FORM).status_code == 413
    json = client.send("POST", CHECK, {"api_key": key, "comment_content": "a"})
    assert json.status_code == 415
    assert json["Content-Type"] == "text/plain; charset=utf-8"
    assert word(client.send("POST", CHECK, b"", content_type=FORM)) == "invalid"


def test_bytes_that_are_no_text_are_still_judged(client, key, scored):
    judge = scored(spam=0.9)
    form = f"api_key={key}&blog=b&user_ip=1&comment_content=".encode() + b"caf\xe9%e9"
    assert word(client.send("POST", CHECK, form, content_type=FORM)) == "true"
    assert judge.asked == ["caf\ufffd\ufffd"]


def test_too_many_comments_are_refused(client, limits):
    limits(key_rate_burst=1, key_rate_per_second=SLOW)
    assert word(client.check()) == "false"
    answer = client.check()
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_the_dialect_can_be_switched_off(client, limits):
    limits(dialects=frozenset())
    assert client.check().status_code == 404


# Whose comments


def test_an_organisations_key_names_its_community(community):
    organisation = OrganisationFactory.create()
    lenient = CommunityFactory.create(organisation=organisation)
    never = {"warn": None, "review": None, "block": None}
    use_policy(lenient, thresholds={"default": never, "categories": {}})
    client = Akismet(make_key(organisation, ["check"])[1])
    assert word(client.check(SPAM, community=lenient.slug)) == "false"
    assert client.check(SPAM).status_code == 400
    assert client.check(SPAM, community=community.slug).status_code == 404
