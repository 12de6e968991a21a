"""What an author is told of a text while it is still being written."""

import pytest

from moderation.models import AuditEvent, Post, ProviderResult, Submission
from moderation.vocabulary import Category, WordAction
from tests.api.conftest import Api
from tests.api.test_posts import code_of, fields_of
from tests.factories import make_key

HINT = "/api/v1/hint"
THREAT = "I will kill you, you worthless idiot"


@pytest.fixture
def words(community):
    community.words.create(term="blockhead", action=WordAction.ADVISE)
    community.words.create(term="gurkin", action=WordAction.BLOCK)


def test_words_are_found_where_they_stand_in_what_was_typed(keyed, words):
    text = "  You bl0ckhead! Gurkin, I say. "
    body = keyed.send("POST", HINT, {"text": text}).json()
    assert [(hit["term"], text[hit["start"] : hit["end"]]) for hit in body["advise"]] == [
        ("blockhead", "bl0ckhead")
    ]
    assert [(hit["term"], text[hit["start"] : hit["end"]]) for hit in body["block"]] == [
        ("gurkin", "Gurkin")
    ]


def test_a_threat_is_taken_for_one_in_plain_words(keyed):
    body = keyed.send("POST", HINT, {"text": THREAT}).json()
    categories = [hint["category"] for hint in body["hints"]]
    assert set(categories) & {"threat", "harassment", "toxic", "violence"}
    assert 1 <= len(categories) <= 3
    assert all(set(hint) == {"category", "text"} for hint in body["hints"])
    assert all(Category(hint["category"]).label.lower() in hint["text"] for hint in body["hints"])


def test_a_harmless_text_is_left_in_peace(keyed):
    body = keyed.send("POST", HINT, {"text": "The tomatoes are finally ripe."}).json()
    assert body == {"advise": [], "block": [], "hints": []}


def test_nothing_of_it_is_kept(keyed, words):
    keyed.send("POST", HINT, {"text": THREAT})
    for model in (Post, Submission, ProviderResult, AuditEvent):
        assert not model.objects.exists()


def test_a_user_of_the_site_may_ask(bo, words):
    body = bo.send("POST", HINT, {"text": "Gurkin!", "community": "garden"}).json()
    assert [hit["term"] for hit in body["block"]] == ["gurkin"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "text"), ({"text": 7}, "text"), ({"text": "a\x00"}, "text"), ([], "body")],
)
def test_a_question_without_a_text_is_refused(keyed, body, field):
    assert field in fields_of(keyed.send("POST", HINT, body))


def test_a_community_that_is_not_there_is_not_found(bo):
    answer = bo.send("POST", HINT, {"text": "Ripe.", "community": "nowhere"})
    assert code_of(answer) == "not_found"


def test_a_key_needs_the_scope_to_check(community):
    client = Api(make_key(community, ["submit", "read"])[1])
    assert code_of(client.send("POST", HINT, {"text": "Ripe."})) == "not_allowed"


def test_asking_takes_no_tokens_from_posting(bo, limits):
    limits(rate_burst=1, rate_per_second=0.001)
    sent = {"text": "Ripe.", "community": "garden"}
    assert bo.send("POST", HINT, sent).status_code == 200
    assert bo.send("POST", HINT, sent).status_code == 429
    assert bo.send("POST", "/api/v1/posts", sent).status_code == 202
