"""Endpoints: webhooks, mail to authors, media caches. Set up, tested, watched, replayed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST

from moderation import webhooks
from moderation.admin.display import Piece, pieces
from moderation.admin.endpoint_forms import FORMS, EndpointForm, ReplayForm
from moderation.admin.scoped import CommunityFilter, ScopedAdmin
from moderation.admin.surroundings import staff
from moderation.delivery import streams
from moderation.errors import Conflict, InvalidFields, ModerationError, NotFound
from moderation.models import DeliveryAttempt, Endpoint, OutboxMessage
from moderation.vocabulary import DeliveryState, DisabledBecause, EndpointKind

LOG_LENGTH: Final = 50
# Counting more would tell nobody anything.
MOST_COUNTED: Final = 10_000
# A test that arrives does so within this; then its page shows at once what came of it.
WAIT_SECONDS: Final = 2.0
_PERMISSION = "moderation.{}_endpoint"
_MARKS = {
    DeliveryState.DUE: "",
    DeliveryState.DELIVERED: "",
    DeliveryState.SKIPPED: "",
    DeliveryState.FAILED: "gh-worry",
    DeliveryState.CANCELLED: "gh-note",
}


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in EndpointKind]

    def queryset(self, _: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Endpoint)
class EndpointAdmin(ScopedAdmin):
    """Everything is done by `moderation.webhooks`; a page here shows and translates."""

    list_display = ("name", "kind", "community", "where", "state")
    list_filter = (CommunityFilter, KindFilter)
    list_select_related = ("community",)
    search_fields = ("name",)
    ordering = ("community__name", "name")
    list_before_template = "moderation/admin/_endpoints_bar.html"

    @admin.display(description="Where")
    def where(self, endpoint: Endpoint) -> str:
        return where_label(endpoint)

    @admin.display(description="State")
    def state(self, endpoint: Endpoint) -> str:
        return state_label(endpoint)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        _must(request, "add")
        form = _form_of(request.GET.get("kind", ""))(request.POST or None, request)
        if request.method == "POST" and form.is_valid():
            try:
                made, secret = webhooks.add_endpoint(
                    community=form.community,
                    kind=form.kind,
                    wanted=form.wanted(),
                    user=staff(request.user),
                )
            except InvalidFields as error:
                form.take_errors(error)
            except Conflict as error:
                form.add_error(None, str(error))
            else:
                self.log_addition(request, made, "Added.")
                if secret:
                    return self._show_once(request, made, secret)
                messages.success(request, "Added. Events from now on go there.")
                return redirect("admin:moderation_endpoint_change", made.pk)
        title = f"New {form.title}"
        return self._page(request, "endpoint_form.html", title, form=form, button="Add it")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        _must(request, "view")
        return self._show(request, self._find(request, object_id))

    def get_urls(self) -> list[URLPattern]:
        buttons = (
            ("enable", webhooks.enable_endpoint, "Enabled. Events from now on go there."),
            ("disable", webhooks.disable_endpoint, "Disabled. What waits for it is cancelled."),
        )
        return [
            self._path("<int:pk>/settings/", self.settings_view, "settings"),
            self._path("<int:pk>/rotate/", require_POST(self.rotate_view), "rotate"),
            self._path("<int:pk>/ping/", require_POST(self.ping_view), "ping"),
            self._path("<int:pk>/replay/", require_POST(self.replay_view), "replay"),
            self._path("<int:pk>/remove/", self.remove_view, "remove"),
            self._path("messages/<int:message_pk>/", self.message_view, "message"),
            self._path(
                "messages/<int:message_pk>/again/", require_POST(self.again_view), "message_again"
            ),
            *(
                self._path(f"<int:pk>/{name}/", require_POST(self._button(do, said)), name)
                for name, do, said in buttons
            ),
            *super().get_urls(),
        ]

    def _path(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        found: URLPattern = path(
            route, self.admin_site.admin_view(view), name=f"moderation_endpoint_{name}"
        )
        return found

    # Set up

    def settings_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self._changeable(request, pk)
        form = FORMS[EndpointKind(endpoint.kind)](request.POST or None, request, endpoint)
        if request.method == "POST" and form.is_valid():
            try:
                webhooks.change_endpoint(
                    endpoint_id=pk, wanted=form.wanted(), user=staff(request.user)
                )
            except InvalidFields as error:
                form.take_errors(error)
            else:
                self.log_change(request, endpoint, "Changed.")
                messages.success(request, "Saved.")
                return redirect("admin:moderation_endpoint_change", pk)
        title = f"Change {endpoint.name}"
        return self._page(request, "endpoint_form.html", title, form=form, button="Save")

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self._changeable(request, pk)
        try:
            endpoint, secret = webhooks.rotate_secret(endpoint_id=pk, user=staff(request.user))
        except NotFound as error:
            raise Http404 from error
        self.log_change(request, endpoint, "Its secret was replaced.")
        return self._show_once(request, endpoint, secret, replaces=True)

    def _button(self, do: Callable[..., None], said: str) -> Callable[..., HttpResponse]:
        def press(request: HttpRequest, pk: int) -> HttpResponse:
            endpoint = self._changeable(request, pk)
            do(endpoint_id=pk, user=staff(request.user))
            self.log_change(request, endpoint, said)
            messages.success(request, said)
            return redirect("admin:moderation_endpoint_change", pk)

        return press

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask whether it is meant, and remove it once it is."""
        _must(request, "delete")
        endpoint = self._find(request, pk)
        if request.method == "POST":
            try:
                webhooks.remove_endpoint(endpoint_id=pk, user=staff(request.user))
            except Conflict as error:
                messages.warning(request, str(error))
                return redirect("admin:moderation_endpoint_change", pk)
            self.log_change(request, endpoint, "Removed.")
            messages.success(request, f"{endpoint.name} is removed, its secrets and log with it.")
            return redirect("admin:moderation_endpoint_changelist")
        title = f"Remove {endpoint.name}"
        return self._page(request, "endpoint_remove.html", title, endpoint=endpoint)

    # Tests and replays

    def ping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self._changeable(request, pk)
        try:
            message = webhooks.ping(endpoint_id=pk, user=staff(request.user))
        except NotFound as error:
            raise Http404 from error
        except Conflict as error:
            messages.warning(request, str(error))
            return redirect("admin:moderation_endpoint_change", pk)
        _wait_for(message)
        return redirect("admin:moderation_endpoint_message", message.pk)

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self._changeable(request, pk)
        form = ReplayForm(request.POST)
        if form.is_valid():
            try:
                count = webhooks.replay_range(
                    endpoint_id=pk, **form.cleaned_data, user=staff(request.user)
                )
            except InvalidFields as error:
                for name, wrong in error.errors:
                    form.add_error(name, wrong)
            except Conflict as error:
                form.add_error(None, str(error))
            else:
                self.log_change(request, endpoint, f"{count} messages are sent again.")
                messages.success(request, _counted(count))
                return redirect("admin:moderation_endpoint_change", pk)
        return self._show(request, endpoint, replay=form)

    def again_view(self, request: HttpRequest, message_pk: int) -> HttpResponse:
        _must(request, "change")
        message = self._find_message(request, message_pk)
        try:
            webhooks.replay_message(message_id=message_pk, user=staff(request.user))
        except ModerationError as error:
            messages.warning(request, str(error))
        else:
            _wait_for(message)
        return redirect("admin:moderation_endpoint_message", message_pk)

    # Pages

    def message_view(self, request: HttpRequest, message_pk: int) -> HttpResponse:
        _must(request, "view")
        message = self._find_message(request, message_pk)
        return self._page(
            request,
            "endpoint_message.html",
            "Message",
            message=message,
            endpoint=message.endpoint,
            mark=_MARKS[DeliveryState(message.state)],
            endpoint_state=state_label(message.endpoint),
            payload=_laid_out(message.payload),
            tries=[_shown(one) for one in message.tries.order_by("-pk")],
            may_change=_may(request, "change"),
        )

    def _show(
        self, request: HttpRequest, endpoint: Endpoint, replay: ReplayForm | None = None
    ) -> HttpResponse:
        now = timezone.now()
        log = _log(request, endpoint)
        waiting = endpoint.messages.filter(state=DeliveryState.DUE)[:MOST_COUNTED].count()
        return self._page(
            request,
            "endpoint.html",
            endpoint.name,
            endpoint=endpoint,
            where=where_label(endpoint),
            state=state_label(endpoint),
            is_well=endpoint.active and endpoint.failing_since is None,
            is_webhook=endpoint.kind == EndpointKind.WEBHOOK,
            settings=_settings(endpoint),
            rotating=endpoint.previous_secret_until is not None
            and endpoint.previous_secret_until > now,
            waiting=f"{waiting:,}" + (" or more" if waiting == MOST_COUNTED else ""),
            log=log[:LOG_LENGTH],
            older=log[LOG_LENGTH - 1].pk if len(log) > LOG_LENGTH else None,
            states=DeliveryState.choices,
            shown_state=request.GET.get("state", ""),
            replay=replay
            or ReplayForm(since=endpoint.disabled_at or now - timedelta(hours=1), until=now),
            may_change=_may(request, "change"),
            may_remove=_may(request, "delete") and not endpoint.active,
        )

    def _show_once(
        self, request: HttpRequest, endpoint: Endpoint, secret: str, *, replaces: bool = False
    ) -> HttpResponse:
        return self._page(
            request,
            "endpoint_secret.html",
            "The signing secret",
            endpoint=endpoint,
            secret=secret,
            replaces=replaces,
        )

    def _page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            f"moderation/admin/{template}",
            {**self.admin_site.each_context(request), "title": title, **context},
        )

    # Whose it is

    def _find(self, request: HttpRequest, pk: int | str) -> Endpoint:
        rows = self.get_queryset(request).select_related("community")
        found: Endpoint | None = rows.filter(pk=pk).first() if str(pk).isdecimal() else None
        if found is None:
            raise Http404
        return found

    def _changeable(self, request: HttpRequest, pk: int) -> Endpoint:
        _must(request, "change")
        return self._find(request, pk)

    def _find_message(self, request: HttpRequest, pk: int) -> OutboxMessage:
        message = OutboxMessage.objects.filter(pk=pk).first()
        if message is None:
            raise Http404
        message.endpoint = self._find(request, message.endpoint_id)
        return message


def _may(request: HttpRequest, act: str) -> bool:
    return bool(request.user.has_perm(_PERMISSION.format(act)))


def _must(request: HttpRequest, act: str) -> None:
    if not _may(request, act):
        raise PermissionDenied


def _form_of(kind: str) -> type[EndpointForm]:
    return FORMS[EndpointKind(kind) if kind in EndpointKind.values else EndpointKind.WEBHOOK]


def _wait_for(message: OutboxMessage) -> None:
    ends_at = time.monotonic() + WAIT_SECONDS
    waiting = OutboxMessage.objects.filter(pk=message.pk, state=DeliveryState.DUE, attempts=0)
    while waiting.exists() and time.monotonic() < ends_at:
        time.sleep(0.05)


def _log(request: HttpRequest, endpoint: Endpoint) -> list[OutboxMessage]:
    """Return a page of the log, the newest first, and one more if there is more."""
    rows = endpoint.messages.order_by("-pk")
    state, before = request.GET.get("state", ""), request.GET.get("before", "")
    if state in DeliveryState.values:
        rows = rows.filter(state=state)
    if before.isdecimal():
        rows = rows.filter(pk__lt=int(before))
    return list(rows[: LOG_LENGTH + 1])


def where_label(endpoint: Endpoint) -> str:
    """Say where an endpoint is, without what its address may hold of a secret."""
    if endpoint.kind == EndpointKind.EMAIL:
        return "Authors with an address"
    host = urlsplit(endpoint.url).hostname or ""
    if endpoint.kind == EndpointKind.CDN:
        service = str(endpoint.options.get("service", "")).capitalize()
        return f"{service} at {host}" if host else service
    if endpoint.kind == EndpointKind.STREAM:
        log = streams.LOGS.get(endpoint.options.get("service", ""))
        return f"{log.label if log else 'Stream'} {endpoint.options.get('topic', '')}"
    return host


def state_label(endpoint: Endpoint) -> str:
    now = timezone.now()
    if not endpoint.active:
        return f"Disabled: {DisabledBecause(endpoint.disabled_because).label.lower()}"
    if endpoint.spared_until and endpoint.spared_until > now:
        return f"Asked to be spared until {endpoint.spared_until:%H:%M} UTC"
    if endpoint.failing_since:
        return f"Fails since {endpoint.failing_since:%d %b, %H:%M} UTC"
    return "Works"


def _settings(endpoint: Endpoint) -> list[tuple[str, str]]:
    options = endpoint.options
    told = ", ".join(endpoint.event_types) or "everything"
    if endpoint.kind != EndpointKind.CDN:
        address = [("Address", endpoint.url)] if endpoint.url else []
        return [*address, ("Told of", told)]
    names = (
        ("Service or zone ID", "zone"),
        ("Forgets by", "by"),
        ("May keep for, in seconds", "seconds"),
        ("Readers get files from", "site"),
    )
    return [(label, str(options[name])) for label, name in names if options.get(name)]


def _laid_out(payload: str) -> str:
    return json.dumps(json.loads(payload), indent=2, ensure_ascii=False) if payload else ""


def _shown(one: DeliveryAttempt) -> dict[str, Any]:
    """Return an attempt for its page: what others wrote is in pieces, nothing of it obeyed."""
    headers = "\n".join(f"{name}: {value}" for name, value in one.response_headers.items())
    request = one.request
    sent = [f"{request.get('method', '')} {request.get('url', '')}".strip()]
    sent += [f"{name}: {value}" for name, value in request.get("headers", {}).items()]
    return {
        "attempt": one,
        "result": f"HTTP {one.status}" if one.status else (one.error or "Handed over"),
        "is_well": not one.error,
        "request": "\n".join(line for line in sent if line),
        "headers": pieces(headers),
        "response": _pieces(one.response),
    }


def _pieces(text: str) -> tuple[Piece, ...]:
    return pieces(text) if text else ()


def _counted(count: int) -> str:
    if not count:
        return "There was nothing to send in that time."
    return f"{count:,} message{'' if count == 1 else 's'} will be sent."
