"""What was sent, and whether it can become a post at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from moderation import queries
from moderation.conf import get_conf
from moderation.errors import InvalidSubmission
from moderation.models import Community
from moderation.pipeline.media import NewMedia, check_upload
from moderation.text.community_words import refuse_blocked_words


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose post it is: the client's own id of a person, or `for_user` for a user of this site."""

    external_id: str
    user_id: int | None = None
    name: str = ""

    @classmethod
    def for_user(cls, user_id: int, name: str) -> Writer:
        return cls(external_id=f"user:{user_id}", user_id=user_id, name=name)


@dataclass(frozen=True, slots=True)
class NewPost:
    """What was sent. `parent_id` makes it a reply, `reference` is the client's own id of it."""

    community: Community
    writer: Writer
    title: str = ""
    body: str = ""
    channel: str = ""
    reference: str = ""
    parent_id: UUID | None = None
    media: tuple[NewMedia, ...] = ()

    @property
    def has_text(self) -> bool:
        return bool(self.title or self.body)


def check_draft(post: NewPost, *, kept_media: int = 0) -> NewPost:
    """Return the post with its texts trimmed.

    `kept_media` counts the attachments that an edit leaves in place. Raises `InvalidSubmission`
    with what to change.
    """
    conf = get_conf()
    clean = replace(
        post,
        title=_clean_text(post.title, "title", conf.max_title_chars),
        body=_clean_text(post.body, "body", conf.max_body_chars),
    )
    if not (clean.title or clean.body or clean.media or kept_media):
        raise InvalidSubmission("A post needs a text or an attachment.")
    if len(clean.media) + kept_media > conf.max_media_per_post:
        raise InvalidSubmission(f"At most {conf.max_media_per_post} attachments a post.")
    for media in clean.media:
        check_upload(media)
    texts = (clean.title, clean.body, *(media.alt_text for media in clean.media))
    refuse_blocked_words("\n".join(texts), queries.community_matcher(clean.community))
    return clean


def _clean_text(text: str, field_name: str, limit: int) -> str:
    if "\x00" in text:
        raise InvalidSubmission(f"{field_name}: remove the NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidSubmission(
            f"{field_name}: holds half of a surrogate pair; send valid Unicode."
        ) from None
    text = text.strip()
    if len(text) > limit:
        raise InvalidSubmission(f"{field_name}: at most {limit} characters, this has {len(text)}.")
    return text
