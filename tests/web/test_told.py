"""Authors read on their pages what is restricted and why, and what keeps them from writing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from moderation.models import Enforcement, Review, Statement
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.policy.sanctions import Asked
from moderation.vocabulary import Action, Sanction
from tests.factories import make_moderator
from tests.pipeline.helpers import THREAT, drain_all
from tests.pipeline.test_enforce import strict, use_policy

REASON = "No <b>insults</b> here."


@pytest.fixture
def rejected(of, bo):
    post = of(bo).start(body=THREAT)
    drain_all()
    return post


@pytest.fixture
def silence(community):
    def act(post, kind=Sanction.SILENCE, duration=timedelta(days=2)):
        review = Review.objects.create(post=post, community=community, revision=1)
        return decide_review(
            review_id=review.pk,
            moderator=make_moderator(community),
            action=Action.BLOCK,
            reason=REASON,
            seen_revision=1,
            sanction=Asked(kind, duration),
        )

    return act


def test_author_reads_the_statement_and_where_to_object(of, bo, rejected):
    statement = Statement.objects.get()
    page = of(bo).read("post", rejected.pk)
    for line in statement.document["said"]:
        assert line["title"] in page
    assert "without a person" in page
    assert reverse("forum:appeal", args=[statement.number]) in page


def test_nobody_else_reads_it(of, bo, cy, rejected):
    assert of(cy).get("post", rejected.pk).status_code == 404
    assert "Statement of reasons" not in of(cy).read("board", "garden")


def test_what_a_moderator_wrote_is_text(of, bo, rejected, silence):
    silence(rejected)
    page = of(bo).read("post", rejected.pk)
    assert "No &lt;b&gt;insults&lt;/b&gt; here." in page
    assert "<b>insults" not in page


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Sanction.SILENCE, "You cannot post or edit until"),
        (Sanction.SUSPENSION, "Your account is suspended from taking part until"),
    ],
)
def test_barred_author_is_told_before_and_after_trying(of, bo, rejected, silence, kind, said):
    silence(rejected, kind)
    assert said in of(bo).read("my_posts")
    assert said in of(bo).read("new_topic", "garden")
    answer = of(bo).compose(body="May I?")
    assert answer.status_code == 403
    page = answer.content.decode()
    assert page.count(said) == 1
    assert "May I?" in page
    edit = reverse("forum:edit", args=[rejected.pk])
    form = {"base_revision": 1, "title": "T", "body": "Beans", "token": str(rejected.pk)}
    assert of(bo).client.post(edit, form).status_code == 403
    assert of(bo).client.post(reverse("forum:delete", args=[rejected.pk])).status_code == 302
    # Their post is gone, and with it where it was said; the way to object is not.
    appeal = reverse("forum:appeal", args=[Statement.objects.latest("pk").number])
    assert appeal in of(bo).read("my_posts")
    assert of(bo).client.post(appeal, {"words": "It was a joke."}).status_code == 302


def test_author_whose_posts_are_held_is_told(of, bo, rejected, silence):
    silence(rejected, Sanction.POST_HOLD)
    assert "is shown only after it was checked, until" in of(bo).read("my_posts")


def test_reversal_takes_the_statement_and_the_silence_away(of, bo, community, rejected, silence):
    decision = silence(rejected)
    lena = make_moderator(community, ("view_review", "reverse_enforcement"))
    for enforcement in (decision.enforcement, Enforcement.objects.get(verdict__isnull=False)):
        reverse_enforcement(enforcement_id=enforcement.pk, moderator=lena, reason="A quote.")
    page = of(bo).read("post", rejected.pk)
    assert "Statement of reasons" not in page
    assert "Live again" in page
    assert of(bo).compose(body="Thank you.").status_code == 302


def test_what_held_until_a_moderator_looked_gives_way_to_what_they_decided(of, bo, ada, community):
    use_policy(community, thresholds=strict("review"), review_visibility="held")
    post = of(bo).start()
    drain_all()
    assert of(bo).read("post", post.pk).count("Statement of reasons") == 1
    decide_review(
        review_id=Review.objects.get(post=post).pk,
        moderator=ada,
        action=Action.BLOCK,
        reason="No.",
        seen_revision=1,
    )
    page = of(bo).read("post", post.pk)
    assert page.count("Statement of reasons") == 1
    assert "A person decided" in page
