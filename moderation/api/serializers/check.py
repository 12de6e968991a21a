"""Drafts that are checked and not posted."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from moderation.api.check_bodies import (
    DEFAULT_DEADLINE_MS,
    LONGEST_DEADLINE_MS,
    SHORTEST_DEADLINE_MS,
)
from moderation.api.serializers.posts import _LIMITS
from moderation.api.serializers.shared import LIMIT_HEADERS, PolicyOut, answers
from moderation.drafts import MAX_ALT_CHARS, MAX_ID_CHARS, MAX_URL_CHARS
from moderation.vocabulary import Action, Category, Outcome


class CheckMediaIn(serializers.Serializer[Any]):
    """Either an address or the file itself."""

    url = serializers.URLField(max_length=MAX_URL_CHARS, required=False)
    # Declared fields are taken off the class, so the framework's own `data` stays.
    data = serializers.CharField(  # type: ignore[assignment]
        required=False, help_text="`data:image/png;base64,…`"
    )
    alt_text = serializers.CharField(max_length=MAX_ALT_CHARS, required=False)


class DraftIn(serializers.Serializer[Any]):
    """A draft has a text, a title or an attachment."""

    text = serializers.CharField(max_length=_LIMITS.max_body_chars, required=False)
    body = serializers.CharField(
        max_length=_LIMITS.max_body_chars, required=False, help_text="Another name of `text`."
    )
    title = serializers.CharField(max_length=_LIMITS.max_title_chars, required=False)
    media = serializers.ListField(
        child=CheckMediaIn(), required=False, max_length=_LIMITS.max_media_per_post
    )
    community = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="Its slug; only an organisation's key and a session must name it.",
    )


class CheckIn(DraftIn):
    """One draft, or `items` with a batch of them."""

    items = serializers.ListField(
        child=DraftIn(), required=False, min_length=1, max_length=_LIMITS.max_bulk_items
    )
    deadline_ms = serializers.IntegerField(
        required=False,
        min_value=SHORTEST_DEADLINE_MS,
        max_value=LONGEST_DEADLINE_MS,
        default=DEFAULT_DEADLINE_MS,
        help_text="How long outside providers and addresses are waited for.",
    )
    keep = serializers.BooleanField(
        required=False, default=False, help_text="Whether the verdict goes on record, under an id."
    )


class CheckFormIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=_LIMITS.max_body_chars, required=False)
    title = serializers.CharField(max_length=_LIMITS.max_title_chars, required=False)
    community = serializers.CharField(max_length=MAX_ID_CHARS, required=False)
    media = serializers.ListField(
        child=serializers.FileField(), required=False, max_length=_LIMITS.max_media_per_post
    )
    alt_text = serializers.ListField(
        child=serializers.CharField(max_length=MAX_ALT_CHARS), required=False
    )
    deadline_ms = serializers.IntegerField(
        required=False, min_value=SHORTEST_DEADLINE_MS, max_value=LONGEST_DEADLINE_MS
    )
    keep = serializers.BooleanField(required=False, default=False)


class FlaggedOut(serializers.Serializer[Any]):
    """Characters `start` to `end` (exclusive) of a field as it was sent."""

    field = serializers.CharField(help_text="`text`, `title` or `media.0.alt_text`.")
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    category = serializers.ChoiceField(
        Category.choices, allow_null=True, help_text="Null for a word that the community blocks."
    )


class ScoresOut(serializers.DictField):
    """By category; one that is absent was not judged, which is not 0."""

    child = serializers.FloatField(min_value=0, max_value=1)


class EvidenceOut(serializers.Serializer[Any]):
    provider = serializers.CharField()
    model = serializers.CharField(allow_blank=True)
    part = serializers.CharField(help_text="`text`, or `media.0` and so on.")
    outcome = serializers.ChoiceField(Outcome.choices)
    scores = ScoresOut()
    error = serializers.CharField(allow_blank=True)
    stood_in = serializers.CharField(
        allow_blank=True, help_text="Who judged in place of a provider that failed or was late."
    )
    cached = serializers.BooleanField()
    latency_ms = serializers.FloatField()


class CheckedOut(serializers.Serializer[Any]):
    """What the policy would say, and what it would rest on."""

    action = serializers.ChoiceField(Action.choices)
    rule = serializers.CharField()
    category = serializers.ChoiceField(Category.choices, allow_null=True)
    score = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    not_judged = serializers.ListField(child=serializers.CharField())
    flagged_spans = FlaggedOut(many=True)
    scores = ScoresOut()
    evidence = EvidenceOut(many=True)
    policy = PolicyOut()
    id = serializers.UUIDField(
        required=False, help_text="Of the record, where `keep` asked for one."
    )


class OneCheckedOut(CheckedOut):
    took_ms = serializers.FloatField()


class ManyCheckedOut(serializers.Serializer[Any]):
    results = CheckedOut(many=True)
    took_ms = serializers.FloatField()


CHECK: dict[str, Any] = {
    "operation_id": "check",
    "request": {"application/json": CheckIn, "multipart/form-data": CheckFormIn},
    "parameters": LIMIT_HEADERS,
    "responses": answers(
        {
            200: PolymorphicProxySerializer(
                component_name="CheckOut",
                serializers=[OneCheckedOut, ManyCheckedOut],
                resource_type_field_name=None,
            )
        },
        *(400, 401, 403, 404, 413, 415, 429, 503),
    ),
}
