"""Lists page by page. A cursor is what the last row of a page is sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from moderation.api.bodies import read_page_size
from moderation.drafts import MAX_ID_CHARS
from moderation.errors import InvalidFields
from moderation.fields import Fields

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page:
    cursor: str
    limit: int

    def number(self) -> int:
        """Return a cursor that is a number. Raises `InvalidFields`."""
        if not (self.cursor.isascii() and self.cursor.isdecimal() and len(self.cursor) < 10):
            raise InvalidFields.of("cursor", "is not one that we gave")
        return int(self.cursor)


def read_page(request: Request) -> Page:
    """Raises `InvalidFields`."""
    fields = Fields(request.GET.dict())
    found = Page(fields.text("cursor", most=MAX_ID_CHARS), read_page_size(fields))
    fields.finish()
    return found


def page_of(
    request: Request,
    page: Page,
    rows: QuerySet[Row],
    cursor_of: Callable[[Row], str],
    write: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """Return a page and the address of the one that follows it."""
    found = list(rows[: page.limit + 1])
    following = None
    if len(found) > page.limit:
        found = found[: page.limit]
        asked = request.GET.dict() | {"cursor": cursor_of(found[-1])}
        following = f"{request.path}?{urlencode(asked)}"
    return {"results": [write(row) for row in found], "next": following}
