"""What a client knows already is not sent again: ETag, If-None-Match, 304 (RFC 9110, 13.1.2)."""

from __future__ import annotations

import hashlib
from functools import partial

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

_DIGEST_CHARS = 16
# What tells of a body that is not sent.
_OF_THE_BODY = ("Content-Type", "Content-Length")


def spare_what_is_known(request: Request, response: object) -> None:
    """Give a good answer its ETag, and leave its body out where the client has it.

    An ETag that the view set, as a post's revision, becomes the first part of the tag.
    """
    # A stream has no end to make a digest of.
    if isinstance(response, Response):
        response.add_post_render_callback(partial(_compare, request))


def _compare(request: Request, response: Response) -> HttpResponse | None:
    digest = hashlib.sha256(response.content).hexdigest()[:_DIGEST_CHARS]
    known = response.headers.get("ETag", "").strip('"')
    response.headers["ETag"] = etag = f'"{known}-{digest}"' if known else f'"{digest}"'
    sent = [
        tag.removeprefix("W/") for tag in parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    ]
    if etag not in sent and sent != ["*"]:
        return None
    spared = HttpResponseNotModified()
    for name, value in response.headers.items():
        if name not in _OF_THE_BODY:
            spared.headers[name] = value
    return spared
