"""3a · Attachments become our own copy, or a part that nobody judged."""

from __future__ import annotations

import io

import pytest
from django.core.files.storage import default_storage
from PIL import Image, ImageDraw

from moderation.models import BankedHash, MediaItem, Post, ProviderResult, Review
from moderation.pipeline.media import NewMedia
from moderation.vocabulary import (
    Category,
    MediaKind,
    MediaState,
    Outcome,
    Status,
    Visibility,
)
from tests.factories import CommunityFactory, HashBankFactory
from tests.pipeline.helpers import HARMLESS, drain_all, send
from tests.pipeline.test_enforce import use_policy

BANK_ONLY = {"text": ["local_text"], "image": ["hash_bank"], "gif": ["hash_bank"]}


def picture(seed: int = 1, *, form: str = "PNG", size: int = 200) -> bytes:
    """Return a picture with enough in it to have a perceptual hash of its own."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    for step in range(12):
        at = (seed * 37 + step * 53) % size
        draw.ellipse((at, (at * seed) % size, at + 60, (at * seed) % size + 40), fill=(at, 80, 9))
    data = io.BytesIO()
    image.save(data, form)
    return data.getvalue()


def attach(community, *media: NewMedia, body: str = HARMLESS) -> Post:
    [post] = send(community, body, media=tuple(media))
    drain_all()
    post.refresh_from_db()
    return post


def test_upload_becomes_our_copy_and_the_original_is_gone(community):
    use_policy(community, route=BANK_ONLY)
    send(community, HARMLESS, media=(NewMedia(data=picture(), alt_text="Dots"),))
    incoming = MediaItem.objects.get().incoming.name
    assert default_storage.exists(incoming)
    drain_all()
    item = MediaItem.objects.get()
    assert (item.state, item.width, item.height) == (MediaState.READY, 200, 200)
    assert len(item.perceptual_hash) == 64
    assert item.incoming.name == ""
    assert default_storage.exists(item.file.name)
    assert not default_storage.exists(incoming)


def test_picture_that_nobody_judged_is_held_for_a_person(community):
    use_policy(community, route=BANK_ONLY)
    post = attach(community, NewMedia(data=picture()))
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert Review.objects.get(post=post).rule == "not_judged"


def test_banked_picture_is_rejected_also_when_it_was_re_encoded(community):
    use_policy(community, route=BANK_ONLY)
    attach(community, NewMedia(data=picture(7)))
    known = MediaItem.objects.get()
    BankedHash.objects.create(
        bank=HashBankFactory.create(),
        perceptual_hash=known.perceptual_hash,
        category=Category.GRAPHIC,
        label="known",
    )
    from moderation.providers import registry

    registry._own_judges.cache_clear()
    post = attach(community, NewMedia(data=picture(7, form="JPEG", size=200)))
    assert (post.status, post.visibility) == (Status.REJECTED, Visibility.HIDDEN)
    result = ProviderResult.objects.get(submission__post=post, provider="hash_bank")
    assert (result.outcome, result.scores) == (Outcome.JUDGED, {"graphic": 1.0})


def test_bank_of_one_community_does_not_judge_another(community):
    from moderation.providers import registry

    use_policy(community, route=BANK_ONLY)
    attach(community, NewMedia(data=picture(9)))
    BankedHash.objects.create(
        perceptual_hash=MediaItem.objects.get().perceptual_hash,
        category=Category.GRAPHIC,
        bank=HashBankFactory.create(community=CommunityFactory.create()),
    )
    registry._own_judges.cache_clear()
    assert attach(community, NewMedia(data=picture(9))).status == Status.IN_REVIEW


def test_broken_picture_says_why_and_is_never_clean(community):
    post = attach(community, NewMedia(data=picture()[:300]))
    item = MediaItem.objects.get()
    assert item.state == MediaState.REFUSED
    assert item.refusal
    assert post.status == Status.IN_REVIEW


def test_picture_behind_an_address_is_fetched(community, httpserver, settings):
    use_policy(community, route=BANK_ONLY)
    httpserver.expect_request("/a.png").respond_with_data(picture(), content_type="image/png")
    settings.MODERATION = {
        "fetch_allowed_hosts": frozenset({f"{httpserver.host}:{httpserver.port}"})
    }
    attach(community, NewMedia(url=httpserver.url_for("/a.png")))
    item = MediaItem.objects.get()
    assert (item.state, item.kind) == (MediaState.READY, MediaKind.IMAGE)
    assert len(item.sha256) == 64


def test_private_address_is_not_touched(community, httpserver):
    httpserver.expect_request("/a.png").respond_with_data(picture(), content_type="image/png")
    post = attach(community, NewMedia(url=httpserver.url_for("/a.png")))
    assert httpserver.log == []
    assert MediaItem.objects.get().state == MediaState.REFUSED
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)


def test_alt_text_is_judged_with_the_post(community):
    use_policy(community, route=BANK_ONLY)
    post = attach(
        community,
        NewMedia(data=picture(), alt_text="I will kill you, you worthless idiot"),
    )
    result = ProviderResult.objects.get(submission__post=post, provider="local_text")
    assert max(result.scores.values()) > 0.5


def webp(*frames: Image.Image, **options) -> bytes:
    encoded = io.BytesIO()
    frames[0].save(encoded, "WEBP", save_all=True, append_images=frames[1:], **options)
    return encoded.getvalue()


RED, BLUE = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GIF89a....", MediaKind.GIF),
        (webp(RED, BLUE), MediaKind.GIF),
        # A colour profile pushes the frames far down.
        (webp(RED, BLUE, icc_profile=b"profile" * 1_000), MediaKind.GIF),
        (webp(RED), MediaKind.IMAGE),
        (webp(RED, icc_profile=b"ANIM" * 10), MediaKind.IMAGE),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X", MediaKind.IMAGE),
        (b"\x89PNG\r\n", MediaKind.IMAGE),
    ],
    ids=["gif", "animated", "animated behind a profile", "still", "named", "cut short", "png"],
)
def test_upload_announces_its_kind(data, kind):
    assert NewMedia(data=data).kind is kind
