"""3a · Videos and sounds become our own copies too, with what is seen and heard in them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from moderation.models import MediaItem, Post, Review
from moderation.pipeline.media import NewMedia, media_parts
from moderation.providers.base import Answer, AudioPart, VideoPart
from moderation.vocabulary import (
    Action,
    Category,
    MediaKind,
    MediaState,
    Outcome,
    Part,
    PublishingMode,
    Status,
    Visibility,
)
from tests.pipeline.helpers import HARMLESS, add_provider, drain_all, send
from tests.pipeline.test_check import Provider, checked
from tests.pipeline.test_enforce import use_policy
from tests.unit.stream_files import film, plain_film, tone

VIDEO_AND_SOUND = {"text": ["local_text"], "video": ["watcher"], "audio": ["listener"]}


def attach(community, *media: NewMedia) -> Post:
    [post] = send(community, HARMLESS, media=tuple(media))
    drain_all()
    post.refresh_from_db()
    return post


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, object]]:
    """Who was asked about what; the watcher and the listener find nothing."""
    seen: list[tuple[str, object]] = []
    for name in ("watcher", "listener"):

        def judge(part, name=name):
            seen.append((name, part))
            return Answer(Outcome.JUDGED, scores={Category.SEXUAL: 0.0})

        provider = Provider(judge, is_local=True)
        provider.name = name
        add_provider(monkeypatch, provider)
    return seen


def test_a_video_becomes_our_copy_with_frames_and_sound(community, asked):
    use_policy(community, route=VIDEO_AND_SOUND)
    post = attach(community, NewMedia(data=plain_film(), alt_text="Waves"))
    item = MediaItem.objects.get()
    assert (item.kind, item.state, item.content_type) == ("video", MediaState.READY, "video/mp4")
    assert (item.width, item.height) == (160, 120)
    assert item.duration_seconds == pytest.approx(2.0, abs=0.05)
    assert len(item.frames) == len(item.frame_seconds) >= 12
    names = [item.file.name, item.audio.name, *item.frames]
    assert all(map(default_storage.exists, names))
    assert item.incoming.name == ""
    assert post.status == Status.APPROVED


def test_a_video_with_sound_is_two_questions(community, asked):
    use_policy(community, route=VIDEO_AND_SOUND)
    attach(community, NewMedia(data=plain_film()))
    item = MediaItem.objects.get()
    [(_, film_part), (_, sound_part)] = sorted(asked, key=lambda one: one[0] != "watcher")
    assert isinstance(film_part, VideoPart)
    assert isinstance(sound_part, AudioPart)
    assert (film_part.key, sound_part.key) == (f"media:{item.pk}", f"media:{item.pk}#audio")
    assert film_part.frame_seconds == tuple(item.frame_seconds)
    assert film_part.duration_seconds == sound_part.duration_seconds == item.duration_seconds
    assert (film_part.content_type, sound_part.content_type) == ("video/mp4", "audio/mp4")
    assert film_part.scope == sound_part.scope == str(community.pk)
    assert all(path.exists() for path in (film_part.path, sound_part.path, *film_part.frame_paths))


def test_a_silent_video_is_one_question(community, asked):
    use_policy(community, route=VIDEO_AND_SOUND)
    attach(community, NewMedia(data=film(sound="")))
    assert [name for name, _ in asked] == ["watcher"]
    assert not MediaItem.objects.get().audio


def test_a_sound_is_asked_about_under_its_own_key(community, asked):
    use_policy(community, route=VIDEO_AND_SOUND)
    post = attach(community, NewMedia(data=tone()))
    item = MediaItem.objects.get()
    assert (item.kind, item.width, item.frames) == ("audio", None, [])
    assert post.status == Status.APPROVED
    [(name, part)] = asked
    assert (name, part.key, part.kind) == ("listener", f"media:{item.pk}", Part.AUDIO)
    assert media_parts(item, scope=part.scope) == (part,)


@pytest.mark.parametrize("data", [plain_film(), tone()], ids=["video", "sound"])
def test_what_nobody_saw_or_heard_waits_for_a_person(community, data):
    use_policy(community, route={"text": ["local_text"], "video": [], "audio": []})
    post = attach(community, NewMedia(data=data))
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert Review.objects.get(post=post).rule == "not_judged"


def test_what_is_found_in_a_video_decides_about_its_post(community, monkeypatch):
    def judge(part):
        return Answer(Outcome.JUDGED, scores={Category.GRAPHIC: 0.97})

    provider = Provider(judge, is_local=True)
    add_provider(monkeypatch, provider)
    use_policy(community, route={"text": ["local_text"], "video": [provider.name]})
    post = attach(community, NewMedia(data=plain_film()))
    assert (post.status, post.visibility) == (Status.REJECTED, Visibility.HIDDEN)


@pytest.mark.parametrize(
    "data", [plain_film()[:30_000], b"\x00\x00\x00\x18ftypisom" + bytes(100)], ids=["cut", "empty"]
)
def test_a_broken_video_says_why_and_is_never_clean(community, data):
    post = attach(community, NewMedia(data=data))
    item = MediaItem.objects.get()
    assert (item.state, item.refusal) == (
        MediaState.REFUSED,
        "The file is damaged or incomplete.",
    )
    assert post.status == Status.IN_REVIEW


def test_a_site_without_ffmpeg_keeps_the_post_and_says_so(community, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name == "av" else find_spec(name, package),
    )
    post = attach(community, NewMedia(data=plain_film()))
    item = MediaItem.objects.get()
    assert (item.kind, item.state) == ("video", MediaState.REFUSED)
    assert item.refusal == "This site cannot check videos and sounds."
    assert post.status == Status.IN_REVIEW


@pytest.mark.parametrize("media", [{"data": plain_film()}, {"data": tone()}], ids=["film", "tone"])
@pytest.mark.parametrize(
    ("mode", "visibility"),
    [
        (PublishingMode.PUBLISH_THEN_VERIFY, Visibility.PUBLIC),
        (PublishingMode.HOLD, Visibility.HELD),
    ],
)
def test_the_mode_of_videos_says_what_readers_see_first(community, media, mode, visibility):
    community.image_mode = community.gif_mode = PublishingMode.PUBLISH_THEN_VERIFY
    community.video_mode = mode
    community.save()
    [post] = send(community, HARMLESS, media=(NewMedia(**media),))
    assert post.visibility == visibility


def test_an_address_that_may_be_a_video_waits_as_one(community):
    community.image_mode = community.gif_mode = PublishingMode.PUBLISH_THEN_VERIFY
    community.save()
    [post] = send(community, HARMLESS, media=(NewMedia(url="https://example.com/a"),))
    assert post.visibility == Visibility.HELD


def test_a_video_behind_an_address_is_fetched(community, asked, httpserver, settings):
    use_policy(community, route=VIDEO_AND_SOUND)
    httpserver.expect_request("/a").respond_with_data(plain_film(), content_type="text/plain")
    host = f"{httpserver.host}:{httpserver.port}"
    settings.MODERATION = {"fetch_allowed_hosts": frozenset({host})}
    post = attach(community, NewMedia(url=httpserver.url_for("/a")))
    item = MediaItem.objects.get()
    assert (item.kind, item.state) == ("video", MediaState.READY)
    assert post.status == Status.APPROVED


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (plain_film(), MediaKind.VIDEO),
        (tone(), MediaKind.AUDIO),
        (tone("ipod", "aac"), MediaKind.AUDIO),
    ],
    ids=["mp4", "mp3", "m4a"],
)
def test_an_upload_announces_its_kind(data, kind):
    assert NewMedia(data=data).kind is kind


# Drafts


def test_a_draft_with_a_video_is_looked_at_and_listened_to(community, asked):
    use_policy(community, route={**VIDEO_AND_SOUND, "text": []})
    found = checked(community, media=(NewMedia(data=plain_film()), NewMedia(data=tone())))
    assert found.verdict.action is Action.ALLOW
    keys = {(name, part.key, part.kind) for name, part in asked}
    assert keys == {
        ("watcher", "media.0", Part.VIDEO),
        ("listener", "media.0#audio", Part.AUDIO),
        ("listener", "media.1", Part.AUDIO),
    }
    assert not any(Path(part.path).exists() for _, part in asked)


def test_the_sound_of_a_draft_counts_where_somebody_listens(community, asked, monkeypatch):
    def fail(part):
        return Answer(Outcome.FAILED, error="deaf")

    deaf = Provider(fail, is_local=True)
    deaf.name = "listener"
    add_provider(monkeypatch, deaf)
    media = (NewMedia(data=plain_film()),)
    use_policy(community, route={**VIDEO_AND_SOUND, "text": []})
    assert checked(community, media=media).verdict.not_judged == ("media.0#audio",)
    use_policy(community, route={**VIDEO_AND_SOUND, "text": [], "audio": []})
    assert checked(community, media=media).verdict.not_judged == ()


def test_a_draft_with_a_broken_video_has_a_part_that_nobody_judged(community, asked):
    use_policy(community, route={**VIDEO_AND_SOUND, "text": []})
    found = checked(community, media=(NewMedia(data=plain_film()[:9_000]),))
    assert found.verdict.not_judged == ("media.0",)
    assert asked == []
