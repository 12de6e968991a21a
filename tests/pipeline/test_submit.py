"""1 · Accept once."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from django.db import connection

from moderation.errors import (
    BlockedWords,
    IdempotencyMismatch,
    IdempotencyRunning,
    InvalidSubmission,
    NotFound,
)
from moderation.models import (
    AuditEvent,
    Author,
    Community,
    CommunityWord,
    IdempotencyRecord,
    Post,
    Submission,
)
from moderation.pipeline.intake.submit import Call, Idempotency, NewPost, Writer, submit
from moderation.pipeline.media import NewMedia
from moderation.vocabulary import (
    Lane,
    PublishingMode,
    Standing,
    Status,
    SubmissionState,
    Visibility,
    WordAction,
)
from tests.factories import CommunityFactory, PostFactory, UserFactory, site_author
from tests.pipeline.helpers import CLIENT, HARMLESS, answer, send


def test_post_is_stored_due_and_on_the_record_together(community):
    [post] = send(community, HARMLESS)
    submission = Submission.objects.get(post=post)
    assert (post.status, post.revision) == (Status.PENDING, 1)
    assert submission.state == SubmissionState.DUE
    assert submission.content_hash == post.content_hash
    assert AuditEvent.objects.get(subject_id=str(post.pk)).kind == "post.submitted"


def test_failing_broker_does_not_refuse_a_post(community, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert send(community, HARMLESS)


@pytest.mark.parametrize(
    ("mode", "standing", "visibility"),
    [
        (PublishingMode.PUBLISH_THEN_VERIFY, Standing.NEW, Visibility.PUBLIC),
        (PublishingMode.PUBLISH_THEN_VERIFY, Standing.WATCHED, Visibility.HELD),
        (PublishingMode.HOLD, Standing.TRUSTED, Visibility.HELD),
        (PublishingMode.HOLD_IF_RISKY, Standing.NEW, Visibility.HELD),
        (PublishingMode.HOLD_IF_RISKY, Standing.KNOWN, Visibility.PUBLIC),
    ],
)
def test_publishing_mode_and_standing_decide_what_shows_first(
    community, mode, standing, visibility
):
    Author.objects.create(community=community, external_id="bo", standing=standing)
    community.text_mode = mode
    community.save()
    [post] = send(community, HARMLESS)
    assert post.visibility == visibility


@pytest.mark.parametrize(
    ("standing", "lane"),
    [
        (Standing.WATCHED, Lane.SCREEN_HIGH),
        (Standing.NEW, Lane.SCREEN_HIGH),
        (Standing.KNOWN, Lane.SCREEN),
        (Standing.TRUSTED, Lane.SCREEN_LOW),
    ],
)
def test_standing_chooses_the_lane(community, standing, lane):
    Author.objects.create(community=community, external_id="bo", standing=standing)
    [post] = send(community, HARMLESS)
    assert Submission.objects.get(post=post).lane == lane


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"body": ""}, "text or an attachment"),
        ({"body": "   \n"}, "text or an attachment"),
        ({"body": "a\x00b"}, "NUL"),
        ({"body": "half \ud800 pair"}, "surrogate"),
        ({"title": "t" * 301, "body": "b"}, "title: at most 300"),
        ({"body": "b" * 40_001}, "body: at most 40000"),
        ({"body": "b", "media": (NewMedia(data=b"<svg/>"),)}, "none of them"),
        ({"body": "b", "media": (NewMedia(url="ftp://example.com/a"),)}, "begins with https"),
        ({"body": "b", "media": (NewMedia(url="https://e.com/a"),) * 9}, "At most 8"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(community, fields, words):
    with pytest.raises(InvalidSubmission, match=words):
        submit(Call((NewPost(community, Writer("bo"), **fields),), CLIENT, answer))
    assert not Post.objects.exists()


def test_word_that_the_community_blocks_is_refused_by_name(community):
    CommunityWord.objects.create(community=community, term="gribble", action=WordAction.BLOCK)
    with pytest.raises(BlockedWords, match="gribble"):
        send(community, "what a GR1BBLE you are")


def test_word_that_the_community_blocks_is_refused_in_a_description_too(community):
    CommunityWord.objects.create(community=community, term="gribble", action=WordAction.BLOCK)
    picture = NewMedia(url="https://example.com/a.png", alt_text="a gribble in the garden")
    with pytest.raises(BlockedWords, match="gribble"):
        send(community, HARMLESS, media=(picture,))


@pytest.mark.parametrize(
    ("visibility", "who", "accepted"),
    [
        (Visibility.HELD, "stranger", False),
        (Visibility.HELD, "author", True),
        (Visibility.HELD, "client", True),  # it may hold every post until its verdict
        (Visibility.PUBLIC, "stranger", True),
        (Visibility.HIDDEN, "author", False),
        (Visibility.HIDDEN, "client", False),
    ],
)
def test_users_of_the_site_reply_to_what_they_can_read(community, visibility, who, accepted):
    bo, cy = UserFactory.create(), UserFactory.create()
    topic = PostFactory.create(author=site_author(bo, community), visibility=visibility)
    writer = {
        "author": Writer.for_user(bo.pk, "bo"),
        "stranger": Writer.for_user(cy.pk, "cy"),
        "client": Writer("cy"),
    }[who]
    call = Call((NewPost(community, writer, body=HARMLESS, parent_id=topic.pk),), CLIENT, answer)
    if accepted:
        assert submit(call).status_code == 202
    else:
        with pytest.raises(NotFound):
            submit(call)


def test_reply_needs_a_topic_of_the_same_community(community):
    with pytest.raises(NotFound):
        send(community, "hello", parent_id=uuid4())
    [topic] = send(community, HARMLESS)
    [reply] = send(community, "So are mine", parent_id=topic.pk)
    assert reply.parent_id == topic.pk


def test_bulk_call_stores_the_good_and_names_the_bad(community):
    posts = (
        NewPost(community, Writer("bo"), body=HARMLESS),
        NewPost(community, Writer("bo"), body=""),
        NewPost(community, Writer("cy"), body="Beans too", parent_id=uuid4()),
        NewPost(community, Writer("cy"), body="Beans too"),
    )
    reply = submit(Call(posts, CLIENT, answer))
    assert reply.body["posts"][1:3] == ["invalid_submission", "not_found"]
    assert Post.objects.count() == 2


# Idempotency


def key(digest: str = "d1", client: str = "key:1") -> Idempotency:
    return Idempotency(client, "retry-1", digest)


def one(community: Community, idempotency: Idempotency) -> Call:
    return Call((NewPost(community, Writer("bo"), body=HARMLESS),), CLIENT, answer, idempotency)


def test_second_call_with_a_key_gets_the_first_answer(community):
    first = submit(one(community, key()))
    second = submit(one(community, key()))
    assert (second.status_code, second.body) == (first.status_code, first.body)
    assert (first.replayed, second.replayed) == (False, True)
    assert Post.objects.count() == 1


def test_key_with_another_payload_is_refused(community):
    submit(one(community, key("d1")))
    with pytest.raises(IdempotencyMismatch):
        submit(one(community, key("d2")))


def test_key_is_private_to_its_client(community):
    submit(one(community, key(client="key:1")))
    assert not submit(one(community, key(client="key:2"))).replayed
    assert Post.objects.count() == 2


def test_refused_call_leaves_its_key_free(community):
    with pytest.raises(InvalidSubmission):
        submit(Call((NewPost(community, Writer("bo")),), CLIENT, answer, key()))
    assert not submit(one(community, key())).replayed


@pytest.mark.django_db(transaction=True)
def test_many_calls_at_once_with_one_key_make_one_post():

    community = CommunityFactory.create()
    results: list[object] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        try:
            results.append(submit(one(community, key())).body["posts"][0])
        except IdempotencyRunning:
            results.append("running")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = {result for result in results if result != "running"}
    assert len(results) == 8
    assert len(answered) == 1
    assert Post.objects.count() == 1
    assert IdempotencyRecord.objects.count() == 1
    assert submit(one(community, key())).body["posts"][0] in answered
