"""Composing, replying, changing and deleting through the pages."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image, ImageDraw

from moderation.models import CommunityWord, MediaItem, Post
from moderation.vocabulary import MediaState, Status, Visibility, WordAction
from tests.pipeline.helpers import THREAT, drain_all

OTHER_TOKEN = "0190a000-0000-7000-8000-000000000001"


def picture(side: int = 64) -> SimpleUploadedFile:
    image = Image.new("RGB", (side, side), "#4f8a3d")
    ImageDraw.Draw(image).ellipse((8, 8, side - 8, side - 8), fill="#c8402c")
    out = io.BytesIO()
    image.save(out, "PNG")
    return SimpleUploadedFile("bug.png", out.getvalue(), "image/png")


def test_pressing_post_twice_posts_once(of, bo):
    first, second = of(bo).start(), of(bo).start()
    assert first == second
    assert Post.objects.count() == 1


def test_a_changed_text_in_the_same_form_is_a_post_of_its_own(of, bo):
    assert of(bo).start(body="One.") != of(bo).start(body="Two.")


def test_a_reply_stands_under_its_topic(of, bo, cy):
    topic = of(bo).start()
    reply = of(cy).reply(topic, body="Well done, Bo.")
    assert reply.parent == topic
    assert reply.channel == topic.channel
    assert "Well done, Bo." in of().read("topic", topic.pk)


def test_nobody_replies_to_what_was_taken_down(of, bo, cy):
    topic = of(bo).start(body=THREAT)
    drain_all()
    answer = of(cy).client.post(
        reverse("forum:reply", args=[topic.pk]), {"body": "Hm.", "token": OTHER_TOKEN}
    )
    assert answer.status_code == 404
    assert Post.objects.count() == 1


def test_an_empty_post_is_refused_where_it_was_typed(of, bo):
    answer = of(bo).compose(title="", body="Only a body, without a title.")
    assert answer.status_code == 422
    assert "Only a body, without a title." in answer.content.decode()


def test_a_word_that_the_community_refuses_is_named_and_the_text_kept(of, bo, community):
    CommunityWord.objects.create(community=community, term="turnip", action=WordAction.BLOCK)
    answer = of(bo).compose(title="Roots", body="You absolute turnip.")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "This community does not allow: turnip." in page
    assert "You absolute turnip." in page
    assert not Post.objects.exists()


def test_posting_too_fast_is_refused_with_the_text_kept(of, bo, settings):
    settings.MODERATION = {**settings.MODERATION, "rate_burst": 1, "rate_per_second": 0.01}
    of(bo).start()
    answer = of(bo).compose(body="And another thing.", token=OTHER_TOKEN)
    page = answer.content.decode()
    assert answer.status_code == 429
    assert "You are posting very fast." in page
    assert "And another thing." in page


def test_a_picture_is_shown_with_its_description_once_it_is_ready(of, bo):
    topic = of(bo).start(picture_0=picture(), description_0="A red dot on a lawn")
    item = MediaItem.objects.get()
    assert "A picture is being prepared." in of(bo).read("topic", topic.pk)
    drain_all()
    item.refresh_from_db()
    assert item.state == MediaState.READY
    page = of(bo).read("topic", topic.pk)
    assert f'src="/media/{item.pk}"' in page
    assert 'alt="A red dot on a lawn"' in page


def test_several_pictures_keep_their_order(of, bo):
    of(bo).start(
        picture_0=picture(40),
        description_0="small",
        picture_2=picture(80),
        description_2="large",
    )
    assert list(MediaItem.objects.values_list("alt_text", flat=True)) == ["small", "large"]


@pytest.mark.parametrize(
    "upload",
    [
        SimpleUploadedFile("page.png", b"<html><script>alert(1)</script>", "image/png"),
        SimpleUploadedFile("empty.png", b"", "image/png"),
        SimpleUploadedFile(
            "large.png", b"\x89PNG\r\n\x1a\n" + bytes(11 * 1024 * 1024), "image/png"
        ),
    ],
    ids=["not a picture", "empty", "too large"],
)
def test_what_cannot_be_used_as_a_picture_is_refused_at_the_form(of, bo, upload):
    upload.seek(0)
    answer = of(bo).compose(body="Look!", picture_0=upload)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Choose your files again." in page
    assert "Look!" in page
    assert not Post.objects.exists()


def test_a_rejected_post_comes_back_by_being_changed(of, bo, cy):
    topic = of(bo).start(title="Gate", body=THREAT)
    drain_all()
    fields = {
        "title": "Gate",
        "body": "Please leave my gate free.",
        "base_revision": 1,
        "token": OTHER_TOKEN,
    }
    answer = of(bo).client.post(reverse("forum:edit", args=[topic.pk]), fields)
    assert answer.status_code == 302
    assert of(cy).get("topic", topic.pk).status_code == 404
    drain_all()
    topic.refresh_from_db()
    assert (topic.status, topic.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert "Please leave my gate free." in of(cy).read("topic", topic.pk)


def test_a_change_based_on_an_old_version_shows_both_and_can_be_sent_again(of, bo):
    topic = of(bo).start(title="Gate", body="First.")
    address = reverse("forum:edit", args=[topic.pk])
    fields = {"title": "Gate", "base_revision": 1, "token": OTHER_TOKEN}
    of(bo).client.post(address, {**fields, "body": "Second, from the phone."})
    answer = of(bo).client.post(address, {**fields, "body": "Second, from the desk."})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Second, from the desk." in page
    assert "Second, from the phone." in page
    assert 'name="base_revision" value="2"' in page
    again = {**fields, "body": "Second, from the desk.", "base_revision": 2}
    assert of(bo).client.post(address, again).status_code == 302
    topic.refresh_from_db()
    assert topic.body == "Second, from the desk."


def test_a_picture_is_taken_out_by_ticking_it(of, bo):
    topic = of(bo).start(body="Two pictures.", picture_0=picture(40), picture_1=picture(80))
    drain_all()
    first, second = MediaItem.objects.all()
    of(bo).client.post(
        reverse("forum:edit", args=[topic.pk]),
        {
            "title": topic.title,
            "body": topic.body,
            "base_revision": 1,
            "token": OTHER_TOKEN,
            "removed": [str(first.pk)],
        },
    )
    page = of(bo).read("edit", topic.pk)
    assert str(first.pk) not in page
    assert str(second.pk) in page


def test_a_deleted_post_is_gone_for_its_author_too(of, bo):
    topic = of(bo).start()
    answer = of(bo).client.post(reverse("forum:delete", args=[topic.pk]), follow=True)
    assert "Your post is deleted." in answer.content.decode()
    assert of(bo).get("topic", topic.pk).status_code == 404


def test_opening_the_delete_page_deletes_nothing(of, bo):
    topic = of(bo).start()
    of(bo).get("delete", topic.pk)
    topic.refresh_from_db()
    assert topic.deleted_at is None


def test_visitors_are_asked_to_sign_in_before_they_write(of, board):
    answer = of().compose()
    assert answer.status_code == 302
    assert not Post.objects.exists()


def test_a_forms_post_without_its_csrf_token_is_refused_with_a_page(bo, board):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(bo)
    answer = client.post(reverse("forum:new_topic", args=[board.slug]), {"title": "x"})
    assert answer.status_code == 403
    assert "Please send it again" in answer.content.decode()
