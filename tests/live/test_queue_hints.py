"""What those who watch the queue are told of who holds what, and of categories not theirs."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from moderation.models import Membership, Review
from moderation.pipeline.review.holding import free_review, hold_review
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category
from tests.factories import PostFactory, make_moderator, site_author
from tests.live.conftest import opened, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def in_thread(work):
    return sync_to_async(work, thread_sensitive=True)


@pytest.fixture
def review(bo, community):
    author = site_author(bo, community)
    return Review.objects.create(
        post=PostFactory(author=author),
        community=community,
        revision=1,
        category=Category.SPAM,
    )


@pytest.fixture
def lea(community):
    return make_moderator(community, username="lea")


async def test_who_takes_an_item_and_gives_it_back_is_told_once(ada, lea, review):
    async with opened("/live/queue/", await signed_in(ada)) as socket:
        await socket.hear("snapshot")
        for _ in range(2):
            await in_thread(hold_review)(review_id=review.pk, moderator=lea)
        held = await socket.hear()
        assert (held["kind"], held["post"]) == ("review.held", str(review.post_id))
        await in_thread(free_review)(review_id=review.pk, moderator=lea)
        assert (await socket.hear())["kind"] == "review.freed"
        await in_thread(free_review)(review_id=review.pk, moderator=lea)
        assert await socket.receive_nothing(timeout=0.3)


@pytest.mark.parametrize(("categories", "hears"), [(["spam"], True), (["threat"], False)])
async def test_only_ones_own_categories_are_heard_of(ada, lea, review, categories, hears):
    await Membership.objects.filter(user=ada).aupdate(categories=categories)
    async with opened("/live/queue/", await signed_in(ada)) as socket:
        assert (await socket.hear("snapshot"))["open"] == int(hears)
        await in_thread(hold_review)(review_id=review.pk, moderator=lea)
        await in_thread(decide_review)(
            review_id=review.pk, moderator=lea, action=Action.ALLOW, reason="Ok.", seen_revision=1
        )
        if hears:
            assert (await socket.hear())["kind"] == "review.held"
            assert (await socket.hear())["kind"] == "decision.approved"
        else:
            assert await socket.receive_nothing(timeout=0.5)
