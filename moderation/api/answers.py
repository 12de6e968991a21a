"""Posts as clients see them. Which of them a client sees at all is decided in queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.urls import reverse
from rest_framework.response import Response

from moderation import queries
from moderation.api.errors import CONTENT_TYPE
from moderation.models import MediaItem, Post
from moderation.pipeline.intake.submit import Reply
from moderation.policy.explanation import Explanation

# For how long the oldest post that waits for its verdict has waited.
DELAY_HEADER = "X-Gatehouse-Delay"
# Verdicts come within a second as a rule.
DELAY_WORTH_SAYING_SECONDS = 5
LONGEST_RETRY_SECONDS = 60


@cache
def _posts_path() -> str:
    return reverse("api:posts")


def post_path(post_id: UUID | str) -> str:
    return f"{_posts_path()}/{post_id}"


def accepted(post: Post) -> dict[str, Any]:
    """What a client learns at once of a post that was stored."""
    path = post_path(post.pk)
    return {
        "id": str(post.pk),
        "revision": post.revision,
        "status": post.status,
        "visibility": post.visibility,
        "links": {"self": path, "status": f"{path}/status"},
    }


def status_of(post: Post, explanation: Explanation | None) -> dict[str, Any]:
    return {
        **accepted(post),
        "decided_at": time_of(post.decided_at),
        "reason": _reason(explanation),
    }


def post_of(
    post: Post, explanation: Explanation | None, media: Sequence[MediaItem]
) -> dict[str, Any]:
    return {
        **status_of(post, explanation),
        "community": post.community.slug,
        "reference": post.reference,
        "kind": post.kind,
        "parent": str(post.parent_id) if post.parent_id else None,
        "channel": post.channel,
        "author": {"id": post.author.external_id, "name": post.author.name},
        "title": post.title,
        "body": post.body,
        "media": [_attachment(item) for item in media],
        "created_at": time_of(post.created_at),
        "edited_at": time_of(post.edited_at),
    }


def posts_of(
    posts: Sequence[Post],
    explanations: Mapping[UUID, Explanation],
    media: Mapping[UUID, Sequence[MediaItem]],
) -> list[dict[str, Any]]:
    return [post_of(post, explanations.get(post.pk), media.get(post.pk, ())) for post in posts]


def etag_of(post: Post) -> str:
    return f'"{post.revision}"'


def answer(reply: Reply) -> Response:
    """Return a pipeline's reply over HTTP, fresh or replayed alike."""
    refused = reply.status_code >= 400
    response = Response(
        reply.body, status=reply.status_code, content_type=CONTENT_TYPE if refused else None
    )
    links = reply.body.get("links")
    if links:
        response.headers["Location"] = links["self"]
    if reply.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if not refused:
        for name, value in delay_headers().items():
            response.headers[name] = value
    return response


def delay_headers() -> dict[str, str]:
    """Say so when verdicts come late; what was accepted is delayed then, and never dropped."""
    try:
        seconds = int(queries.oldest_due_seconds())
    except DatabaseError:
        # What is stored is stored, whatever becomes of this question.
        return {}
    if seconds < DELAY_WORTH_SAYING_SECONDS:
        return {}
    return {
        DELAY_HEADER: str(seconds),
        "Retry-After": str(min(seconds, LONGEST_RETRY_SECONDS)),
    }


def _attachment(item: MediaItem) -> dict[str, Any]:
    return {
        "id": str(item.pk),
        "kind": item.kind,
        "state": item.state,
        "alt_text": item.alt_text,
        "content_type": item.content_type,
        "width": item.width,
        "height": item.height,
        "duration_seconds": item.duration_seconds,
    }


def _reason(explanation: Explanation | None) -> dict[str, Any] | None:
    if explanation is None:
        return None
    return {
        "by": explanation.by,
        "action": explanation.action,
        "rule": explanation.rule,
        "category": explanation.category,
        "text": explanation.text,
    }


def time_of(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
