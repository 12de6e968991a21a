"""What an open item is found, filtered and waited for by, as the pipeline fills it in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from moderation.models import Community, PolicyRevision, Review
from moderation.pipeline.review.review import escalate_review
from moderation.policy.risk import REVIEW_MINUTES, review_minutes
from moderation.text.likeness import likeness, near_marks, runs_of
from moderation.vocabulary import ReviewLane
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import THREAT, drain_all, send

ASKS_A_PERSON = {
    "version": 1,
    "route": {"text": ["local_text"]},
    "on_failure": "hold",
    "thresholds": {"default": {"warn": None, "review": 0.0, "block": None}},
}


@pytest.fixture
def community(db):
    return CommunityFactory(policy__document=ASKS_A_PERSON)


def queued_review(community: Community, text: str = THREAT) -> Review:
    (post,) = send(community, text)
    drain_all()
    return Review.objects.get(post=post)


def test_an_item_is_found_by_its_language_text_and_attachments(community):
    review = queued_review(community)
    marks = tuple(getattr(review, f"near_mark_{number}") for number in range(1, 5))
    assert (review.language, review.has_media, len(review.text_mark)) == ("en", False, 64)
    assert marks == near_marks(THREAT)


def test_the_same_text_has_the_same_marks_whatever_its_signs(community):
    one = queued_review(community, "Buy cheap watches, only today!")
    other = queued_review(community, "BUY CHEAP watches - only TODAY")
    assert one.text_mark == other.text_mark != ""
    assert one.near_mark_1 == other.near_mark_1


@pytest.mark.parametrize(("own", "minutes"), [({}, 24 * 60), ({"new": 30}, 30)])
def test_an_item_is_due_when_its_community_says(community, own, minutes):
    Community.objects.filter(pk=community.pk).update(review_minutes=own)
    review = queued_review(community)
    assert review.due_at - review.created_at == timedelta(minutes=minutes)


@pytest.mark.parametrize("nonsense", [0, -5, "soon", None, True, 1.5, [1]])
def test_a_time_that_makes_no_sense_counts_as_not_said(nonsense):
    assert review_minutes(ReviewLane.NEW, {"new": nonsense}) == REVIEW_MINUTES[ReviewLane.NEW]


def test_what_an_item_is_found_by_costs_no_query_more(community):
    """Reviews are inserted once a batch, and nothing else is read or written for them."""
    send(community, *(f"{THREAT} {number}" for number in range(5)))
    with CaptureQueriesContext(connection) as seen:
        drain_all()
    touched = [query["sql"] for query in seen if '"moderation_review"' in query["sql"]]
    assert [sql.split()[0] for sql in touched] == ["SELECT", "INSERT"]
    assert Review.objects.count() == 5


def test_a_lead_sets_a_communitys_times_on_its_page(client, django_user_model, community):
    root = django_user_model.objects.create_superuser("root")
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:moderation_community_change", args=[community.pk])
    shown = client.get(address).context["adminform"].form
    sent = {
        name: shown[name].value()
        for name in shown.fields
        if shown[name].value() not in (None, "", False)
    }
    words = {"words-TOTAL_FORMS": "0", "words-INITIAL_FORMS": "0"}
    for given, kept in (("45", {"report": 45}), ("0", {"report": 45}), ("", {})):
        client.post(address, {**sent, **words, "minutes_report": given})
        community.refresh_from_db()
        assert community.review_minutes == kept
    assert PolicyRevision.objects.filter(community=community).count() == 1


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("Buy cheap watches, only today!", "buy cheap watches only today", 1.0, 1.0),
        ("The tomatoes are finally ripe.", "Buy cheap watches, only today!", 0.0, 0.1),
        ("Short", "Short", 0.0, 0.0),
        (
            "日本語の文章はここにあります、とても長い",
            "日本語の文章はここにあります、とても長い!",
            1.0,
            1.0,
        ),
    ],
)
def test_likeness_is_the_share_of_what_both_say(one, other, least, most):
    assert least <= likeness(runs_of(one), runs_of(other)) <= most


def test_what_is_put_before_a_lead_is_due_sooner(community):
    review = queued_review(community)
    ada = make_moderator(community, ("view_review", "decide_review", "escalate_review"))
    escalate_review(review_id=review.pk, moderator=ada, reason="Look.", seen_revision=1)
    before = review.due_at
    review.refresh_from_db()
    assert before - review.due_at > timedelta(hours=19)
