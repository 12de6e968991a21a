"""The bytes of attachments. Whether they may be read is asked for each request.

No cache keeps them but one that a community has set up, and that is told when a post is hidden.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from moderation import queries
from moderation.delivery.cdn import cache_headers
from moderation.errors import NotFound
from moderation.media.decode import EXTENSIONS
from moderation.models import MediaItem
from moderation.vocabulary import MediaState
from moderation.web.ranges import Unsatisfiable, read_range

_KEPT_BY_NOBODY = "private, no-store"


@require_safe
def media(request: HttpRequest, media_id: UUID) -> HttpResponse:
    """Serve our own copy of an attachment to whoever may see its post at this moment."""
    try:
        item = queries.get_media_for(request.user, media_id)
        _must_be_ours(item)
        return _answer(item, _asked_range(request))
    except (NotFound, FileNotFoundError):
        answer = render(request, "404.html", status=404)
        # What is hidden now may be shown again, and a cache would keep its absence, too.
        answer["Cache-Control"] = _KEPT_BY_NOBODY
        return answer


def _must_be_ours(item: MediaItem) -> None:
    """Only what we make ourselves is served: anything else would be somebody's upload."""
    if item.state != MediaState.READY or item.content_type not in EXTENSIONS:
        raise NotFound("There is no copy of ours.")


def _asked_range(request: HttpRequest) -> str:
    # Our answers have no validator, so that a condition on one is never met.
    if request.method != "GET" or "If-Range" in request.headers:
        return ""
    return request.headers.get("Range", "")


def _answer(item: MediaItem, asked: str) -> HttpResponse:
    size = item.file.size
    headers = _headers(item)
    try:
        part = read_range(asked, size)
    except Unsatisfiable:
        return HttpResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    with item.file.open("rb") as file:
        if part is None:
            return HttpResponse(file.read(), headers=headers)
        file.seek(part.first)
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
        return HttpResponse(file.read(part.length), status=206, headers=headers)


def _headers(item: MediaItem) -> dict[str, str]:
    name = f"{item.pk}.{EXTENSIONS[item.content_type]}"
    return {
        "Content-Type": item.content_type,
        "Content-Disposition": f'inline; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        **_caching(item),
        "Cross-Origin-Resource-Policy": "same-origin",
        # Opened by itself it is a document of this site: it gets no rights at all.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def _caching(item: MediaItem) -> dict[str, str]:
    """Hidden is gone within a second: no cache may outlive the next decision."""
    told = cache_headers(item) if queries.is_for_everyone(item) else {}
    # A CDN takes "private" for a no, whatever else it is told.
    return told | {"Cache-Control": "no-store" if told else _KEPT_BY_NOBODY}
