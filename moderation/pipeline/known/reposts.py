"""5a · Remember what was taken down, so that it is known when somebody posts it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from moderation import queries
from moderation.models import Enforcement, MediaItem, Post, RejectedContent
from moderation.models.posts import TEXT_KEY, media_key, visible_text
from moderation.pipeline.media import media_parts
from moderation.providers.base import AnyPart, TextPart
from moderation.providers.own.reposts import RepostsProvider, fingerprint
from moderation.vocabulary import Category, MediaState


def remember_rejected(
    rejected: Sequence[tuple[Enforcement, Category]],
    *,
    parts: Mapping[UUID, Collection[str]] | None = None,
) -> None:
    """Remember what enforcements have taken down; of a post in `parts` only these parts."""
    posts = [enforcement.post for enforcement, _ in rejected]
    media = queries.media_of(posts) if posts else {}
    RejectedContent.objects.bulk_create(
        [
            RejectedContent(
                community_id=enforcement.post.community_id,
                enforcement=enforcement,
                fingerprint=mark,
                part_kind=part.kind,
                category=category,
            )
            for enforcement, category in rejected
            for mark, part in _marks(enforcement.post, media.get(enforcement.post_id, ())).items()
            if parts is None or part.key in parts.get(enforcement.post_id, ())
        ]
    )


def _marks(post: Post, media: Sequence[MediaItem]) -> dict[str, AnyPart]:
    """Return the post's parts by the fingerprint under which they are known again."""
    text = visible_text(post.title, post.body, [item.alt_text for item in media])
    parts: list[AnyPart] = [TextPart(TEXT_KEY, text)] if text else []
    parts += [
        part
        for row in media
        if row.state == MediaState.READY
        for part in media_parts(row, scope="")
        if part.key == media_key(row.pk)
    ]
    marks: dict[str, AnyPart] = {}
    for part in parts:
        # What is in a bucket is not fetched in a transaction: a file that does not have its digest
        # for a name, as those of older versions, is not remembered then.
        with suppress(FileNotFoundError):
            marks[fingerprint(part)] = part
    marks.pop("", None)
    return marks


def is_known_repost(provider: str | None) -> bool:
    """Whether a verdict rests on an earlier rejection; that one is remembered already."""
    return provider == RepostsProvider.name
