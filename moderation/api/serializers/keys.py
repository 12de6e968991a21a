"""API keys."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, PAGING, answers
from moderation.drafts import MAX_ID_CHARS
from moderation.vocabulary import Priority, Scope


class KeyIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, required=False)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), min_length=1)
    community = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="With an organisation's key; without it the new key is the organisation's too.",
    )
    expires_at = serializers.DateTimeField(required=False)
    rate_per_second = serializers.IntegerField(
        min_value=1, required=False, help_text="At most what the key that asks has."
    )
    rate_burst = serializers.IntegerField(min_value=1, required=False)
    priority = serializers.ChoiceField(Priority.choices, required=False)


class KeyOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    community = serializers.CharField(allow_null=True, help_text="Null: an organisation's.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    rate_per_second = serializers.FloatField()
    rate_burst = serializers.IntegerField()
    priority = serializers.ChoiceField(
        Priority.choices, help_text="How soon its posts are looked at while many wait."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class KeyPageOut(serializers.Serializer[Any]):
    results = KeyOut(many=True)
    next = serializers.CharField(allow_null=True)


class IssuedKeyOut(KeyOut):
    key = serializers.CharField(help_text="The key itself; never to be had again.")
    replaces = serializers.CharField(required=False)


LIST_KEYS: dict[str, Any] = {
    "operation_id": "list_keys",
    "parameters": [*PAGING, *LIMIT_HEADERS],
    "responses": answers({200: KeyPageOut}, 400, 401, 403, 429, 503),
}
ISSUE_KEY: dict[str, Any] = {
    "operation_id": "issue_key",
    "request": KeyIn,
    "parameters": LIMIT_HEADERS,
    "responses": answers({201: IssuedKeyOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
REVOKE_KEY: dict[str, Any] = {
    "operation_id": "revoke_key",
    "parameters": LIMIT_HEADERS,
    "responses": answers({204: None}, 401, 403, 404, 429, 503),
}
ROTATE_KEY: dict[str, Any] = {
    "operation_id": "rotate_key",
    "request": None,
    "parameters": LIMIT_HEADERS,
    "responses": answers({201: IssuedKeyOut}, 401, 403, 404, 429, 503),
}
