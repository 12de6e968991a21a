"""The first screen: its order, filters, pages and cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from moderation.admin import queue
from moderation.errors import NotAllowed
from moderation.models import Community, Review, SavedView
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.review import decide_review, escalate_review
from moderation.vocabulary import Action, Category, ReviewLane, Severity
from tests.admin.conftest import ClientFor
from tests.admin.situations import DECISION, queued
from tests.factories import AuthorFactory, make_moderator

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
        ({"rule": "not_judged"}, {"rule": "not_judged"}),
        ({"language": "de"}, {"language": "de"}),
        ({"attachments": "with"}, {"has_media": True}),
        ({"age": "4h"}, {"created_at": timezone.now() - timedelta(hours=5)}),
        ({"age": "overdue"}, {"due_at": timezone.now() - timedelta(minutes=1)}),
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


@pytest.mark.parametrize("text", ["nobody", "%", "_", "ilek", "'; --", "\x00"])
def test_who_is_not_there_is_not_found(
    text: str, ada: User, garden: Community, as_user: ClientFor
) -> None:
    queued(garden, author=AuthorFactory(community=garden, name="Dilek"))
    assert rows(as_user(ada), q=text) == ([] if text.strip("\x00") else rows(as_user(ada)))


def test_a_search_finds_nobody_of_another_community(
    ada: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    queued(elsewhere, author=AuthorFactory(community=elsewhere, name="Dilek"))
    assert rows(as_user(ada), q="dilek") == []


def test_an_unknown_name_costs_no_look_at_the_queue(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    queued(garden)
    client = as_user(ada)
    client.get(reverse(QUEUE))
    with CaptureQueriesContext(connection) as seen:
        client.get(reverse(QUEUE), {"q": "nobody of this name"})
    asked = [query["sql"] for query in seen if 'FROM "moderation_review"' in query["sql"]]
    assert asked == []


@pytest.mark.parametrize(
    "query",
    [
        {"severity": "many"},
        {"community": "999999999999999999999999"},
        {"lane": "'; --"},
        {"language": "xx"},
        {"attachments": "loud"},
        {"age": "-1h"},
        {"rule": "x" * 100},
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
    # A count of each of five lanes, views, whose text is there more than once, the page itself.
    with django_assert_max_num_queries(22):
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
    answer = as_user(ada).get(reverse("admin:moderation_review_live"))
    assert f"<strong>{label}</strong>" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_each_lane_says_how_many_of_the_chosen_kind_it_has(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    ranked(garden, 1, category=Category.SPAM)
    ranked(garden, 2, category=Category.SPAM, lane=ReviewLane.APPEAL)
    ranked(garden, 3, lane=ReviewLane.APPEAL)
    tabs = as_user(ada).get(reverse(QUEUE), {"category": "spam", "lane": "new"}).context["tabs"]
    assert {tab.name: tab.count for tab in tabs if tab.count} == {"": 2, "new": 1, "appeal": 1}
    assert [tab.name for tab in tabs if tab.is_chosen] == ["new"]
    assert all("category=spam" in tab.address for tab in tabs)


@pytest.mark.parametrize(
    ("minutes", "said"), [(-125, "overdue by 2\xa0hours"), (190, "3\xa0hours left")]
)
def test_a_row_says_in_words_how_much_time_is_left(
    minutes: int, said: str, ada: User, garden: Community, as_user: ClientFor
) -> None:
    ranked(garden, 1, due_at=timezone.now() + timedelta(minutes=minutes, seconds=30))
    assert said in as_user(ada).get(reverse(QUEUE)).content.decode()


def test_after_a_decision_the_next_item_still_fits_the_filters(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    first = ranked(garden, 1, category=Category.SPAM)
    ranked(garden, 2)
    wanted = ranked(garden, 3, category=Category.SPAM)
    client = as_user(ada)
    page = client.get(reverse(QUEUE), {"category": "spam"})
    address = reverse("admin:moderation_review_change", args=[first.pk])
    assert f"{address}?{page.context['kept']}" in page.content.decode()
    answer = client.post(f"{address}?{page.context['kept']}", DECISION)
    assert answer["Location"].startswith(
        reverse("admin:moderation_review_change", args=[wanted.pk])
    )
    assert "category%3Dspam" in answer["Location"]


# Moderators of some categories


@pytest.fixture
def spam_only(ada: User) -> User:
    ada.moderates.update(categories=["spam"])
    return ada


def test_a_moderator_of_some_categories_sees_those_and_no_others(
    spam_only: User, garden: Community, as_user: ClientFor
) -> None:
    ranked(garden, 1)
    ranked(garden, 2, category=None)
    wanted = ranked(garden, 3, category=Category.SPAM)
    client = as_user(spam_only)
    assert rows(client) == [wanted.pk]
    tabs = client.get(reverse(QUEUE)).context["tabs"]
    assert tabs[0].count == 1


@pytest.mark.parametrize("page", ["change", "alike"])
def test_an_item_of_another_category_does_not_open(
    page: str, spam_only: User, garden: Community, as_user: ClientFor
) -> None:
    other, own = ranked(garden, 1), ranked(garden, 2, category=Category.SPAM)
    client = as_user(spam_only)
    found = [
        client.get(reverse(f"admin:moderation_review_{page}", args=[item.pk])).status_code
        for item in (other, own)
    ]
    assert found == [404, 200]


@pytest.mark.parametrize(
    ("stage", "asked"),
    [
        (hold_review, {}),
        (decide_review, {"action": Action.ALLOW, "reason": "Fine.", "seen_revision": 1}),
        (escalate_review, {"reason": "Look.", "seen_revision": 1}),
    ],
)
def test_an_item_of_another_category_cannot_be_worked_on(
    stage: Any, asked: dict[str, Any], spam_only: User, garden: Community
) -> None:
    review = queued(garden)
    with pytest.raises(NotAllowed):
        stage(review_id=review.pk, moderator=spam_only, **asked)
    review.refresh_from_db()
    assert (review.state, review.holder, review.lane) == ("open", None, "new")


def test_categories_are_set_on_the_page_of_a_person(
    root: User, ada: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(root)
    address = reverse("admin:auth_user_change", args=[ada.pk])
    form = client.get(address).context["adminform"].form
    membership = ada.moderates.get()
    given = {name: value for name, value in form.initial.items() if isinstance(value, str)}
    sent = {
        **given,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "10:00:00",
        "moderates-TOTAL_FORMS": "1",
        "moderates-INITIAL_FORMS": "1",
        "moderates-0-id": membership.pk,
        "moderates-0-user": ada.pk,
        "moderates-0-community": garden.pk,
        "moderates-0-categories": ["spam", "threat"],
    }
    answer = client.post(address, sent)
    assert answer.status_code == 302, answer.context["errors"]
    membership.refresh_from_db()
    assert membership.categories == ["spam", "threat"]
    client.post(address, {**sent, "moderates-0-categories": []})
    membership.refresh_from_db()
    assert membership.categories == []


# Saved views


def save(client: Client, **fields: Any) -> Any:
    sent = {f"view-{name}": value for name, value in fields.items()}
    return client.post(reverse("admin:moderation_review_views"), sent)


def test_a_view_is_saved_renamed_and_deleted(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(ada)
    answer = save(client, name="Mornings", query="category=spam&lane=new&nonsense=1&age=never")
    assert answer["Location"] == f"{reverse(QUEUE)}?category=spam&lane=new"
    view = SavedView.objects.get()
    address = reverse("admin:moderation_review_saved_view", args=[view.pk])
    client.post(address, {"name": "Spam"})
    (link,) = client.get(answer["Location"]).context["views"]
    assert (link.name, link.query, link.is_chosen) == ("Spam", "category=spam&lane=new", True)
    client.post(address, {"delete": "1"})
    assert not SavedView.objects.exists()


def test_saving_a_name_again_changes_what_it_stands_for(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(ada)
    save(client, name="Mine", query="lane=new")
    save(client, name="Mine", query="lane=appeal")
    assert SavedView.objects.get().query == "lane=appeal"


def test_a_view_is_shared_with_a_communitys_moderators_and_changed_by_its_maker_only(
    ada: User, lea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    cleo = make_moderator(elsewhere, username="cleo")
    save(as_user(ada), name="Ours", query="lane=new", shared_with=garden.pk)
    save(as_user(ada), name="Mine", query="lane=appeal")
    seen = {
        who.username: [(link.name, link.shared_by) for link in page.context["views"]]
        for who in (lea, cleo)
        for page in [as_user(who).get(reverse(QUEUE))]
    }
    assert seen == {"lea": [("Ours", "ada")], "cleo": []}
    view = SavedView.objects.get(name="Ours")
    address = reverse("admin:moderation_review_saved_view", args=[view.pk])
    assert as_user(lea).post(address, {"delete": "1"}).status_code == 404
    assert as_user(lea).post(address, {"name": "Theirs"}).status_code == 404
    assert save(as_user(ada), name="Theirs", shared_with=elsewhere.pk).status_code == 302
    assert not SavedView.objects.filter(shared_with=elsewhere).exists()


# From any post


@pytest.mark.parametrize("state", ["open", "decided", "never"])
def test_a_posts_page_says_whether_it_is_queued_anywhere(
    state: str, ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    if state == "never":
        review.delete()
    elif state == "decided":
        decide_review(
            review_id=review.pk, moderator=lea, action=Action.BLOCK, reason="No.", seen_revision=1
        )
    else:
        hold_review(review_id=review.pk, moderator=lea)
    address = reverse("admin:moderation_post_change", args=[review.post_id])
    page = as_user(ada).get(address).content.decode()
    desk = reverse("admin:moderation_review_change", args=[review.pk]) if review.pk else ""
    said = {
        "open": [f'href="{desk}"', "In the queue: New", "lea", "holds it"],
        "decided": ["Not in the queue", "last decided", "lea"],
        "never": ["Not in the queue", "No person has decided it."],
    }[state]
    assert [text for text in said if text not in page] == []
