"""How much was sent, a day at a time."""

from __future__ import annotations

from datetime import UTC, date, timedelta

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.serializers import usage as shapes
from moderation.api.views.keyed import KeyedView, spend_reading
from moderation.drafts import MAX_ID_CHARS
from moderation.fields import Fields
from moderation.queries import database_now
from moderation.queries.usage import usage_of
from moderation.vocabulary import Scope

DEFAULT_DAYS = 30
MOST_DAYS = 92
YEARS = range(2001, 2100)


class GetUsage(KeyedView):
    scope = Scope.READ

    @extend_schema(**shapes.GET_USAGE)
    def get(self, request: Request) -> Response:
        """Count posts and kept checks of each day (UTC): a community's, or one key's."""
        caller = spend_reading(request)
        fields = Fields(request.GET.dict())
        last = _day(fields, "last") or database_now().astimezone(UTC).date()
        first = _day(fields, "first") or last - timedelta(days=DEFAULT_DAYS - 1)
        slug = fields.text("community", most=MAX_ID_CHARS)
        key_id = fields.text("key", most=MAX_ID_CHARS)
        if not 0 <= (last - first).days < MOST_DAYS:
            fields.note("first", f"is at most {MOST_DAYS - 1} days before `last`")
        fields.finish()
        communities = [caller.community(slug)] if slug else caller.communities()
        days = usage_of(
            [community.pk for community in communities], first=first, last=last, key_id=key_id
        )
        return Response(
            {
                "results": [
                    {"date": day.day.isoformat(), "posts": day.posts, "checks": day.kept_checks}
                    for day in days
                ]
            }
        )


def _day(fields: Fields, name: str) -> date | None:
    value = fields.text(name, most=MAX_ID_CHARS)
    if not value:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        fields.note(name, "is a day of this century, as 2026-03-01")
        return None
    return found
