"""Webhooks: set up, tested, watched, replayed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, PAGING, QUERY, answers
from moderation.drafts import MAX_ID_CHARS
from moderation.vocabulary import DeliveryState, DisabledBecause


class WebhookIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=500, help_text="Begins with `https://`; port 443.")
    event_types = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Types or groups (`post.*`); all when it is empty.",
    )
    community = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="Its slug; only an organisation's key must name it.",
    )


class WebhookChangeIn(serializers.Serializer[Any]):
    """What is absent stays as it is."""

    name = serializers.CharField(max_length=100, required=False)
    url = serializers.CharField(max_length=500, required=False)
    event_types = serializers.ListField(child=serializers.CharField(), required=False)


class WebhookOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    community = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    disabled_because = serializers.ChoiceField(DisabledBecause.choices, allow_null=True)
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when nothing has reached it; null while all does."
    )
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before this one signs too."
    )
    created_at = serializers.DateTimeField()


class WebhookPageOut(serializers.Serializer[Any]):
    results = WebhookOut(many=True)
    next = serializers.CharField(allow_null=True)


class WebhookSecretOut(WebhookOut):
    secret = serializers.CharField(help_text="What signs; never to be had again.")


class DeliveryOut(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The `webhook-id`.")
    type = serializers.CharField()
    state = serializers.ChoiceField(DeliveryState.choices)
    attempts = serializers.IntegerField(min_value=0)
    last_error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="When it is tried next; null when it is not."
    )
    settled_at = serializers.DateTimeField(allow_null=True)


class DeliveryPageOut(serializers.Serializer[Any]):
    results = DeliveryOut(many=True)
    next = serializers.CharField(allow_null=True)


class TryOut(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1)
    started_at = serializers.DateTimeField()
    latency_ms = serializers.FloatField()
    status = serializers.IntegerField(
        allow_null=True, help_text="Null when nothing was answered; then `error` says so."
    )
    error = serializers.CharField(allow_blank=True)
    request = serializers.DictField()
    response_headers = serializers.DictField()
    response = serializers.CharField(allow_blank=True, help_text="The beginning of the answer.")


class OneDeliveryOut(DeliveryOut):
    payload = serializers.CharField(allow_blank=True)
    tries = TryOut(many=True)


class ReplayIn(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="Exclusive.")
    with_delivered = serializers.BooleanField(
        required=False, default=False, help_text="Also what has arrived already."
    )


class ReplayOut(serializers.Serializer[Any]):
    messages = serializers.IntegerField(min_value=0)


LIST_WEBHOOKS: dict[str, Any] = {
    "operation_id": "list_webhooks",
    "parameters": [*PAGING, *LIMIT_HEADERS],
    "responses": answers({200: WebhookPageOut}, 400, 401, 403, 429, 503),
}
ADD_WEBHOOK: dict[str, Any] = {
    "operation_id": "add_webhook",
    "request": WebhookIn,
    "parameters": LIMIT_HEADERS,
    "responses": answers({201: WebhookSecretOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
GET_WEBHOOK: dict[str, Any] = {
    "operation_id": "get_webhook",
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: WebhookOut}, 401, 403, 404, 429, 503),
}
CHANGE_WEBHOOK: dict[str, Any] = {
    "operation_id": "change_webhook",
    "request": WebhookChangeIn,
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: WebhookOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
REMOVE_WEBHOOK: dict[str, Any] = {
    "operation_id": "remove_webhook",
    "parameters": LIMIT_HEADERS,
    "responses": answers({204: None}, 401, 403, 404, 409, 429, 503),
}
ROTATE_SECRET: dict[str, Any] = {
    "operation_id": "rotate_webhook_secret",
    "request": None,
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: WebhookSecretOut}, 401, 403, 404, 429, 503),
}
DISABLE_WEBHOOK: dict[str, Any] = {
    "operation_id": "disable_webhook",
    "request": None,
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: WebhookOut}, 401, 403, 404, 429, 503),
}
ENABLE_WEBHOOK: dict[str, Any] = {
    **DISABLE_WEBHOOK,
    "operation_id": "enable_webhook",
}
PING_WEBHOOK: dict[str, Any] = {
    "operation_id": "ping_webhook",
    "request": None,
    "parameters": LIMIT_HEADERS,
    "responses": answers({202: DeliveryOut}, 401, 403, 404, 409, 429, 503),
}
LIST_DELIVERIES: dict[str, Any] = {
    "operation_id": "list_deliveries",
    "parameters": [
        OpenApiParameter("state", str, QUERY, enum=DeliveryState.values),
        *PAGING,
        *LIMIT_HEADERS,
    ],
    "responses": answers({200: DeliveryPageOut}, 400, 401, 403, 404, 429, 503),
}
GET_DELIVERY: dict[str, Any] = {
    "operation_id": "get_delivery",
    "parameters": LIMIT_HEADERS,
    "responses": answers({200: OneDeliveryOut}, 401, 403, 404, 429, 503),
}
REPLAY_DELIVERY: dict[str, Any] = {
    "operation_id": "replay_delivery",
    "request": None,
    "parameters": LIMIT_HEADERS,
    "responses": answers({202: DeliveryOut}, 401, 403, 404, 409, 429, 503),
}
REPLAY_DELIVERIES: dict[str, Any] = {
    "operation_id": "replay_deliveries",
    "request": ReplayIn,
    "parameters": LIMIT_HEADERS,
    "responses": answers({202: ReplayOut}, 400, 401, 403, 404, 409, 413, 415, 429, 503),
}
