"""Webhooks, for programs that manage them: set up, tested, watched, replayed.

A signing secret is told once, when it is made. Mail to authors and media caches are set up in the
back office alone.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import webhooks
from moderation.api.answers import time_of
from moderation.api.callers import KeyCaller
from moderation.api.pages import page_of, read_page
from moderation.api.serializers import webhooks as shapes
from moderation.api.views.keyed import KeyedView, spend_reading, spend_writing
from moderation.drafts import MAX_ID_CHARS
from moderation.errors import InvalidFields, NotFound
from moderation.fields import Fields
from moderation.models import Community, DeliveryAttempt, Endpoint, OutboxMessage
from moderation.vocabulary import DeliveryState, EndpointKind, Scope

MAX_NAME_CHARS = 100
MAX_URL_CHARS = 500
MOST_TYPES = 100
# Ten of the schedule, and those of replays.
MOST_TRIES = 100


class ListWebhooks(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.LIST_WEBHOOKS)
    def get(self, request: Request) -> Response:
        """List webhooks, the newest first."""
        caller = spend_reading(request)
        page = read_page(request)
        found = _webhooks_of(caller).order_by("-pk")
        if page.cursor:
            found = found.filter(pk__lt=page.number())
        return Response(page_of(request, page, found, lambda one: str(one.pk), _webhook))


class AddWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.ADD_WEBHOOK)
    def post(self, request: Request) -> Response:
        """Set a webhook up, and tell its signing secret this once."""
        caller = spend_writing(request)
        fields = Fields(request.data)
        slug = fields.text("community", most=MAX_ID_CHARS)
        wanted = _read(fields, before=None)
        endpoint, secret = webhooks.add_endpoint(
            community=caller.community(slug),
            kind=EndpointKind.WEBHOOK,
            wanted=wanted,
            user=caller.actor,
        )
        # What the database fills in.
        endpoint.refresh_from_db()
        return Response({**_webhook(endpoint), "secret": secret}, status=201)


class Webhooks(ListWebhooks, AddWebhook):
    """`/webhooks`"""


class GetWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.GET_WEBHOOK)
    def get(self, request: Request, number: str) -> Response:
        """Return one webhook."""
        return Response(_webhook(_find(spend_reading(request), number)))


class ChangeWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.CHANGE_WEBHOOK)
    def patch(self, request: Request, number: str) -> Response:
        """Change a webhook's name, address or types; what is absent stays."""
        caller = spend_writing(request)
        endpoint = _find(caller, number)
        wanted = _read(Fields(request.data), before=endpoint)
        changed = webhooks.change_endpoint(
            endpoint_id=endpoint.pk, wanted=wanted, user=caller.actor
        )
        return Response(_webhook(changed))


class RemoveWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.REMOVE_WEBHOOK)
    def delete(self, request: Request, number: str) -> Response:
        """Forget a disabled webhook, its secrets and its log."""
        caller = spend_writing(request)
        webhooks.remove_endpoint(endpoint_id=_find(caller, number).pk, user=caller.actor)
        return Response(status=204)


class OneWebhook(GetWebhook, ChangeWebhook, RemoveWebhook):
    """`/webhooks/{id}`"""


class RotateSecret(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.ROTATE_SECRET)
    def post(self, request: Request, number: str) -> Response:
        """Make a new signing secret; for a day each message carries both signatures."""
        caller = spend_writing(request)
        endpoint, secret = webhooks.rotate_secret(
            endpoint_id=_find(caller, number).pk, user=caller.actor
        )
        return Response({**_webhook(endpoint), "secret": secret})


class DisableWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.DISABLE_WEBHOOK)
    def post(self, request: Request, number: str) -> Response:
        """Let nothing go there; what waits is cancelled, and can be replayed."""
        caller = spend_writing(request)
        endpoint = _find(caller, number)
        webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=caller.actor)
        return Response(_webhook(_find(caller, number)))


class EnableWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.ENABLE_WEBHOOK)
    def post(self, request: Request, number: str) -> Response:
        """Let events from now on go there."""
        caller = spend_writing(request)
        webhooks.enable_endpoint(endpoint_id=_find(caller, number).pk, user=caller.actor)
        return Response(_webhook(_find(caller, number)))


class PingWebhook(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.PING_WEBHOOK)
    def post(self, request: Request, number: str) -> Response:
        """Send a test. It is tried once; its delivery tells what came of it."""
        caller = spend_writing(request)
        message = webhooks.ping(endpoint_id=_find(caller, number).pk, user=caller.actor)
        message.refresh_from_db()
        return Response(_delivery(message), status=202)


class ListDeliveries(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.LIST_DELIVERIES)
    def get(self, request: Request, number: str) -> Response:
        """List what was sent to a webhook in the last 30 days, the newest first."""
        endpoint = _find(spend_reading(request), number)
        page = read_page(request)
        state = request.GET.get("state", "")
        if state and state not in DeliveryState.values:
            raise InvalidFields.of("state", f"is one of {', '.join(DeliveryState.values)}")
        found = endpoint.messages.order_by("-pk")
        if state:
            found = found.filter(state=state)
        if page.cursor:
            found = found.filter(pk__lt=page.number())
        return Response(page_of(request, page, found, lambda one: str(one.pk), _delivery))


class GetDelivery(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.GET_DELIVERY)
    def get(self, request: Request, number: str, message_id: str) -> Response:
        """Return one message: what was sent, what was answered, how long it took."""
        message = _find_message(_find(spend_reading(request), number), message_id)
        tries = [_try(one) for one in message.tries.order_by("-pk")[:MOST_TRIES]]
        return Response({**_delivery(message), "payload": message.payload, "tries": tries})


class ReplayDelivery(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.REPLAY_DELIVERY)
    def post(self, request: Request, number: str, message_id: str) -> Response:
        """Send a message once more, whatever came of it, under the id that it had."""
        caller = spend_writing(request)
        message = _find_message(_find(caller, number), message_id)
        webhooks.replay_message(message_id=message.pk, user=caller.actor)
        message.refresh_from_db()
        return Response(_delivery(message), status=202)


class ReplayDeliveries(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.REPLAY_DELIVERIES)
    def post(self, request: Request, number: str) -> Response:
        """Send what happened in a time once more, also what happened while it was disabled."""
        caller = spend_writing(request)
        fields = Fields(request.data)
        since, until = fields.moment("since"), fields.moment("until")
        with_delivered = fields.flag("with_delivered")
        for name, moment in (("since", since), ("until", until)):
            if moment is None and name not in dict(fields.wrong):
                fields.note(name, "is required")
        if since is not None and until is not None and since >= until:
            fields.note("until", "is later than `since`")
        fields.finish()
        assert since is not None
        assert until is not None
        count = webhooks.replay_range(
            endpoint_id=_find(caller, number).pk,
            since=since,
            until=until,
            with_delivered=with_delivered,
            user=caller.actor,
        )
        return Response({"messages": count}, status=202)


def _read(fields: Fields, *, before: Endpoint | None) -> webhooks.SetUp:
    name = fields.text("name", most=MAX_NAME_CHARS, required=before is None)
    url = fields.text("url", most=MAX_URL_CHARS, required=before is None)
    sent = fields.items("event_types", most=MOST_TYPES)
    types = [one for one in sent if isinstance(one, str) and one.isascii()]
    if len(types) < len(sent):
        fields.note("event_types", "is a list of types, or groups as post.*")
    fields.finish()
    if before is None:
        return webhooks.SetUp(name, url, types)
    return webhooks.SetUp(
        name if "name" in fields else before.name,
        url if "url" in fields else before.url,
        types if "event_types" in fields else before.event_types,
    )


def _webhooks_of(caller: KeyCaller) -> QuerySet[Endpoint]:
    communities: QuerySet[Community] = caller.communities()
    return Endpoint.objects.filter(
        kind=EndpointKind.WEBHOOK, community__in=communities
    ).select_related("community")


def _find(caller: KeyCaller, number: str) -> Endpoint:
    known = number.isascii() and number.isdecimal() and len(number) < 10
    found = _webhooks_of(caller).filter(pk=int(number)).first() if known else None
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def _find_message(endpoint: Endpoint, message_id: str) -> OutboxMessage:
    known = message_id.isascii() and message_id.isprintable()
    found = endpoint.messages.filter(message_id=message_id).first() if known else None
    if found is None:
        raise NotFound("There is no such message.")
    return found


def _webhook(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": str(endpoint.pk),
        "community": endpoint.community.slug,
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "active": endpoint.active,
        "disabled_because": endpoint.disabled_because or None,
        "failing_since": time_of(endpoint.failing_since),
        "previous_secret_until": time_of(endpoint.previous_secret_until),
        "created_at": time_of(endpoint.created_at),
    }


def _delivery(message: OutboxMessage) -> dict[str, Any]:
    is_due = message.state == DeliveryState.DUE
    return {
        "id": message.message_id,
        "type": message.event_type,
        "state": message.state,
        "attempts": message.attempts,
        "last_error": message.last_error,
        "created_at": time_of(message.created_at),
        "due_at": time_of(message.due_at) if is_due else None,
        "settled_at": time_of(message.settled_at),
    }


def _try(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": time_of(attempt.started_at),
        "latency_ms": attempt.latency_ms,
        "status": attempt.status,
        "error": attempt.error,
        "request": attempt.request,
        "response_headers": attempt.response_headers,
        "response": attempt.response,
    }
