"""Several items decided as one in the back office: picked by hand, or because they are alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from moderation.models import Community, Decision, DecisionBatch, MediaItem, Post, Review
from moderation.pipeline.review.holding import hold_review
from moderation.vocabulary import Visibility
from tests.admin.conftest import ClientFor
from tests.admin.payloads import PAYLOADS
from tests.admin.situations import queued
from tests.admin.test_hostile_text import Reader
from tests.factories import AuthorFactory, make_moderator

TOGETHER = "admin:moderation_review_together"
REASON = {"picked_reason": "spam", "own_words": ""}


def pick(*reviews: Review) -> dict[str, Any]:
    return {"picked": [f"{review.pk}:{review.revision}" for review in reviews]}


def send(client: Client, given: dict[str, Any]) -> HttpResponse:
    return client.post(reverse(TOGETHER), given)  # type: ignore[return-value]


def batch_address(batch: DecisionBatch) -> str:
    return reverse("admin:moderation_decisionbatch_change", args=[batch.pk])


def test_what_was_picked_is_shown_with_its_consequences_before_anything_happens(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    held, shown = queued(garden), queued(garden, visibility=Visibility.PUBLIC)
    answer = send(as_user(ada), pick(held, shown))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "1 disappears from readers, 1 stays out of sight." in page
    assert "2 authors get a strike for each post" in page
    assert page.count(" checked>") == 2
    assert not Decision.objects.exists()


def test_one_reason_decides_all_that_is_ticked(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    reviews = [queued(garden) for _ in range(3)]
    client = as_user(ada)
    answer = send(client, {**pick(*reviews[:2]), **REASON, "action": "block"})
    batch = DecisionBatch.objects.get()
    assert answer["Location"] == batch_address(batch)
    assert [decision.review_id for decision in batch.decisions.order_by("pk")] == [
        review.pk for review in reviews[:2]
    ]
    page = client.get(answer["Location"]).content.decode()
    assert "2 decided as one: block" in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"action": "block", "picked_reason": "", "own_words": " "}, "State the reason"),
        ({"action": "review", **REASON}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_decided_says_why_and_does_nothing(
    given: dict[str, str], said: str, ada: User, garden: Community, as_user: ClientFor
) -> None:
    answer = send(as_user(ada), {**pick(queued(garden)), **given})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Decision.objects.exists()


def test_nothing_picked_leads_back_to_the_queue_and_its_filters(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    address = f"{reverse(TOGETHER)}?_changelist_filters=lane%3Dnew"
    answer = as_user(ada).post(address, {"picked": ["x", "1:", ":2", "9" * 30 + ":1"]})
    assert answer["Location"] == f"{reverse('admin:moderation_review_changelist')}?lane=new"


def test_who_holds_an_item_is_named_and_it_is_left_out(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    free, taken = queued(garden), queued(garden)
    hold_review(review_id=taken.pk, moderator=lea)
    client = as_user(ada)
    assert "Left out: lea holds it." in send(client, pick(free, taken)).content.decode()
    answer = send(client, {**pick(free, taken), **REASON, "action": "block"})
    page = client.get(answer["Location"]).content.decode()
    assert "1 left out" in page
    assert "lea holds it." in page
    assert Decision.objects.get().review_id == free.pk


def test_items_of_two_communities_are_not_decided_as_one(
    ada: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    ada.moderates.create(community=elsewhere)
    both = pick(queued(garden), queued(elsewhere))
    client = as_user(ada)
    assert "several communities" in send(client, both).content.decode()
    answer = send(client, {**both, **REASON, "action": "block"})
    assert answer.status_code == 400
    assert not Decision.objects.exists()


@pytest.mark.parametrize("who", ["rea", "cleo"])
def test_who_may_not_decide_reaches_none_of_it(
    who: str, rea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    cleo = make_moderator(elsewhere, username="cleo")
    review = queued(garden)
    client = as_user({"rea": rea, "cleo": cleo}[who])
    alike = reverse("admin:moderation_review_alike", args=[review.pk])
    expected = 403 if who == "rea" else 404
    assert client.get(alike).status_code == expected
    given = {**pick(review), **REASON, "action": "block"}
    assert send(client, given).status_code == expected
    assert not Decision.objects.exists()


def test_a_lead_takes_a_batch_back_as_one_and_a_moderator_does_not(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    reviews = [queued(garden) for _ in range(2)]
    send(as_user(ada), {**pick(*reviews), **REASON, "action": "block"})
    batch = DecisionBatch.objects.get()
    refused = as_user(ada).post(batch_address(batch), {"reason": "Oops."})
    assert refused.status_code == 403
    client = as_user(lea)
    client.post(batch_address(batch), {"reason": ""})
    batch.refresh_from_db()
    assert batch.reversed_at is None
    client.post(batch_address(batch), {"reason": "A mistake."})
    batch.refresh_from_db()
    assert batch.reversed_at is not None
    assert set(Post.objects.values_list("visibility", flat=True)) == {Visibility.HELD}
    assert "Nothing of it stands any more." in client.get(batch_address(batch)).content.decode()


def test_a_batch_of_another_community_does_not_open(
    ada: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    send(as_user(ada), {**pick(queued(garden)), **REASON, "action": "block"})
    batch = DecisionBatch.objects.get()
    cleo = make_moderator(
        elsewhere, ("view_review", "view_decision", "reverse_enforcement"), username="cleo"
    )
    client = as_user(cleo)
    assert client.get(batch_address(batch)).status_code == 404
    assert client.post(batch_address(batch), {"reason": "Mine."}).status_code == 404


def test_the_grid_shows_pictures_under_a_veil_until_all_are_asked_for(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden, title="", body="")
    item = MediaItem.objects.create(
        community=garden, author=review.post.author, post=review.post, state="ready"
    )
    client = as_user(ada)
    address = reverse("admin:moderation_review_grid")
    veiled = client.get(address).content.decode()
    assert f'for="show-{item.pk}"' in veiled
    assert 'class="gh-veiled"' in veiled
    assert f"{review.pk}:1" in veiled
    assert 'class="gh-veiled"' not in client.get(address, {"shown": "all"}).content.decode()


def hostile(community: Community, text: str) -> Review:
    """Return an item whose every user-controlled field that lists show holds a text."""
    author = AuthorFactory(community=community, name=text[:200], external_id=text[:200])
    review = queued(community, author=author, title=text[:300], body=text, channel=text[:100])
    MediaItem.objects.create(
        community=community, author=author, post=review.post, state="ready", alt_text=text[:500]
    )
    mark = {"text_mark": "same", "near_mark_1": 1, "near_mark_2": 2, "near_mark_3": 3}
    Review.objects.filter(pk=review.pk).update(
        rule=text[:60], category=None, has_media=True, near_mark_4=4, **mark
    )
    review.refresh_from_db()
    return review


def test_hostile_text_is_text_on_every_page_of_several(
    root: User, garden: Community, as_user: ClientFor
) -> None:
    texts = [text.replace("\x00", "") for text in PAYLOADS]
    groups = [" ".join(texts[at : at + 4]) for at in range(0, len(texts), 4)]
    client = as_user(root)
    Community.objects.filter(pk=garden.pk).update(name=" ".join(texts)[:200])
    reviews = [hostile(garden, group) for group in groups]
    own = queued(garden, title=" ".join(texts)[:300], body=" ".join(texts))
    for group in groups:
        saved = {"view-name": group[:60], "view-query": f"rule={group[:60]}"}
        client.post(reverse("admin:moderation_review_views"), saved)
    queue, grid, live = (
        reverse(f"admin:moderation_review_{page}") for page in ("changelist", "grid", "live")
    )
    asked = {"q": groups[0][:200], "rule": groups[1][:60], "after": groups[2]}
    decided = send(
        client,
        {**pick(own), "picked_reason": "", "own_words": " ".join(texts)[:1000], "action": "block"},
    )
    pages = [
        client.get(queue),
        client.get(queue, asked),
        client.get(grid),
        client.get(live),
        client.get(live, {"as": "grid", **asked}),
        client.get(reverse("admin:moderation_review_alike", args=[reviews[0].pk])),
        send(client, pick(*reviews)),
        client.get(reverse("admin:moderation_post_change", args=[reviews[0].post_id])),
        client.get(decided["Location"]),
        client.get(reverse("admin:moderation_decisionbatch_changelist")),
    ]
    assert [page.status_code for page in pages] == [200] * len(pages)
    assert [Reader(page.content.decode()).live for page in pages] == [[]] * len(pages)
    assert len(pages[0].context["page"].rows) == len(groups)
    assert len(pages[0].context["views"]) == len(groups)


def test_hidden_signs_are_named_in_a_text_and_in_a_name(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    hostile(garden, "right \u202e left and some more letters")
    page = as_user(ada).get(reverse("admin:moderation_review_changelist")).content.decode()
    assert page.count('title="right-to-left override">U+202E') == 3, "title, text and name"
