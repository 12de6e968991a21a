"""Who is told what over a websocket, and when they stop being told."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User

from moderation.live import consumers, sockets
from moderation.models import Community, Membership, Post, Review
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, ActorKind, Visibility
from tests.factories import CommunityFactory, PostFactory, site_author
from tests.live.conftest import opened, refused, signed_in
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send

pytestmark = pytest.mark.django_db(transaction=True)

AUTHOR = Actor(ActorKind.AUTHOR, "1")


@pytest.fixture
def quick_checks(monkeypatch):
    """Check access twice a second rather than every five."""
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.1)


def in_thread(work):
    return sync_to_async(work, thread_sensitive=True)


def write(user: User, community: Community, body: str, **fields) -> Post:
    (post,) = send(community, body, writer=f"user:{user.pk}", **fields)
    post.author.user = user
    post.author.save()
    return post


async def written(user, community, body=HARMLESS, **fields) -> Post:
    return await in_thread(write)(user, community, body, **fields)


async def judged() -> int:
    return await in_thread(drain_all)()


# An author's own posts


async def test_the_author_hears_of_the_verdict_without_its_content(bo, community):
    post = await written(bo, community, THREAT)
    async with opened("/live/me/", await signed_in(bo)) as socket:
        snapshot = await socket.hear("snapshot")
        assert snapshot["posts"] == [
            {"post": str(post.pk), "revision": 1, "status": "pending", "visibility": "public"}
        ]
        await judged()
        hint = await socket.hear("post.rejected")
        assert hint == {
            "kind": "post.rejected",
            "post": str(post.pk),
            "revision": 1,
            "sequence": hint["sequence"],
        }


async def test_a_stranger_hears_nothing_of_it(bo, cy, community):
    await written(bo, community)
    await written(cy, community)
    async with opened("/live/me/", await signed_in(cy)) as socket:
        snapshot = await socket.hear("snapshot")
        assert len(snapshot["posts"]) == 1
        await judged()
        hint = await socket.hear()
        assert hint["post"] == snapshot["posts"][0]["post"]
        assert await socket.receive_nothing(timeout=0.3)


async def test_who_comes_back_learns_what_was_missed(bo, community):
    post = await written(bo, community, THREAT)
    client = await signed_in(bo)
    async with opened("/live/me/", client) as socket:
        assert (await socket.hear("snapshot"))["posts"][0]["status"] == "pending"
    await judged()
    async with opened("/live/me/", client) as socket:
        (line,) = (await socket.hear("snapshot"))["posts"]
        assert line == {
            "post": str(post.pk),
            "revision": 1,
            "status": "rejected",
            "visibility": "hidden",
        }


async def test_a_first_post_is_heard_on_a_socket_that_was_open_before(bo, community, quick_checks):
    async with opened("/live/me/", await signed_in(bo)) as socket:
        assert (await socket.hear("snapshot"))["posts"] == []
        await written(bo, community)
        # A beat comes after checks, which find who Bo has become; only then is the post judged.
        for _ in range(2):
            await socket.hear("beat")
        await judged()
        assert (await socket.hear("post.approved"))["revision"] == 1


async def test_nobody_listens_without_an_account(transactional_db):
    assert await refused("/live/me/") == consumers.NOT_SIGNED_IN
    assert await refused("/live/queue/") == consumers.NOT_SIGNED_IN


@pytest.mark.parametrize(
    "origin",
    [
        b"https://elsewhere.example",
        b"http://localhost:9999",  # another program's page on this machine
        b"https://localhost",
        b"http://localhost.elsewhere.example",
        b"http://localhost:80.elsewhere.example",
        b"null",
        b"",
        None,
    ],
)
async def test_a_page_of_another_site_opens_no_socket(bo, origin):
    client = await signed_in(bo)
    await refused("/live/me/", client, origin=origin)


@pytest.mark.parametrize("path", ["/", "/live/", "/live/topics/x/", "/admin/"])
async def test_a_socket_to_nowhere_is_turned_away(path):
    assert await refused(path)


async def test_logging_out_closes_the_socket(bo, community, quick_checks):
    client = await signed_in(bo)
    async with opened("/live/me/", client) as socket:
        await socket.hear("snapshot")
        await in_thread(client.logout)()
        assert await socket.code_of_close() == consumers.NOT_SIGNED_IN


async def test_after_logging_out_not_even_the_next_hint_comes(bo, community):
    await written(bo, community)
    client = await signed_in(bo)
    async with opened("/live/me/", client) as socket:
        await socket.hear("snapshot")
        await in_thread(client.logout)()
        await judged()
        assert await socket.code_of_close() == consumers.NOT_SIGNED_IN


async def test_a_user_who_is_shut_out_is_cut_off(bo, quick_checks):
    async with opened("/live/me/", await signed_in(bo)) as socket:
        await socket.hear("snapshot")
        await User.objects.filter(pk=bo.pk).aupdate(is_active=False)
        assert await socket.code_of_close() == consumers.NOT_SIGNED_IN


async def test_a_beat_shows_that_the_socket_lives(bo, quick_checks):
    async with opened("/live/me/", await signed_in(bo)) as socket:
        assert await socket.hear("beat") == {"type": "beat"}


async def test_what_a_client_says_changes_nothing(bo, cy, community):
    post = await written(cy, community)
    async with opened("/live/me/", await signed_in(bo)) as socket:
        await socket.hear("snapshot")
        await socket.say(json.dumps({"type": "hint", "group": f"post.{post.pk}"}))
        await judged()
        assert await socket.receive_nothing(timeout=0.3)


async def test_too_large_a_frame_ends_the_socket(bo):
    async with opened("/live/me/", await signed_in(bo)) as socket:
        await socket.hear("snapshot")
        await socket.say("x" * (consumers.MAX_FRAME_BYTES + 1))
        assert await socket.code_of_close() == consumers.TOO_LARGE


async def test_a_user_holds_so_many_sockets_and_no_more(bo, monkeypatch):
    monkeypatch.setattr(sockets, "MOST_SOCKETS_PER_USER", 2)
    client = await signed_in(bo)
    async with opened("/live/me/", client):
        async with opened("/live/me/", client):
            assert await refused("/live/me/", client) == consumers.TOO_MANY
        async with opened("/live/me/", client):
            pass


# Topics and posts


async def test_a_hidden_topic_goes_away_before_its_readers_eyes(bo, cy, community):
    topic = await written(bo, community, THREAT)
    async with opened(f"/live/topics/{topic.pk}/", await signed_in(cy)) as socket:
        assert len((await socket.hear("snapshot"))["posts"]) == 1
        await judged()
        assert (await socket.hear("post.gone"))["post"] == str(topic.pk)
        assert await socket.code_of_close() == consumers.GONE


async def test_a_hidden_reply_goes_away_and_the_topic_stays(bo, cy, community):
    topic = await written(bo, community)
    await judged()
    reply = await written(bo, community, THREAT, parent_id=topic.pk)
    async with opened(f"/live/topics/{topic.pk}/") as socket:
        await socket.hear("snapshot")
        await judged()
        assert (await socket.hear("post.gone"))["post"] == str(reply.pk)
        await written(cy, community, HARMLESS, parent_id=topic.pk)
        await judged()
        assert (await socket.hear())["kind"] == "post.changed"


async def test_the_author_stays_with_a_topic_that_was_hidden(bo, community):
    topic = await written(bo, community, THREAT)
    async with opened(f"/live/topics/{topic.pk}/", await signed_in(bo)) as socket:
        await socket.hear("snapshot")
        await judged()
        assert (await socket.hear())["kind"] == "post.rejected"
        assert await socket.receive_nothing(timeout=0.3)


async def test_readers_do_not_learn_of_a_reply_that_they_could_never_see(bo, community):
    topic = await written(bo, community)
    await judged()
    async with opened(f"/live/topics/{topic.pk}/") as socket:
        await socket.hear("snapshot")
        held = await written(bo, community, THREAT, parent_id=topic.pk)
        await Post.objects.filter(pk=held.pk).aupdate(visibility=Visibility.HELD)
        await judged()
        assert await socket.receive_nothing(timeout=0.3)


@pytest.mark.parametrize("kind", ["topics", "posts"])
async def test_what_is_hidden_lets_nobody_in_but_its_author(bo, cy, community, kind):
    post = await written(bo, community, THREAT)
    await judged()
    path = f"/live/{kind}/{post.pk}/"
    assert await refused(path) == consumers.GONE
    assert await refused(path, await signed_in(cy)) == consumers.GONE
    async with opened(path, await signed_in(bo)) as socket:
        assert (await socket.hear("snapshot"))["posts"][0]["visibility"] == "hidden"


async def test_a_reader_of_one_post_hears_of_its_change_and_of_its_end(bo, community):
    post = await written(bo, community)
    await judged()
    async with opened(f"/live/posts/{post.pk}/") as socket:
        await socket.hear("snapshot")
        await in_thread(edit_post)(
            post_id=post.pk, base_revision=1, actor=AUTHOR, body="All of them are ripe."
        )
        assert await socket.hear() == {
            "kind": "post.changed",
            "post": str(post.pk),
            "revision": 2,
            "sequence": 3,
        }
        await in_thread(delete_post)(post_id=post.pk, actor=AUTHOR)
        await socket.hear("post.gone")
        assert await socket.code_of_close() == consumers.GONE


async def test_a_hiding_whose_hint_was_lost_is_noticed_all_the_same(bo, community, quick_checks):
    post = await written(bo, community)
    async with opened(f"/live/posts/{post.pk}/") as socket:
        await socket.hear("snapshot")
        await Post.objects.filter(pk=post.pk).aupdate(visibility=Visibility.HIDDEN)
        assert await socket.code_of_close() == consumers.GONE


async def test_the_topic_is_in_its_snapshot_however_long_the_thread(bo, community, monkeypatch):
    monkeypatch.setattr("moderation.live.watching.SNAPSHOT_POSTS", 3)

    def make() -> Post:
        author = site_author(bo, community)
        topic = PostFactory.create(author=author)
        for _ in range(5):
            PostFactory.create(author=author, parent=topic)
        return topic

    topic = await in_thread(make)()
    async with opened(f"/live/topics/{topic.pk}/") as socket:
        snapshot = await socket.hear("snapshot")
        assert not snapshot["complete"]
        assert str(topic.pk) in {line["post"] for line in snapshot["posts"]}


# The moderators' queue


def put_before_a_moderator(user: User, community: Community) -> Review:
    post = write(user, community, HARMLESS)
    drain_all()
    return Review.objects.create(post=post, community=community, revision=1)


async def test_moderators_hear_that_their_queue_changed(bo, ada, community):
    review = await in_thread(put_before_a_moderator)(bo, community)
    async with opened("/live/queue/", await signed_in(ada)) as socket:
        assert await socket.hear("snapshot") == {"type": "snapshot", "open": 1}
        await in_thread(decide_review)(
            review_id=review.pk,
            moderator=ada,
            action=Action.ALLOW,
            reason="Fine.",
            seen_revision=1,
        )
        assert (await socket.hear())["kind"] == "decision.approved"


async def test_the_queue_of_another_community_stays_silent(bo, ada, community):
    other = await in_thread(CommunityFactory.create)()
    async with opened("/live/queue/", await signed_in(ada)) as socket:
        assert (await socket.hear("snapshot"))["open"] == 0
        post = await written(bo, other)
        await in_thread(edit_post)(post_id=post.pk, base_revision=1, actor=AUTHOR, body="Changed.")
        assert await socket.receive_nothing(timeout=0.3)


async def test_what_a_clients_community_published_is_watched_by_its_author_alone(bo, cy, community):
    post = await written(bo, community)
    await Community.objects.aupdate(open_to_site_users=False)
    for kind in ("posts", "topics"):
        path = f"/live/{kind}/{post.pk}/"
        assert await refused(path, await signed_in(cy)) == consumers.GONE
        async with opened(path, await signed_in(bo)):
            pass


async def test_members_do_not_watch_the_queue(bo):
    assert await refused("/live/queue/", await signed_in(bo)) == consumers.NOT_ALLOWED


async def _lose_role(ada: User) -> None:
    await ada.user_permissions.through.objects.filter(
        permission__in=Permission.objects.filter(codename="view_review")
    ).adelete()


async def _lose_community(ada: User) -> None:
    await Membership.objects.filter(user=ada).adelete()


async def _lose_desk(ada: User) -> None:
    await User.objects.filter(pk=ada.pk).aupdate(is_staff=False)


@pytest.mark.parametrize("lose", [_lose_role, _lose_community, _lose_desk])
async def test_who_no_longer_moderates_is_cut_off(ada, quick_checks, lose):
    async with opened("/live/queue/", await signed_in(ada)) as socket:
        await socket.hear("snapshot")
        await lose(ada)
        assert await socket.code_of_close() == consumers.NOT_ALLOWED


async def test_a_demotion_counts_before_the_next_hint(bo, ada, community):
    post = await written(bo, community)
    async with opened("/live/queue/", await signed_in(ada)) as socket:
        await socket.hear("snapshot")
        await _lose_community(ada)
        await in_thread(edit_post)(post_id=post.pk, base_revision=1, actor=AUTHOR, body="Changed.")
        assert await socket.code_of_close() == consumers.NOT_ALLOWED
