"""The bytes of attachments. Whether they may be read is asked for each request, never cached."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from moderation import queries
from moderation.errors import NotFound
from moderation.models import MediaItem
from moderation.vocabulary import MediaState

# Only what our own encoder writes; anything else would be somebody's upload.
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}


@require_safe
def media(request: HttpRequest, media_id: UUID) -> HttpResponse:
    """Serve our own copy of an attachment to whoever may see its post at this moment."""
    try:
        item = queries.get_media_for(request.user, media_id)
    except NotFound as error:
        raise Http404 from error
    if item.state != MediaState.READY or item.content_type not in _EXTENSIONS:
        raise Http404
    return _answer(item)


def _answer(item: MediaItem) -> HttpResponse:
    try:
        with item.file.open("rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise Http404 from error
    name = f"{item.pk}.{_EXTENSIONS[item.content_type]}"
    return HttpResponse(
        content,
        content_type=item.content_type,
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
            # Hidden is gone within a second: no cache may outlive the next decision.
            "Cache-Control": "private, no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            # Opened by itself it is a document of this site: it gets no rights at all.
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
