"""Whose eyes an attachment's bytes may reach, whatever its address says."""

from __future__ import annotations

import uuid

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from moderation.models import Community, MediaItem, Post
from moderation.vocabulary import MediaState, Visibility
from tests.factories import PostFactory, UserFactory, make_moderator, site_author
from tests.web.conftest import browser

BYTES = b"\x89PNG\r\n\x1a\n our own picture"


@pytest.fixture
def item(community, bo, db):
    post = PostFactory.create(author=site_author(bo, community))
    made = MediaItem.objects.create(
        community=community,
        author=post.author,
        post=post,
        state=MediaState.READY,
        content_type="image/png",
    )
    made.file.name = default_storage.save("posts/test.png", ContentFile(BYTES))
    made.save()
    yield made
    default_storage.delete(made.file.name)


@pytest.fixture
def viewer(community, bo, cy, ada, item):
    people = {
        "visitor": None,
        "stranger": cy,
        "author": bo,
        "moderator": ada,
        "superuser": UserFactory.create(is_staff=True, is_superuser=True),
    }
    return lambda name: browser(people[name])


def fetch(client, item):
    return client.get(reverse("media", args=[item.pk]))


@pytest.mark.parametrize(
    ("visibility", "readers"),
    [
        (Visibility.PUBLIC, {"visitor", "stranger", "author", "moderator", "superuser"}),
        (Visibility.HELD, {"author", "moderator", "superuser"}),
        (Visibility.HIDDEN, {"author", "moderator", "superuser"}),
        (Visibility.DELETED, {"moderator", "superuser"}),
    ],
)
@pytest.mark.parametrize("who", ["visitor", "stranger", "author", "moderator", "superuser"])
def test_the_posts_visibility_decides_who_gets_the_bytes(item, viewer, visibility, readers, who):
    Post.objects.filter(pk=item.post_id).update(visibility=visibility)
    answer = fetch(viewer(who), item)
    assert answer.status_code == (200 if who in readers else 404)
    assert (answer.content == BYTES) == (who in readers)


def test_an_address_that_worked_stops_working_when_the_post_is_hidden(item, viewer):
    client = viewer("stranger")
    assert fetch(client, item).status_code == 200
    Post.objects.filter(pk=item.post_id).update(visibility=Visibility.HIDDEN)
    assert fetch(client, item).status_code == 404


def test_a_picture_of_a_clients_community_is_not_served_to_our_visitors(item, viewer):
    Community.objects.update(open_to_site_users=False)
    statuses = {who: fetch(viewer(who), item).status_code for who in ("visitor", "stranger")}
    assert statuses == {"visitor": 404, "stranger": 404}
    assert fetch(viewer("author"), item).status_code == 200


def test_readers_do_not_get_what_an_edit_took_out(item, viewer):
    Post.objects.filter(pk=item.post_id).update(revision=2)
    MediaItem.objects.filter(pk=item.pk).update(removed_in_revision=2)
    assert fetch(viewer("stranger"), item).status_code == 404


def test_moderators_of_other_communities_are_strangers(item, db):
    from tests.factories import CommunityFactory

    other = make_moderator(CommunityFactory.create())
    Post.objects.filter(pk=item.post_id).update(visibility=Visibility.HIDDEN)
    assert fetch(browser(other), item).status_code == 404


@pytest.mark.parametrize("state", [MediaState.WAITING, MediaState.REFUSED])
def test_what_we_have_not_encoded_ourselves_is_served_to_nobody(item, viewer, state):
    MediaItem.objects.filter(pk=item.pk).update(state=state)
    assert fetch(viewer("author"), item).status_code == 404


def test_a_type_that_our_encoder_does_not_write_is_served_to_nobody(item, viewer):
    MediaItem.objects.filter(pk=item.pk).update(content_type="text/html")
    assert fetch(viewer("author"), item).status_code == 404


def test_a_file_that_is_lost_is_not_there(item, viewer):
    default_storage.delete(item.file.name)
    assert fetch(viewer("author"), item).status_code == 404


def test_there_is_nothing_under_a_made_up_address(client, db):
    assert client.get(reverse("media", args=[uuid.uuid4()])).status_code == 404


def test_the_bytes_come_as_a_picture_and_nothing_else(item, viewer):
    answer = fetch(viewer("visitor"), item)
    assert answer["content-type"] == "image/png"
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["cache-control"] == "private, no-store"
    assert answer["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer["content-disposition"] == f'inline; filename="{item.pk}.png"'


def test_the_view_only_reads(item, viewer):
    assert viewer("author").post(reverse("media", args=[item.pk])).status_code == 405
