"""Programs learn what authors are told of restrictions; who is silenced posts nowhere."""

from __future__ import annotations

import pytest

from moderation.models import Post, Review
from moderation.pipeline.review.review import decide_review
from moderation.policy.sanctions import Asked
from moderation.vocabulary import Action, Sanction
from tests.api.conftest import POSTS, person
from tests.api.test_documents import conforms
from tests.factories import make_moderator
from tests.pipeline.helpers import THREAT, drain_all


@pytest.fixture
def made(keyed):
    """A post of Bo's that the policy rejected."""
    answer = keyed.send("POST", POSTS, person(text=f"{THREAT} xyzzy"))
    drain_all()
    return answer.json()


def silence(post, kind=Sanction.SILENCE):
    review = Review.objects.create(post=post, community=post.community, revision=1)
    decide_review(
        review_id=review.pk,
        moderator=make_moderator(post.community),
        action=Action.BLOCK,
        reason="No threats.",
        seen_revision=1,
        sanction=Asked(kind),
    )


def test_statements_are_told_as_they_were_issued(keyed, anonymous, made):
    post = Post.objects.get(pk=made["id"])
    silence(post)
    answer = keyed.get(f"{POSTS}/{post.pk}/statements")
    conforms(anonymous.get("/api/v1/openapi.json").json(), answer, "list_statements")
    by_person, by_machine = answer.json()["results"]
    assert by_machine["facts"]["decided"] == "fully"
    assert by_person["facts"]["decided"] == "not_automated"
    assert by_person["restrictions"][-1]["decision"] == "silence"
    assert by_person["restrictions"][-1]["until"] is None
    assert "No threats." in str(by_person["said"])
    assert "xyzzy" not in answer.content.decode()


def test_a_post_of_which_nothing_was_restricted_has_none(keyed):
    made = keyed.send("POST", POSTS, person()).json()
    drain_all()
    assert keyed.get(f"{POSTS}/{made['id']}/statements").json() == {"results": []}


@pytest.mark.parametrize(
    ("sanction", "code"),
    [(Sanction.SILENCE, "author_silenced"), (Sanction.SUSPENSION, "author_suspended")],
)
def test_barred_author_neither_posts_nor_edits_and_learns_why(
    keyed, anonymous, made, sanction, code
):
    post = Post.objects.get(pk=made["id"])
    silence(post, sanction)
    newest = keyed.get(f"{POSTS}/{post.pk}/statements").json()["results"][0]
    for answer in (
        keyed.send("POST", POSTS, person()),
        keyed.send("PATCH", f"{POSTS}/{post.pk}", {"text": "Beans"}),
    ):
        assert answer.status_code == 403
        problem = answer.json()
        assert (problem["code"], problem["until"]) == (code, None)
        assert problem["statement"] == newest["number"]
        assert "how to object" in problem["detail"]
    bulk = keyed.send("POST", f"{POSTS}/bulk", {"posts": [person(), person("cy")]}).json()
    assert [one.get("problem", {}).get("code") for one in bulk["results"]] == [code, None]
    # They may take their post away, and object to what outlives it.
    assert keyed.send("DELETE", f"{POSTS}/{post.pk}").status_code == 204
    assert keyed.get(f"{POSTS}/{post.pk}").status_code == 404
    assert keyed.get(f"{POSTS}/{post.pk}/statements").json()["results"][0] == newest
    made = keyed.send("POST", f"{POSTS}/{post.pk}/appeals", {"text": "It was a joke."})
    assert (made.status_code, made.json()["state"]) == (201, "open")
