"""Communities and their policies."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, PAGING, PolicyOut, answers
from moderation.vocabulary import PublishingMode


class CommunityOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    language = serializers.CharField(allow_blank=True, help_text="ISO 639-1, or none expected.")
    text_mode = serializers.ChoiceField(PublishingMode.choices)
    image_mode = serializers.ChoiceField(PublishingMode.choices)
    gif_mode = serializers.ChoiceField(PublishingMode.choices)
    video_mode = serializers.ChoiceField(PublishingMode.choices)
    open_to_site_users = serializers.BooleanField()
    policy = PolicyOut()
    created_at = serializers.DateTimeField()


class CommunityPageOut(serializers.Serializer[Any]):
    results = CommunityOut(many=True)
    next = serializers.CharField(allow_null=True)


class PolicyRevisionIn(serializers.Serializer[Any]):
    document = serializers.DictField(help_text="As docs/routing.md has it; at most 64 kB.")
    note = serializers.CharField(max_length=300, required=False)


class PolicyRevisionOut(serializers.Serializer[Any]):
    revision = serializers.IntegerField(min_value=1)
    active = serializers.BooleanField()
    note = serializers.CharField(allow_blank=True)
    document = serializers.DictField()
    created_at = serializers.DateTimeField()


class PolicyPageOut(serializers.Serializer[Any]):
    results = PolicyRevisionOut(many=True)
    next = serializers.CharField(allow_null=True)


LIST_COMMUNITIES: dict[str, Any] = {
    "operation_id": "list_communities",
    "parameters": [*PAGING, *LIMIT_HEADERS],
    "responses": answers({200: CommunityPageOut}, 400, 401, 403, 429, 503),
}
LIST_POLICIES: dict[str, Any] = {
    "operation_id": "list_policies",
    "parameters": [*PAGING, *LIMIT_HEADERS],
    "responses": answers({200: PolicyPageOut}, 400, 401, 403, 404, 429, 503),
}
REVISE_POLICY: dict[str, Any] = {
    "operation_id": "revise_policy",
    "request": PolicyRevisionIn,
    "parameters": LIMIT_HEADERS,
    "responses": answers({201: PolicyRevisionOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
ACTIVATE_POLICY: dict[str, Any] = {
    "operation_id": "activate_policy",
    "request": None,
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: PolicyRevisionOut}, 401, 403, 404, 429, 503),
}
