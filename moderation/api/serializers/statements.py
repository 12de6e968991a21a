"""The statements of reasons about a post."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, answers
from moderation.vocabulary import EffectKind


class RestrictionOut(serializers.Serializer[Any]):
    on = serializers.ChoiceField(["visibility", "service", "account", "nothing"])
    decision = serializers.ChoiceField(
        ["disabled", "labelled", *(kind.value for kind in EffectKind)],
        help_text="What became of the post, or which sanction its author got.",
    )
    visibility = serializers.CharField(required=False)
    is_provisional = serializers.BooleanField()
    until = serializers.DateTimeField(
        allow_null=True, help_text="Null: as long as the decision stands."
    )


class FactsOut(serializers.Serializer[Any]):
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="own_initiative, or how it was reported."
    )
    detected_automatically = serializers.BooleanField()
    decided = serializers.ChoiceField(["fully", "not_automated"])
    category = serializers.CharField()
    part = serializers.CharField(allow_null=True)


class GroundOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["terms", "law"])
    legal_ground = serializers.CharField(allow_null=True)
    rule = serializers.CharField(allow_null=True)
    policy = serializers.IntegerField(allow_null=True)


class ContentOut(serializers.Serializer[Any]):
    kinds = serializers.ListField(child=serializers.CharField())
    language = serializers.CharField(allow_null=True)
    posted_on = serializers.DateField(allow_null=True)


class RedressOut(serializers.Serializer[Any]):
    appeal_until = serializers.DateTimeField()
    out_of_court = serializers.BooleanField()
    court = serializers.BooleanField()


class SaidOut(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()


class StatementOut(serializers.Serializer[Any]):
    """What an author was told of one restriction, word for word, and in words of a vocabulary."""

    number = serializers.CharField()
    issued_at = serializers.DateTimeField()
    revision = serializers.IntegerField(min_value=1)
    reversed_at = serializers.DateTimeField(allow_null=True)
    restrictions = RestrictionOut(many=True)
    facts = FactsOut()
    ground = GroundOut()
    content = ContentOut()
    redress = RedressOut()
    said = SaidOut(many=True)


class StatementListOut(serializers.Serializer[Any]):
    results = StatementOut(many=True)


LIST_STATEMENTS: dict[str, Any] = {
    "operation_id": "list_statements",
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: StatementListOut}, 401, 403, 404, 429, 503),
}
