"""Attachments in a bucket: judged, served, hidden, erased, kept and restored as on a disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from moderation.errors import MediaStoreAway
from moderation.models import (
    Community,
    MediaItem,
    Post,
    PostRevision,
    ProviderResult,
    Submission,
)
from moderation.operations import retention
from moderation.operations.tidy import tidy
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.erase import erase_person
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.media import NewMedia
from moderation.providers import registry
from moderation.vocabulary import ActorKind, MediaState, Outcome, SubmissionState, Visibility
from platform_site import env
from platform_site.upkeep import preflight
from platform_site.upkeep.archive import files
from platform_site.upkeep.archive.backup import back_up
from tests.bucket import ACCESS_KEY, NAME, SECRET_KEY, Bucket, running_bucket
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import drain_all, send
from tests.upkeep.conftest import author, picture
from tests.upkeep.instances import empty_instance

pytest.importorskip("storages")


@pytest.fixture(scope="module")
def _running() -> Iterator[Bucket]:
    with running_bucket() as running:
        yield running


def environment(bucket: Bucket) -> dict[str, str]:
    return {
        "MEDIA_BUCKET": NAME,
        "MEDIA_BUCKET_ENDPOINT": bucket.address,
        "MEDIA_BUCKET_REGION": "eu-central-1",
        "MEDIA_BUCKET_ACCESS_KEY": ACCESS_KEY,
        "MEDIA_BUCKET_SECRET_KEY": SECRET_KEY,
    }


@pytest.fixture
def bucket(
    _running: Bucket, settings: Settings, kept_apart: Path, monkeypatch: pytest.MonkeyPatch
) -> Bucket:
    """Have attachments kept in an empty bucket, set up as an operator does."""
    for name, value in environment(_running).items():
        monkeypatch.setenv(name, value)
    _running.objects.clear()
    _running.asked.clear()
    _running.is_away = False
    settings.MEDIA_BUCKET = env.read_bucket()
    settings.STORAGES = {**settings.STORAGES, "default": settings.MEDIA_BUCKET}
    return _running


@pytest.fixture
def posted(bucket: Bucket, db: None) -> Post:
    """A post with a picture that everybody sees."""
    community: Community = CommunityFactory.create(open_to_site_users=True)
    (post,) = send(
        community, "The tomatoes are ripe", media=(NewMedia(data=picture(), alt_text="Ripe"),)
    )
    assert [name.split("/")[0] for name in bucket.objects] == ["incoming"]
    drain_all()
    Post.objects.filter(pk=post.pk).update(visibility=Visibility.PUBLIC)
    post.refresh_from_db()
    return post


def test_what_is_in_a_bucket_is_judged_from_a_copy_that_goes_again(
    posted: Post, bucket: Bucket, tmp_path: Path
) -> None:
    item = MediaItem.objects.get(post=posted)
    assert item.state == MediaState.READY
    assert set(bucket.objects) == {item.file.name, *item.frames}
    said = ProviderResult.objects.filter(part_key=f"media:{item.pk}")
    assert said.exists()
    assert not said.filter(outcome=Outcome.FAILED).exists()
    assert Submission.objects.get(post=posted).state == SubmissionState.DECIDED
    assert not list(Path("/tmp").glob("gatehouse-media-*"))


def test_bytes_come_through_the_view_alone_and_are_gone_when_a_post_is_hidden(
    posted: Post, bucket: Bucket, client: Client
) -> None:
    item = MediaItem.objects.get(post=posted)
    content = bucket.objects[item.file.name]
    address = f"/media/{item.pk}"
    answer = client.get(address)
    assert (answer.status_code, answer.content) == (200, content)
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    with pytest.raises(ValueError, match="Nobody is given an address"):
        _ = item.file.url
    Post.objects.filter(pk=posted.pk).update(visibility=Visibility.HIDDEN)
    before = len(bucket.asked)
    assert client.get(address).status_code == 404
    assert len(bucket.asked) == before
    assert "127.0.0.1" not in str(answer.headers) + str(part.headers)


def test_bucket_that_is_away_makes_posts_wait_and_approves_nothing(
    bucket: Bucket, db: None
) -> None:
    community: Community = CommunityFactory.create()
    (post,) = send(community, "With a picture", media=(NewMedia(data=picture()),))
    bucket.is_away = True
    drain_all()
    submission = Submission.objects.get(post=post)
    assert (submission.state, submission.last_error) == (SubmissionState.DUE, "OSError")
    bucket.is_away = False
    Submission.objects.update(due_at=timezone.now())
    registry.forget_services()
    drain_all()
    assert MediaItem.objects.get(post=post).state == MediaState.READY


def test_upload_is_refused_while_the_bucket_is_away_and_leaves_no_post(
    bucket: Bucket, db: None, client: Client
) -> None:
    community: Community = CommunityFactory.create()
    _, key = make_key(community)
    bucket.is_away = True
    sent = {
        "author_id": "bo",
        "text": "With a picture",
        "media": [SimpleUploadedFile("a.png", picture(), "image/png")],
    }
    answer = client.post("/api/v1/posts", sent, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (503, "media_store_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert not Post.objects.exists()
    bucket.is_away = False
    (post,) = send(community, "Plain")
    edit_post(
        post_id=post.pk,
        base_revision=1,
        actor=Actor(ActorKind.AUTHOR, str(post.author_id)),
        media=[NewMedia(data=picture())],
    )
    assert [name.split("/")[0] for name in bucket.objects] == ["incoming"]
    bucket.is_away = True
    with pytest.raises(MediaStoreAway):
        edit_post(
            post_id=post.pk,
            base_revision=2,
            actor=Actor(ActorKind.AUTHOR, str(post.author_id)),
            media=[NewMedia(data=picture(40))],
        )
    assert PostRevision.objects.count() == 1


def test_file_that_is_not_there_is_a_part_that_nobody_judged(posted: Post, bucket: Bucket) -> None:
    bucket.objects.clear()
    item = MediaItem.objects.get(post=posted)
    with pytest.raises(FileNotFoundError):
        item.file.open("rb")
    Submission.objects.update(state=SubmissionState.DUE, due_at=timezone.now())
    ProviderResult.objects.all().delete()
    Submission.objects.get(post=posted).verdict.delete()
    drain_all()
    said = set(
        ProviderResult.objects.filter(part_key=f"media:{item.pk}").values_list("outcome", flat=True)
    )
    assert said
    assert Outcome.JUDGED not in said


def test_erasing_pruning_and_tidying_reach_the_bucket(
    posted: Post, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket.objects
    erase_person(author_id=posted.author_id, user=None)
    assert not bucket.objects
    (other,) = send(posted.community, "Another", writer="cy", media=(NewMedia(data=picture(50)),))
    drain_all()
    long_ago = timezone.now() - timedelta(days=700)
    Post.objects.filter(pk=other.pk).update(
        visibility=Visibility.DELETED, deleted_at=long_ago, created_at=long_ago
    )
    MediaItem.objects.update(created_at=long_ago)
    other.enforcements.update(created_at=long_ago)
    other.reviews.all().delete()
    assert bucket.objects
    assert retention.finish_rounds()["removed_media"] == 1
    assert not bucket.objects
    default_storage.save("incoming/lost", ContentFile(b"x"))
    monkeypatch.setattr("moderation.operations.tidy.LOST_UPLOAD_AGE", -timedelta(days=1))
    assert tidy().uploads == 1
    assert not bucket.objects


def test_backup_takes_files_out_of_a_bucket_and_restore_puts_them_into_one(
    transactional_db: None, bucket: Bucket, audit_key: dict[str, str], tmp_path: Path
) -> None:
    community: Community = CommunityFactory.create()
    send(community, "One", media=(NewMedia(data=picture()),))
    drain_all()
    kept = dict(bucket.objects)
    made = back_up(tmp_path / "kept")
    assert (made.media["files"], made.media["missing"]) == (len(kept), 0)
    assert author("bo")
    with empty_instance(tmp_path / "there") as there:
        env_there = {**audit_key, **environment(bucket), "MEDIA_BUCKET_FOLDER": "copy"}
        there.manage("restore", tmp_path / "kept", **env_there)
        refused = there.run("restore", tmp_path / "kept", **env_there)
        shutil.rmtree(there.data)
    assert {name: bucket.objects[f"copy/{name}"] for name in kept} == kept
    assert set(bucket.objects) == {*kept, *(f"copy/{name}" for name in kept)}
    assert refused.returncode == 1
    assert not files.is_store_empty()


def test_preflight_tries_the_bucket(bucket: Bucket, settings: Settings, db: None) -> None:
    found = [finding for finding in preflight.look() if finding.part == "media"]
    assert [finding.level for finding in found] == [preflight.OK]
    assert not bucket.objects
    bucket.is_away = True
    (finding,) = [finding for finding in preflight.look() if finding.part == "media"]
    assert finding.level == preflight.FAILURE
    assert "MEDIA_BUCKET" in finding.advice


def test_wrong_key_is_told_as_what_it_is(
    bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIA_BUCKET_SECRET_KEY", "another")
    settings.STORAGES = {**settings.STORAGES, "default": env.read_bucket()}
    with pytest.raises(OSError, match="The bucket refuses"):
        default_storage.save("posts/x", ContentFile(b"x"))
    monkeypatch.delenv("MEDIA_BUCKET_SECRET_KEY")
    with pytest.raises(ImproperlyConfigured, match="or neither"):
        env.read_bucket()
