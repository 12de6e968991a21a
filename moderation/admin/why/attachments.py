"""Who can open an attachment now, and what caches in front of it may still hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from moderation import queries
from moderation.admin.why.answer import Answer, Line
from moderation.admin.why.reading import Read, age_of, latest_answers
from moderation.delivery.cdn import DEFAULT_SECONDS
from moderation.delivery.listeners import listeners_of
from moderation.models import (
    MediaItem,
    ProviderResult,
)
from moderation.models.posts import media_key
from moderation.vocabulary import (
    DeliveryState,
    EndpointKind,
    MediaState,
    Visibility,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """An attachment, who can open it now, and why."""

    item: MediaItem
    answer: Answer
    calls: tuple[ProviderResult, ...]


def shown_of(item: MediaItem, read: Read, about_post: Answer) -> Shown:
    key = media_key(item.pk)
    calls = tuple(row for row in latest_answers(read) if row.part_key.partition("#")[0] == key)
    return Shown(item, _answer_of(item, read, about_post), calls)


def _answer_of(item: MediaItem, read: Read, about_post: Answer) -> Answer:
    post = read.post
    own = replace(about_post, is_visible=False, waits=(), changes=())
    if item.state == MediaState.WAITING:
        waited = age_of(item.created_at, read.now)
        waits = (Line(f"It has waited to be fetched and decoded for {waited}."),)
        return replace(
            own,
            headline="Nobody can see it: we have no copy of it yet.",
            since=item.created_at,
            because=(Line("Only copies that we made ourselves are ever sent."),),
            waits=waits,
        )
    if item.state == MediaState.REFUSED:
        because = (Line(item.refusal or "It could not be used."),)
        return replace(
            own,
            headline="Nobody can see it: it was refused.",
            since=item.created_at,
            because=because,
        )
    if not item.shows_in(post.revision):
        because = (
            Line(f"An edit took it away: revision {item.removed_in_revision} is without it."),
        )
        return replace(
            own,
            headline="No reader can see it: the post no longer shows it.",
            since=post.edited_at,
            because=because,
        )
    if queries.is_for_everyone(item):
        return replace(about_post, headline="Everyone can open it, by its address.")
    if post.visibility == Visibility.PUBLIC:
        return replace(
            own,
            headline="Visitors of this site cannot open it: the community shows it itself.",
        )
    return replace(
        about_post, headline="Its author and moderators can open it, as they can the post."
    )


def caches_of(read: Read) -> Iterator[Line]:
    """Say what caches in front of media may still hold."""
    caches = [one for one in listeners_of(read.post.community_id) if one.kind is EndpointKind.CDN]
    if not caches or not read.media:
        return
    seconds = max(int(one.options.get("seconds") or DEFAULT_SECONDS) for one in caches)
    told = [one for one in read.messages if one.endpoint.kind == EndpointKind.CDN]
    if read.post.visibility == Visibility.PUBLIC:
        yield Line(f"Caches may keep its attachments for {seconds} s.")
    for one in told:
        if one.state == DeliveryState.DELIVERED and one.settled_at is not None:
            when = age_of(one.settled_at, read.now)
            yield Line(f"{one.endpoint.name} forgot what it held {when} ago.")
        elif one.state == DeliveryState.DUE:
            because = f" ({one.last_error})" if one.last_error else ""
            yield Line(
                f"{one.endpoint.name} has not been told yet{because}: it may show a copy for up to"
                f" {seconds} s."
            )
        elif one.state == DeliveryState.FAILED:
            yield Line(f"{one.endpoint.name} could not be told ({one.last_error}).")
