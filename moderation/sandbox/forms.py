"""Fields and files as services take them: in the address, as a form, or as a multipart form."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import parse_qsl

from moderation.sandbox.protocol import Request

_NAME = re.compile(rb'[;\s]name="([^"]*)"')


def read_form(request: Request) -> dict[str, bytes]:
    """Return every field by name, of a repeated one the last; a file is a field of its bytes."""
    found = {name: values[-1].encode() for name, values in request.query.items()}
    given = Message()
    given["Content-Type"] = request.headers.get("content-type", "")
    if given.get_content_type() == "application/x-www-form-urlencoded":
        pairs = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True)
        found |= {name: value.encode() for name, value in pairs}
    elif given.get_content_type() == "multipart/form-data":
        found |= _parts(request.body, str(given.get_boundary("")).encode())
    return found


def _parts(body: bytes, boundary: bytes) -> dict[str, bytes]:
    found = {}
    # What stands before the first boundary and after the last one is no part.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name:
            found[name[1].decode()] = content
    return found
