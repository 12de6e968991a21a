"""Telling clients that an act is going to end: RFC 9745 and RFC 8594."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.utils.http import http_date


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when an act should not be used any more, when it ends, and where to read on.

    The times are aware.
    """

    since: datetime
    ends: datetime
    explained_at: str

    def tell(self, response: HttpResponse) -> None:
        response.headers["Deprecation"] = f"@{int(self.since.timestamp())}"
        response.headers["Sunset"] = http_date(self.ends.timestamp())
        response.headers["Link"] = f'<{self.explained_at}>; rel="deprecation"; type="text/html"'
