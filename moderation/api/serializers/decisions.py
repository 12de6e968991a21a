"""What was concluded of a post."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from moderation.api.serializers.check import EvidenceOut
from moderation.api.serializers.shared import LIMIT_HEADERS, PolicyOut, answers
from moderation.vocabulary import Action, Category, EffectKind


class KeptEvidenceOut(EvidenceOut):
    latency_ms = serializers.FloatField(allow_null=True)


class ConcludedOut(serializers.Serializer[Any]):
    """A policy's verdict or a person's decision, and what it caused."""

    by = serializers.ChoiceField(["policy", "person"])
    revision = serializers.IntegerField(min_value=1)
    at = serializers.DateTimeField()
    action = serializers.ChoiceField(Action.choices)
    category = serializers.ChoiceField(Category.choices, allow_null=True)
    rule = serializers.CharField(allow_blank=True)
    score = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    part = serializers.CharField(allow_null=True)
    not_judged = serializers.ListField(child=serializers.CharField())
    policy = PolicyOut(allow_null=True)
    reason = serializers.CharField(
        allow_blank=True, help_text="A person's, as its author reads it."
    )
    evidence = KeptEvidenceOut(many=True)
    effects = serializers.ListField(child=serializers.ChoiceField(EffectKind.choices))
    reversed_at = serializers.DateTimeField(allow_null=True)


class ConcludedListOut(serializers.Serializer[Any]):
    results = ConcludedOut(many=True)


LIST_DECISIONS: dict[str, Any] = {
    "operation_id": "list_decisions",
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: ConcludedListOut}, 401, 403, 404, 429, 503),
}
