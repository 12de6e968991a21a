"""The first screen: its order, filters, pages and cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from moderation.admin import queue
from moderation.models import Community, Review
from moderation.pipeline.review import hold_review
from moderation.vocabulary import Category, ReviewLane, Severity
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.factories import AuthorFactory

QUEUE = "admin:moderation_review_changelist"


def rows(client: Client, **query: Any) -> list[int]:
    page = client.get(reverse(QUEUE), query).context["page"]
    return [row.id for row in page.rows]


def ranked(community: Community, hours: int, **fields: Any) -> Review:
    review = queued(community)
    fields["rank_at"] = timezone.now() + timedelta(hours=hours)
    Review.objects.filter(pk=review.pk).update(**fields)
    return review


def test_the_most_urgent_item_comes_first(ada: User, garden: Community, as_user: ClientFor) -> None:
    late, first, middle = ranked(garden, 3), ranked(garden, 1), ranked(garden, 2)
    assert rows(as_user(ada)) == [first.pk, middle.pk, late.pk]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"category": "spam"}, {"category": Category.SPAM}),
        ({"lane": "report"}, {"lane": ReviewLane.REPORT}),
        ({"severity": "4"}, {"severity": Severity.CRITICAL}),
    ],
)
def test_a_filter_keeps_what_fits(
    query: dict[str, str],
    field: dict[str, Any],
    ada: User,
    garden: Community,
    as_user: ClientFor,
) -> None:
    ranked(garden, 1)
    wanted = ranked(garden, 2, **field)
    assert rows(as_user(ada), **query) == [wanted.pk]


@pytest.mark.parametrize(("holder", "kept"), [("free", 0), ("me", 1), ("others", 2), ("", 3)])
def test_items_are_told_apart_by_who_holds_them(
    holder: str, kept: int, ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    made = [ranked(garden, 1), ranked(garden, 2), ranked(garden, 3)]
    hold_review(review_id=made[1].pk, moderator=ada)
    hold_review(review_id=made[2].pk, moderator=lea)
    expected = [review.pk for review in made] if kept == 3 else [made[kept].pk]
    assert rows(as_user(ada), holder=holder) == expected


@pytest.mark.parametrize("by", ["post", "external_id", "name"])
def test_an_item_is_found_by_post_or_author(
    by: str, ada: User, garden: Community, as_user: ClientFor
) -> None:
    author = AuthorFactory(community=garden, external_id="person-x", name="Dilek Şahin")
    queued(garden)
    wanted = queued(garden, author=author)
    text = {"post": str(wanted.post_id), "external_id": "person-x", "name": "dilek"}[by]
    assert rows(as_user(ada), q=text) == [wanted.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"severity": "many"},
        {"community": "999999999999999999999999"},
        {"lane": "'; --"},
        {"after": "yesterday~x"},
        {"after": "2026-99-99T00:00:00+00:00~1"},
        {"after": "2026-01-01T00:00:00~1"},
        {"after": "2026-01-01T00:00:00+00:00~99999999999999999999999"},
    ],
)
def test_a_filter_that_makes_no_sense_narrows_nothing(
    query: dict[str, str], ada: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    assert rows(as_user(ada), **query) == [review.pk]


def test_pages_follow_each_other_without_gap_or_repeat(
    ada: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PAGE", 2)
    same = timezone.now()
    made = [queued(garden) for _ in range(5)]
    Review.objects.update(rank_at=same)
    client, after, seen = as_user(ada), "", []
    for _ in range(3):
        page = client.get(reverse(QUEUE), {"after": after}).context["page"]
        seen += [row.id for row in page.rows]
        after = page.next_after
    assert seen == [review.pk for review in made]
    assert after == ""


@pytest.mark.parametrize("items", [1, 200])
def test_the_page_costs_the_same_however_long_the_queue_is(
    items: int,
    ada: User,
    garden: Community,
    as_user: ClientFor,
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(items):
        queued(garden)
    client = as_user(ada)
    client.get(reverse(QUEUE))
    with django_assert_max_num_queries(11):
        answer = client.get(reverse(QUEUE))
    assert len(answer.context["page"].rows) == min(items, queue.PAGE)


@pytest.mark.parametrize(("items", "label"), [(0, "0"), (1, "1"), (3, "3"), (4, "3+")])
def test_counting_stops_where_the_number_helps_nobody(
    items: int,
    label: str,
    ada: User,
    garden: Community,
    as_user: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "COUNTED_UP_TO", 3)
    for _ in range(items):
        queued(garden)
    answer = as_user(ada).get(reverse("admin:moderation_review_count"))
    assert f"<strong>{label}</strong>" in answer.content.decode()
    assert "<html" not in answer.content.decode()
