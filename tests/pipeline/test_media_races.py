"""3a · An edit while attachments are prepared: two workers hold two revisions of one post."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage

from moderation.models import MediaItem, Post
from moderation.pipeline import media
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.media import NewMedia, prepare_attachments
from moderation.vocabulary import MediaState
from tests.pipeline.helpers import CLIENT, HARMLESS, send
from tests.pipeline.test_media import picture


@pytest.fixture
def post(community) -> Post:
    (post,) = send(community, HARMLESS, media=(NewMedia(data=picture()),))
    return post


def while_decoding(monkeypatch, act) -> None:
    """Let something happen between reading an attachment and storing our copy of it."""
    decode = media.prepare_media

    def slowly(data):
        monkeypatch.setattr(media, "prepare_media", decode)
        act()
        return decode(data)

    monkeypatch.setattr(media, "prepare_media", slowly)


def test_picture_that_an_edit_removed_meanwhile_stays_removed(monkeypatch, post):
    def remove() -> None:
        edit_post(post_id=post.pk, actor=CLIENT, base_revision=1, body="Other", keep_media_ids=[])

    while_decoding(monkeypatch, remove)
    prepare_attachments([post])
    item = MediaItem.objects.get()
    assert (item.state, item.removed_in_revision) == (MediaState.READY, 2)


def test_what_another_worker_has_prepared_is_left_alone(monkeypatch, post):
    item = MediaItem.objects.get()
    prepare_attachments([post])
    stored = MediaItem.objects.get().file.name
    # As it was read before the other worker settled it.
    media._prepare(item)
    assert MediaItem.objects.get().file.name == stored
    assert default_storage.exists(stored)


def test_upload_that_is_lost_is_no_reason_to_go_on(post):
    default_storage.delete(MediaItem.objects.get().incoming.name)
    with pytest.raises(FileNotFoundError):
        prepare_attachments([post])
    assert MediaItem.objects.get().state == MediaState.WAITING
