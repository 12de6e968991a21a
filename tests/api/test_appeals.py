"""Appeals over the API: for a client's people or for oneself."""

from __future__ import annotations

import pytest

from moderation.models import Appeal, Report
from moderation.pipeline.appeals.appeal import answer_appeal, write_as_moderator
from moderation.vocabulary import Action, AppealState, ReportState, Visibility
from tests.api.conftest import Api
from tests.api.test_documents import conforms
from tests.factories import (
    AuthorFactory,
    CommunityFactory,
    PostFactory,
    make_key,
    make_moderator,
    site_author,
)
from tests.restrictions import make_appeal, make_restriction

APPEALS = "/api/v1/appeals"
WORDS = "It is a line from a play that we rehearse."


@pytest.fixture
def post(community):
    author = AuthorFactory.create(community=community, external_id="person-42")
    return PostFactory.create(author=author, visibility=Visibility.HIDDEN, status="rejected")


@pytest.fixture
def document(anonymous):
    return anonymous.get("/api/v1/openapi.json").json()


def to(post):
    return f"/api/v1/posts/{post.pk}/appeals"


def test_a_client_appeals_for_its_author_and_reads_the_answer(keyed, post, community, document):
    make_restriction(post, action=Action.BLOCK)
    made = keyed.send("POST", to(post), {"text": WORDS, "author": {"id": "person-42"}})
    assert made.status_code == 201
    conforms(document, made, "open_appeal")
    body = made.json()
    assert (body["state"], body["appellant"]["id"], body["is_overdue"]) == (
        "open",
        "person-42",
        False,
    )
    assert made["Location"] == body["links"]["self"] == f"{APPEALS}/{body['number']}"
    ada = make_moderator(community, username="ada")
    appeal = Appeal.objects.get(number=body["number"])
    write_as_moderator(appeal_id=appeal.pk, moderator=ada, words="Which play?")
    written = keyed.send("POST", body["links"]["messages"], {"text": "Hamlet."})
    conforms(document, written, "write_to_appeal")
    assert [(said["by"], said["text"]) for said in written.json()["messages"]] == [
        ("author", WORDS),
        ("moderator", "Which play?"),
        ("author", "Hamlet."),
    ]
    answer_appeal(
        appeal_id=appeal.pk,
        moderator=ada,
        outcome=AppealState.OVERTURNED,
        answer="It is a quote.",
        seen_revision=1,
    )
    found = keyed.get(body["links"]["self"])
    conforms(document, found, "get_appeal")
    assert (found.json()["state"], found.json()["answer"]) == ("overturned", "It is a quote.")
    assert "ada" not in found.content.decode()
    assert keyed.get(f"/api/v1/posts/{post.pk}").json()["visibility"] == "public"


def test_a_second_appeal_is_answered_with_the_first(keyed, post):
    make_restriction(post, action=Action.BLOCK)
    first = keyed.send("POST", to(post), {"text": WORDS})
    second = keyed.send("POST", to(post), {"text": "Once more."})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_the_same_key_appeals_once_and_another_text_under_it_is_refused(keyed, post):
    make_restriction(post, action=Action.BLOCK)
    first, again, other = (
        keyed.send("POST", to(post), {"text": text}, idempotency_key="k1")
        for text in (WORDS, WORDS, "Another.")
    )
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again["Idempotent-Replayed"] == "true"
    assert Appeal.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({}, 400, "invalid_fields"),
        ({"text": "x" * 5_001}, 400, "invalid_fields"),
        ({"text": WORDS, "statement": "nothing"}, 404, "not_found"),
        ({"text": WORDS, "report": "nothing"}, 404, "not_found"),
        ({"text": WORDS, "report": "a", "statement": "b"}, 400, "invalid_fields"),
        ({"text": WORDS, "author": {"id": "person-7"}}, 403, "not_allowed"),
    ],
)
def test_what_cannot_be_an_appeal_is_refused(keyed, post, sent, status, code):
    make_restriction(post, action=Action.BLOCK)
    refused = keyed.send("POST", to(post), sent)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_a_post_against_which_nothing_stands_is_not_appealed(keyed, community):
    post = PostFactory.create(author__community=community)
    refused = keyed.send("POST", to(post), {"text": WORDS})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


def test_an_appeal_that_comes_too_late_is_told_so(keyed, post, limits):
    make_restriction(post, action=Action.BLOCK)
    limits(appeal_period_days=0)
    refused = keyed.send("POST", to(post), {"text": WORDS})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_late_to_appeal")


def test_a_withdrawn_appeal_takes_no_more(keyed, post, document):
    appeal = make_appeal(post, action=Action.BLOCK)
    ended = keyed.send("POST", f"{APPEALS}/{appeal.number}/withdraw")
    conforms(document, ended, "withdraw_appeal")
    assert ended.json()["state"] == "withdrawn"
    for act in ("withdraw", "messages"):
        refused = keyed.send("POST", f"{APPEALS}/{appeal.number}/{act}", {"text": "Wait."})
        assert (refused.status_code, refused.json()["code"]) == (409, "appeal_closed")


def test_a_list_is_filtered_and_paged_and_knows_no_other_tenant(keyed, community, document):
    appeals = [
        make_appeal(PostFactory.create(author__community=community, visibility=Visibility.HELD))
        for _ in range(3)
    ]
    make_appeal(PostFactory.create(visibility=Visibility.HELD))
    numbers = []
    address = f"{APPEALS}?state=open&limit=2"
    while address:
        page = keyed.get(address)
        conforms(document, page, "list_appeals")
        numbers += [one["number"] for one in page.json()["results"]]
        address = page.json()["next"]
    assert numbers == [appeal.number for appeal in reversed(appeals)]
    only = keyed.get(f"{APPEALS}?post={appeals[0].post_id}").json()["results"]
    assert [one["number"] for one in only] == [appeals[0].number]
    assert keyed.get(f"{APPEALS}?state=sleeping").status_code == 400
    stranger = Api(make_key(CommunityFactory.create(slug="orchard"), ["read", "submit"])[1])
    assert stranger.get(APPEALS).json()["results"] == []
    assert stranger.get(f"{APPEALS}/{appeals[0].number}").status_code == 404


def test_a_list_costs_the_same_however_many_appeals_it_holds(
    keyed, community, django_assert_max_num_queries
):
    for _ in range(12):
        make_appeal(PostFactory.create(author__community=community, visibility=Visibility.HELD))
    with django_assert_max_num_queries(8):
        assert len(keyed.get(APPEALS).json()["results"]) == 12


def test_a_person_appeals_in_their_own_session(bo, bo_user, community, cy):
    author = site_author(bo_user, community)
    post = PostFactory.create(author=author, visibility=Visibility.HIDDEN, status="rejected")
    make_restriction(post, action=Action.BLOCK)
    assert cy.send("POST", to(post), {"text": WORDS}).status_code == 404
    made = bo.send("POST", to(post), {"text": WORDS})
    assert made.status_code == 201
    assert bo.get(APPEALS).json()["results"][0]["number"] == made.json()["number"]
    assert cy.get(APPEALS).json()["results"] == []


def test_a_reader_appeals_the_refusal_of_their_report(keyed, community):
    post = PostFactory.create(author__community=community)
    said = {"reporter": {"id": "reader-7"}, "category": "spam"}
    report = keyed.send("POST", f"/api/v1/posts/{post.pk}/reports", said).json()["number"]
    sent = {"text": "Look again.", "report": report, "author": {"id": "reader-7"}}
    assert keyed.send("POST", to(post), sent).json()["code"] == "cannot_appeal"
    Report.objects.update(state=ReportState.REFUSED)
    made = keyed.send("POST", to(post), sent)
    assert (made.status_code, made.json()["report"]) == (201, report)
