"""Videos and sounds over HTTP, as files, as text and by their address."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from moderation.models import MediaItem
from tests.api.conftest import POSTS
from tests.api.test_check import CHECK, HARMLESS, checked, data_url
from tests.api.test_posts import code_of
from tests.pipeline.helpers import drain_all
from tests.pipeline.test_enforce import use_policy
from tests.unit.stream_files import film, plain_film, tone

NOBODY_LOOKS = {"text": ["local_text"], "video": [], "audio": []}


def test_a_post_with_a_video_says_how_long_it_lasts(keyed):
    files = [SimpleUploadedFile("a.mp4", plain_film(), "application/octet-stream")]
    made = keyed.post(POSTS, {"author_id": "bo", "text": HARMLESS, "media": files})
    assert made.status_code == 202, made.content
    drain_all()
    [item] = keyed.send("GET", made.json()["links"]["self"]).json()["media"]
    assert (item["kind"], item["state"], item["content_type"]) == ("video", "ready", "video/mp4")
    assert (item["width"], item["height"]) == (160, 120)
    assert item["duration_seconds"] == pytest.approx(2.0, abs=0.05)


def test_a_post_with_a_sound_has_no_size(keyed):
    files = [SimpleUploadedFile("a.mp3", tone(), "audio/mpeg")]
    made = keyed.post(POSTS, {"author_id": "bo", "text": HARMLESS, "media": files})
    drain_all()
    [item] = keyed.send("GET", made.json()["links"]["self"]).json()["media"]
    assert (item["kind"], item["width"], item["height"]) == ("audio", None, None)


def test_a_playlist_is_no_video(keyed):
    files = [SimpleUploadedFile("a.mp4", b"#EXTM3U\nhttp://127.0.0.1/\n", "video/mp4")]
    answer = keyed.post(POSTS, {"author_id": "bo", "text": HARMLESS, "media": files})
    assert code_of(answer) == "media_refused"
    assert not MediaItem.objects.exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (lambda: film(seconds=0.4), "video/mp4"),
        (lambda: film(form="webm", codec="libvpx", sound="libopus", seconds=0.4), "video/webm"),
        (
            lambda: film(form="webm", codec="libvpx", sound="libopus", seconds=0.4),
            "video/webm;codecs=vp8,opus",
        ),
        (lambda: tone(seconds=0.4), "audio/mpeg"),
    ],
)
def test_a_draft_with_a_video_or_sound_is_checked(keyed, community, content, kind):
    use_policy(community, route=NOBODY_LOOKS)
    body = checked(keyed, text=HARMLESS, media=[{"data": data_url(content(), kind)}])
    assert (body["action"], body["not_judged"]) == ("review", ["media.0"])


def test_a_draft_with_a_file_that_is_none_is_refused(keyed):
    answer = keyed.send("POST", CHECK, {"media": [{"data": data_url(b"#EXTM3U\n", "video/mp4")}]})
    assert code_of(answer) == "media_refused"
