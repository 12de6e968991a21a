"""Who looks at an item, and what becomes of it, over a websocket."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from moderation.coordination import presence
from moderation.coordination.connection import Bypassed, SharedRedis
from moderation.live import consumers
from moderation.models import Membership, Review
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.edit import edit_post
from moderation.vocabulary import ActorKind
from tests.admin.situations import queued
from tests.factories import CommunityFactory, make_moderator
from tests.live.conftest import opened, refused, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

AUTHOR = Actor(ActorKind.AUTHOR, "1")


@pytest.fixture
def review(community) -> Review:
    return queued(community)


@pytest.fixture
def ben(community):
    return make_moderator(community, username="ben")


def where(review: Review) -> str:
    return f"/live/reviews/{review.pk}/"


async def test_two_who_look_at_one_item_see_each_other_come_and_go(ada, ben, review):
    async with opened(where(review), await signed_in(ada)) as one:
        assert (await one.hear("snapshot"))["people"] == []
        async with opened(where(review), await signed_in(ben)) as other:
            assert (await other.hear("snapshot"))["people"] == ["ada"]
            assert (await one.hear("presence"))["people"] == ["ben"]
        assert (await one.hear("presence"))["people"] == []


async def test_whoever_vanishes_without_a_word_fades(ada, ben, review, monkeypatch):
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.1)
    monkeypatch.setattr(presence, "FADES_AFTER_SECONDS", 1)
    await sync_to_async(presence.look_at)(review.pk, ben.pk, "ben")
    async with opened(where(review), await signed_in(ada)) as one:
        assert (await one.hear("snapshot"))["people"] == ["ben"]
        assert (await one.hear("presence"))["people"] == []


async def test_an_edit_is_told_without_its_content(ada, review):
    async with opened(where(review), await signed_in(ada)) as one:
        await one.hear("snapshot")
        await sync_to_async(edit_post, thread_sensitive=True)(
            post_id=review.post_id, base_revision=1, actor=AUTHOR, body="You are kind"
        )
        assert await one.hear("post.edited") == {"kind": "post.edited", "revision": 2}


@pytest.mark.parametrize("number", ["999999", "9" * 30])
async def test_an_item_that_is_not_there_is_gone(ada, number):
    assert await refused(f"/live/reviews/{number}/", await signed_in(ada)) == consumers.GONE


async def test_items_are_for_those_who_review_there(bo, review, community):
    stranger = await sync_to_async(make_moderator)(
        await sync_to_async(CommunityFactory.create)(), username="cara"
    )
    assert await refused(where(review)) == consumers.NOT_SIGNED_IN
    assert await refused(where(review), await signed_in(bo)) == consumers.GONE
    assert await refused(where(review), await signed_in(stranger)) == consumers.GONE


async def test_whoever_loses_the_community_hears_no_more(ada, review, monkeypatch):
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.1)
    async with opened(where(review), await signed_in(ada)) as one:
        await one.hear("snapshot")
        await sync_to_async(Membership.objects.all().delete)()
        assert await one.code_of_close() == consumers.GONE


def test_without_redis_nobody_is_said_to_look(review, monkeypatch):
    def away(self, work):
        raise Bypassed

    monkeypatch.setattr(SharedRedis, "use", away)
    presence.look_at(review.pk, 1, "ada")
    presence.look_away(review.pk, 1, "ada")
    assert presence.who_looks_at(review.pk, besides=2) == []
