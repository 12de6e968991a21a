"""What a text would meet, while it is still being written. Advice only: nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import queries
from moderation.api.base import ApiView, caller_of
from moderation.api.limits import Bucket, spend
from moderation.api.serializers import hint as shapes
from moderation.conf import get_conf
from moderation.drafts import MAX_ID_CHARS
from moderation.fields import Fields
from moderation.providers.base import Answer, TextPart
from moderation.providers.registry import get_provider
from moderation.text.community_words import find_words
from moderation.text.matcher import Match
from moderation.vocabulary import Scope, WordAction

# Below this a guess is more often wrong than right, and a warning would teach people to ignore it.
HINT_FROM_SCORE = 0.5
MOST_HINTS = 3


class Hint(ApiView):
    scope = Scope.CHECK

    @extend_schema(**shapes.HINT)
    def post(self, request: Request) -> Response:
        """Say which words the community warns of or refuses, and what the text may be taken for."""
        caller = caller_of(request)
        own = caller.bucket()
        # Typing asks often: its tokens are not those of posting.
        spend(request, Bucket(own.name, f"{own.whose}:hint", own.limit))
        fields = Fields(request.data)
        # As it was sent, blanks and all: the places of words are counted in it.
        text = fields.text("text", most=get_conf().max_body_chars, required=True, keep_blanks=True)
        slug = fields.text("community", most=MAX_ID_CHARS)
        fields.finish()
        community = caller.community(slug)
        matcher = queries.community_matcher(community)
        part = TextPart(key="text", text=text, language=community.language)

        (judged,) = get_provider("local_text").judge([part])
        return Response(
            {
                "advise": _words(find_words(text, matcher, WordAction.ADVISE)),
                "block": _words(find_words(text, matcher, WordAction.BLOCK)),
                "hints": _hints(judged),
            }
        )


def _words(matches: Sequence[Match[WordAction]]) -> list[dict[str, Any]]:
    return [{"start": hit.start, "end": hit.end, "term": hit.term} for hit in matches]


def _hints(judged: Answer) -> list[dict[str, str]]:
    """Return the likeliest categories, the likeliest first; a category not judged is no hint."""
    likely = sorted(
        (
            (score, category)
            for category, score in judged.scores.items()
            if score >= HINT_FROM_SCORE
        ),
        reverse=True,
    )
    return [
        {
            "category": category.value,
            "text": f"Readers may take this for: {category.label.lower()}.",
        }
        for _, category in likely[:MOST_HINTS]
    ]
