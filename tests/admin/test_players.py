"""Moderators watch and listen where they decide; nothing is shown before they ask for it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.models import Community, MediaItem
from moderation.vocabulary import MediaKind, MediaState
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued


@pytest.mark.parametrize(
    ("kind", "element"),
    [(MediaKind.IMAGE, "<img "), (MediaKind.VIDEO, "<video "), (MediaKind.AUDIO, "<audio ")],
)
def test_an_attachment_is_shown_veiled_as_what_it_is(
    garden: Community, ada: User, as_user: ClientFor, kind: str, element: str
) -> None:
    review = queued(garden)
    item = MediaItem.objects.create(
        community=garden,
        author=review.post.author,
        post=review.post,
        kind=kind,
        state=MediaState.READY,
        alt_text="Waves",
    )
    address = reverse("admin:moderation_post_change", args=[review.post_id])
    page = as_user(ada).get(address).content.decode()
    assert f'{element}class="gh-veiled" src="/media/{item.pk}"' in page
    assert ('controls preload="none"' in page) == (kind != MediaKind.IMAGE)
