"""What happens to a community's posts, as server-sent events that go on where they broke off.

Under an ASGI server the answer stays open. Under WSGI it would hold a thread, so there it is one
batch, after which the client comes back by itself with `Last-Event-ID`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from channels.db import database_sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from moderation.api import answers
from moderation.api.authentication import KeyAuthentication
from moderation.api.callers import KeyCaller
from moderation.api.serializers import events as shapes
from moderation.api.views.keyed import KeyedView, spend_reading
from moderation.api.waiting import Places
from moderation.delivery.event_types import EVENT_TYPES, group_of, groups, wants
from moderation.drafts import MAX_ID_CHARS
from moderation.fields import Fields
from moderation.models import AuditEvent
from moderation.queries import feed
from moderation.vocabulary import Scope, Status

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/event-stream; charset=utf-8"
BEAT_SECONDS = 15.0
LOOK_EVERY_SECONDS = 1.0
# Then the client comes back by itself: servers can be stopped, rights are read anew.
LONGEST_STREAM_SECONDS = 300.0
MOST_STREAMS = 100
MOST_EVENTS_A_STREAM = 10_000
MOST_EVENTS_A_BATCH = 500
MOST_LOOKS_A_BATCH = 20
# After the end of a stream, and after a batch, which asks less often.
RETRY_STREAM_MS = 1_000
RETRY_BATCH_MS = 5_000
MAX_TYPES_CHARS = 1_000
LARGEST_ID = 2**63 - 1

SHOWN_GROUPS = frozenset({"post", "decision", "enforcement"})
TYPES = tuple(name for name in EVENT_TYPES if group_of(name) in SHOWN_GROUPS)
GROUPS = tuple(name for name in groups() if group_of(name) in SHOWN_GROUPS)

# What their events do not say of themselves.
_STATUS_OF = {"post.submitted": Status.PENDING, "post.edited": Status.PENDING}

stream_places = Places(MOST_STREAMS)


class Events(KeyedView):
    scope = Scope.READ
    # A HEAD would follow the stream for nothing.
    http_method_names = ["get"]

    @extend_schema(**shapes.FOLLOW_EVENTS)
    def get(self, request: Request) -> HttpResponse | StreamingHttpResponse:
        """Follow what happens to posts: ids and status, no content."""
        follower = _read(request, spend_reading(request))
        headers = {"X-Accel-Buffering": "no"}  # nginx would collect a stream before passing it on
        if isinstance(request._request, ASGIRequest):
            return StreamingHttpResponse(
                _follow(follower), content_type=CONTENT_TYPE, headers=headers
            )
        return HttpResponse(_batch(follower), content_type=CONTENT_TYPE, headers=headers)


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows what, from where on."""

    request: Request
    slugs: Mapping[int, str]
    kinds: Collection[str]
    after: int

    def look(self, after: int) -> feed.Look:
        """Raises `AuthenticationFailed` once the key is revoked or has expired."""
        if KeyAuthentication().authenticate(self.request) is None:
            raise AuthenticationFailed
        return feed.events_after(after, community_ids=self.slugs, kinds=self.kinds)

    def look_if_new(self, after: int) -> feed.Look:
        if feed.newest_event_id() <= after:
            return feed.Look((), after, more=False)
        return self.look(after)

    def write(self, look: feed.Look) -> str:
        return "".join(_written(event, self.slugs) for event in look.events)


def _read(request: Request, caller: KeyCaller) -> Follower:
    fields = Fields({**request.GET.dict(), "Last-Event-ID": request.META.get("HTTP_LAST_EVENT_ID")})
    kinds = _kinds(fields)
    slug = fields.text("community", most=MAX_ID_CHARS)
    last = fields.text("Last-Event-ID", most=MAX_ID_CHARS)
    known = last.isascii() and last.isdecimal() and len(last) < 20 and int(last) <= LARGEST_ID
    if last and not known:
        fields.note("Last-Event-ID", "is the id of an event that we sent")
    fields.finish()
    communities = [caller.community(slug)] if slug else caller.communities()
    newest = feed.settled_event_id()
    return Follower(
        request=request,
        slugs={community.pk: community.slug for community in communities},
        kinds=kinds,
        # An id from the future would wait for its time, and miss what happens until then.
        after=min(int(last), newest) if last else newest,
    )


def _kinds(fields: Fields) -> Collection[str]:
    text = fields.text("types", most=MAX_TYPES_CHARS)
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    if any(name not in TYPES and name not in GROUPS for name in wanted):
        fields.note("types", f"are among {', '.join((*GROUPS, *TYPES))}, with commas between")
    return [name for name in TYPES if wants(wanted, name)]


def _batch(follower: Follower) -> str:
    after, text, count = follower.after, "", 0
    for _ in range(MOST_LOOKS_A_BATCH):
        look = follower.look(after)
        after, count = look.upto, count + len(look.events)
        text += follower.write(look)
        if not look.more or count >= MOST_EVENTS_A_BATCH:
            break
    return _opening(RETRY_BATCH_MS, follower.after) + text + _position(after)


async def _follow(follower: Follower) -> AsyncIterator[str]:
    if not stream_places.take():
        yield await _in_database(_batch, follower)
        return
    try:
        yield _opening(RETRY_STREAM_MS, follower.after)
        async for text in _stream(follower):
            yield text
    except (AuthenticationFailed, DatabaseError) as error:
        # The client comes back, and is then told what is wrong.
        logger.info("event_stream_ended", extra={"reason": type(error).__name__})
    finally:
        stream_places.give_back()


async def _stream(follower: Follower) -> AsyncIterator[str]:
    after, sent = follower.after, 0
    ends = monotonic() + LONGEST_STREAM_SECONDS
    beat_at = monotonic() + BEAT_SECONDS
    while sent < MOST_EVENTS_A_STREAM and monotonic() < ends:
        look = await _in_database(follower.look_if_new, after)
        after, sent = look.upto, sent + len(look.events)
        if look.events:
            yield follower.write(look)
        if look.more:
            continue
        if monotonic() >= beat_at:
            # Also tells how far we are: what others did need not be read again.
            await _in_database(follower.look, after)
            yield ": beat\n" + _position(after)
            beat_at = monotonic() + BEAT_SECONDS
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    yield _position(after)


async def _in_database(call: Any, *args: Any) -> Any:
    # In any thread, not in one that is this request's for as long as it lasts.
    return await database_sync_to_async(call, thread_sensitive=False)(*args)


def _opening(retry_ms: int, after: int) -> str:
    return f"retry: {retry_ms}\n{_position(after)}"


def _position(after: int) -> str:
    """An id without data: no event, but remembered for `Last-Event-ID`."""
    return f"id: {after}\n\n"


def _written(event: AuditEvent, slugs: Mapping[int, str]) -> str:
    assert event.community_id is not None  # chosen by it
    said = {
        "id": str(event.pk),
        "type": event.kind,
        "happened_at": answers.time_of(event.happened_at),
        "community": slugs[event.community_id],
        "post": event.subject_id,
        "revision": event.revision,
        "status": event.facts.get("status", _STATUS_OF.get(event.kind)),
        "visibility": event.facts.get("visibility"),
        "links": {"post": answers.post_path(event.subject_id)},
    }
    data = json.dumps(said, separators=(",", ":"))
    return f"id: {event.pk}\nevent: {event.kind}\ndata: {data}\n\n"
