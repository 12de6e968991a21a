"""Reports over the API: made as a client's people or as oneself, read by who may."""

from __future__ import annotations

import pytest

from moderation.models import Report, Review
from moderation.pipeline.intake.submit import Writer
from moderation.pipeline.reports.report import NewReport, report_post
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category, ReviewState
from tests.api.conftest import Api
from tests.api.test_documents import conforms
from tests.factories import CommunityFactory, PostFactory, make_key, make_moderator

REPORTS = "/api/v1/reports"


@pytest.fixture
def post(community):
    return PostFactory.create(author__community=community)


@pytest.fixture
def document(anonymous):
    return anonymous.get("/api/v1/openapi.json").json()


def said(name="reader-7", **more):
    return {"reporter": {"id": name, "name": "Cy"}, "category": "harassment", **more}


def to(post):
    return f"/api/v1/posts/{post.pk}/reports"


def test_a_client_reports_for_its_people_and_reads_the_answer(keyed, post, community, document):
    made = keyed.send("POST", to(post), said(explanation="An insult."))
    assert made.status_code == 201
    conforms(document, made, "report_post")
    body = made.json()
    assert (body["state"], body["source"], body["reporter"]["id"]) == ("open", "client", "reader-7")
    assert made["Location"] == body["links"]["self"] == f"{REPORTS}/{body['number']}"
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    decide_review(
        review_id=review.pk,
        moderator=make_moderator(community),
        action=Action.BLOCK,
        reason="A reason for the author alone.",
        seen_revision=1,
    )
    found = keyed.get(body["links"]["self"])
    conforms(document, found, "get_report")
    assert found.json()["state"] == "acted_on"
    assert found.json()["answer"]["decided_by"] == "person"
    assert "reason for the author" not in found.content.decode()


def test_the_same_readers_report_is_one_and_says_so(keyed, post):
    first = keyed.send("POST", to(post), said())
    again = keyed.send("POST", to(post), said())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_a_repeated_request_is_replayed(keyed, post):
    first = keyed.send("POST", to(post), said(), idempotency_key="k1")
    again = keyed.send("POST", to(post), said(), idempotency_key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotent-Replayed"] == "true"
    other = keyed.send("POST", to(post), said("another"), idempotency_key="k1")
    assert other.json()["code"] == "idempotency_mismatch"
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"category": "spam"}, "reporter"),
        ({"reporter": {"id": "user:1"}, "category": "spam"}, "reporter.id"),
        ({"reporter": {"id": "p1"}}, "category"),
        ({"reporter": {"id": "p1"}, "category": "dull"}, "category"),
        ({"reporter": {"id": "p1"}, "category": "spam", "explanation": "x" * 5001}, "explanation"),
    ],
)
def test_what_is_wrong_is_named(keyed, post, body, field):
    answer = keyed.send("POST", to(post), body)
    assert answer.status_code == 400
    assert [wrong["field"] for wrong in answer.json()["errors"]] == [field]


def test_a_user_of_the_site_reports_as_themselves(cy, bo, post):
    made = cy.send("POST", to(post), said("somebody-else"))
    assert made.status_code == 201
    assert made.json()["reporter"]["id"] == f"user:{cy.user.pk}"
    assert made.json()["source"] == "reader"
    assert [row["number"] for row in cy.get(REPORTS).json()["results"]] == [made.json()["number"]]
    assert bo.get(REPORTS).json()["results"] == []


def test_lists_are_paged_filtered_and_fenced(keyed, community, document):
    posts = [PostFactory.create(author__community=community) for _ in range(3)]
    for number, post in enumerate(posts):
        report_post(NewReport(post, Writer(f"p{number}"), Category.SPAM))
    foreign = PostFactory.create(author__community=CommunityFactory.create(slug="orchard"))
    report_post(NewReport(foreign, Writer("p9"), Category.SPAM))
    first = keyed.get(f"{REPORTS}?limit=2")
    conforms(document, first, "list_reports")
    assert [row["reporter"]["id"] for row in first.json()["results"]] == ["p2", "p1"]
    rest = keyed.get(first.json()["next"]).json()
    assert [row["reporter"]["id"] for row in rest["results"]] == ["p0"]
    assert rest["next"] is None
    only = keyed.get(f"{REPORTS}?post={posts[1].pk}&state=open&reporter=p1").json()
    assert [row["post"] for row in only["results"]] == [str(posts[1].pk)]
    assert keyed.get(f"{REPORTS}?state=acted_on").json()["results"] == []
    assert keyed.get(f"{REPORTS}?state=dull").status_code == 400


def test_a_list_costs_the_same_for_one_report_and_for_many(
    keyed, community, django_assert_max_num_queries
):
    for number in range(20):
        post = PostFactory.create(author__community=community)
        report_post(NewReport(post, Writer(f"p{number}"), Category.SPAM))
    keyed.get(REPORTS)
    with django_assert_max_num_queries(3):
        assert len(keyed.get(REPORTS).json()["results"]) == 20


def test_another_tenants_key_neither_reports_nor_reads(post):
    stranger = Api(make_key(CommunityFactory.create(slug="orchard"), ["submit", "read"])[1])
    assert stranger.send("POST", to(post), said()).status_code == 404
    made = report_post(NewReport(post, Writer("p1"), Category.SPAM)).report
    assert stranger.get(f"{REPORTS}/{made.number}").status_code == 404
    assert stranger.get(REPORTS).json()["results"] == []


def test_a_notices_name_and_address_stay_inside(keyed, post):
    Report.objects.create(
        number="R-1",
        community=post.community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        source="notice",
        notifier={"name": "Nora Notifier", "email": "nora@people.example"},
    )
    answer = keyed.get(f"{REPORTS}/R-1")
    assert answer.json()["reporter"] is None
    assert b"nora" not in answer.content.lower()
