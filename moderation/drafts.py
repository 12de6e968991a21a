"""A post as somebody sent it, read into a draft: what the API and the streams have in common."""

from __future__ import annotations

from collections.abc import Callable

from moderation.conf import get_conf
from moderation.fields import Fields
from moderation.models import Community
from moderation.pipeline.intake.submit import NewPost, Writer
from moderation.pipeline.media import NewMedia

MAX_ID_CHARS = 200
MAX_CHANNEL_CHARS = 100
MAX_ALT_CHARS = 500
MAX_URL_CHARS = 2_000
# Names the site's own users among a community's authors; a client must not speak in their name.
RESERVED_PREFIX = "user:"


def read_post(
    fields: Fields,
    *,
    community_of: Callable[[str], Community],
    writer: Writer | None = None,
    community: str = "",
    media: tuple[NewMedia, ...] = (),
) -> NewPost:
    """Return the post that was sent, by `writer` or by the author that it names.

    `community` is the slug of a post that names none. Raises `InvalidFields`, and whatever
    `community_of` raises.
    """
    conf = get_conf()
    by = writer or _writer(fields)
    title = fields.text("title", most=conf.max_title_chars)
    body = read_body(fields)
    channel = fields.text("channel", most=MAX_CHANNEL_CHARS)
    reference = fields.text("reference", most=MAX_ID_CHARS)
    parent_id = fields.uuid("parent")
    media = media or read_addresses(fields)
    slug = fields.text("community", most=MAX_ID_CHARS) or community
    fields.finish()
    return NewPost(
        community=community_of(slug),
        writer=by,
        title=title,
        body=body,
        channel=channel,
        reference=reference,
        parent_id=parent_id,
        media=media,
    )


def _writer(fields: Fields) -> Writer:
    author = fields.nested("author")
    if author is None:
        fields.note("author", "is required")
        return Writer("")
    return Writer(
        external_id=read_person(author, "id"), name=author.text("name", most=MAX_ID_CHARS)
    )


def read_person(fields: Fields, name: str) -> str:
    """Return a client's own id of a person."""
    found = fields.text(name, most=MAX_ID_CHARS, required=True)
    if found.startswith(RESERVED_PREFIX):
        fields.note(name, f"must not begin with {RESERVED_PREFIX!r}")
    return found


def read_body(fields: Fields, *, keep_blanks: bool = False) -> str:
    """Return the text, under either of its names."""
    most = get_conf().max_body_chars
    if "text" in fields:
        if "body" in fields:
            fields.note("text", "is another name of `body`: send one of them")
        return fields.text("text", most=most, keep_blanks=keep_blanks)
    return fields.text("body", most=most, keep_blanks=keep_blanks)


def read_addresses(fields: Fields) -> tuple[NewMedia, ...]:
    found = []
    for number, item in enumerate(fields.items("media", most=get_conf().max_media_per_post)):
        one = Fields(item, place=f"media.{number}.", wrong=fields.wrong)
        url = one.text("url", most=MAX_URL_CHARS, required=True)
        found.append(NewMedia(url=url, alt_text=one.text("alt_text", most=MAX_ALT_CHARS)))
    return tuple(found)
