"""Videos and sounds on the pages: players that may seek, and nothing that they may do beside."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from moderation.media.decode import EXTENSIONS
from moderation.models import MediaItem, Post
from moderation.vocabulary import MediaKind, MediaState, Visibility
from moderation.web import ranges
from moderation.web.ranges import Range, Unsatisfiable, read_range
from tests.factories import PostFactory, site_author
from tests.pipeline.helpers import drain_all
from tests.pipeline.test_enforce import use_policy
from tests.unit.stream_files import plain_film, tone

BYTES = bytes(range(256)) * 4
SIZE = len(BYTES)


# What is asked for


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("bytes=0-", Range(0, 999)),
        ("bytes=0-0", Range(0, 0)),
        ("bytes=10-19", Range(10, 19)),
        ("bytes=990-5000", Range(990, 999)),
        ("bytes=-10", Range(990, 999)),
        ("bytes=-5000", Range(0, 999)),
        (" bytes=5-6 ", Range(5, 6)),
        # What makes no sense, or asks for several parts, is answered with the whole.
        ("bytes=20-10", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("items=0-5", None),
        ("bytes=٣-", None),
        ("bytes=" + "9" * 50 + "-", None),
    ],
)
def test_a_range_is_read_as_the_standard_has_it(header, expected):
    assert read_range(header, 1_000) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=1000-", 1_000), ("bytes=-0", 9), ("bytes=0-", 0)]
)
def test_bytes_that_are_not_there_cannot_be_had(header, size):
    with pytest.raises(Unsatisfiable):
        read_range(header, size)


def test_from_here_to_the_end_is_given_piece_by_piece():
    part = read_range("bytes=100-", 1 << 30)
    assert part == Range(100, 100 + ranges.MOST_BYTES - 1)
    assert part.length == ranges.MOST_BYTES


# What is answered


@pytest.fixture
def item(community, bo, db):
    post = PostFactory.create(author=site_author(bo, community), visibility=Visibility.PUBLIC)
    made = MediaItem.objects.create(
        community=community,
        author=post.author,
        post=post,
        kind=MediaKind.VIDEO,
        state=MediaState.READY,
        content_type="video/mp4",
    )
    made.file.name = default_storage.save("posts/test.mp4", ContentFile(BYTES))
    made.save()
    yield made
    default_storage.delete(made.file.name)


def fetch(item, **headers):
    return Client().get(reverse("media", args=[item.pk]), headers=headers)


def test_a_part_of_a_video_is_a_part_of_its_bytes(item):
    answer = fetch(item, range="bytes=100-199")
    assert answer.status_code == 206
    assert answer.content == BYTES[100:200]
    assert answer["content-range"] == f"bytes 100-199/{SIZE}"
    assert answer["content-length"] == "100"
    assert answer["content-type"] == "video/mp4"
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["cache-control"] == "private, no-store"


def test_the_whole_says_that_parts_can_be_had(item):
    answer = fetch(item)
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer["accept-ranges"] == "bytes"
    assert "content-range" not in answer


def test_a_part_behind_the_end_is_refused_with_the_size(item):
    answer = fetch(item, range=f"bytes={SIZE}-")
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer["content-range"] == f"bytes */{SIZE}"


def test_a_condition_that_we_cannot_check_gives_the_whole(item):
    answer = fetch(item, range="bytes=0-9", if_range='"some-etag"')
    assert (answer.status_code, answer.content) == (200, BYTES)


def test_asking_for_the_head_alone_gives_no_part(item):
    answer = Client().head(reverse("media", args=[item.pk]), headers={"range": "bytes=0-9"})
    assert (answer.status_code, answer["content-length"]) == (200, str(SIZE))


@pytest.mark.parametrize("content_type", EXTENSIONS)
def test_each_type_that_we_make_is_served_as_itself(item, content_type):
    MediaItem.objects.filter(pk=item.pk).update(content_type=content_type)
    answer = fetch(item)
    assert answer["content-type"] == content_type
    assert answer["content-disposition"].endswith(f'.{EXTENSIONS[content_type]}"')


def test_a_part_of_a_hidden_video_is_not_there(item):
    Post.objects.filter(pk=item.post_id).update(visibility=Visibility.HIDDEN)
    assert fetch(item, range="bytes=0-9").status_code == 404


# What is shown


def video() -> SimpleUploadedFile:
    return SimpleUploadedFile("waves.mp4", plain_film(), "video/mp4")


def sound() -> SimpleUploadedFile:
    return SimpleUploadedFile("hum.mp3", tone(), "audio/mpeg")


def test_a_video_is_played_where_it_was_posted(of, bo):
    topic = of(bo).start(picture_0=video(), description_0="Waves on a pond")
    item = MediaItem.objects.get()
    assert "A video is being prepared." in of(bo).read("topic", topic.pk)
    drain_all()
    page = of(bo).read("topic", topic.pk)
    assert f'<video class="film" src="/media/{item.pk}" aria-label="Waves on a pond"' in page
    assert 'width="160" height="120" controls' in page
    assert "<img src" not in page
    answer = of(bo).client.get(f"/media/{item.pk}", headers={"range": "bytes=0-11"})
    assert answer.status_code == 206
    assert answer.content[4:8] == b"ftyp"


def test_a_sound_is_played_where_it_was_posted(of, bo):
    topic = of(bo).start(picture_0=sound())
    drain_all()
    item = MediaItem.objects.get()
    page = of(bo).read("topic", topic.pk)
    assert f'<audio class="sound" src="/media/{item.pk}"' in page
    assert 'aria-label="Sound without a description"' in page


def test_pages_let_players_load_from_this_site_alone(of, bo):
    policy = of(bo).get("topic", of(bo).start(picture_0=video()).pk)["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "media-src" not in policy


def test_an_author_is_told_why_a_video_is_not_shown(of, bo):
    broken = SimpleUploadedFile("cut.mp4", plain_film()[:20_000], "video/mp4")
    topic = of(bo).start(picture_0=broken)
    drain_all()
    page = of(bo).read("topic", topic.pk)
    assert "A video could not be used: The file is damaged or incomplete." in page


@pytest.mark.parametrize(("upload", "subject"), [(video, "A video"), (sound, "A sound")])
def test_an_author_is_told_what_could_not_be_checked(of, bo, community, upload, subject):
    use_policy(community, route={"text": ["local_text"], "video": [], "audio": []})
    topic = of(bo).start(picture_0=upload())
    drain_all()
    page = of(bo).read("topic", topic.pk)
    assert f"{subject} could not be checked automatically, so a person looks at it." in page


def test_the_form_takes_videos_and_sounds(of, bo):
    page = of(bo).read("new_topic", "garden")
    assert "Add pictures, videos or sounds" in page
    assert "video/mp4" in page
    assert "audio/mpeg" in page


def test_a_kept_video_is_named_where_its_post_is_changed(of, bo):
    topic = of(bo).start(picture_0=video(), description_0="Waves")
    drain_all()
    assert "Video: Waves" in of(bo).read("edit", topic.pk)
