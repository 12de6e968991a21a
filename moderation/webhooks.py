"""Set up endpoints, on the record: webhooks, notices to authors, caches in front of media.

Their secrets are stored encrypted and told once. What is replayed goes out under the ids that it
had, so that receivers know it again.
"""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from moderation import queries
from moderation.delivery import cdn, doorbell, email, streams, webhook
from moderation.delivery.event_types import EVENT_TYPES, PING, groups
from moderation.delivery.handover import is_allowed_host
from moderation.delivery.listeners import forget_listeners, listener_of
from moderation.delivery.staging import messages_of, references_of
from moderation.errors import Conflict, InvalidFields, NotFound
from moderation.models import AuditEvent, Community, Endpoint, OutboxMessage
from moderation.outbound.addresses import is_public_address
from moderation.pipeline import notify
from moderation.pipeline.audit.record import Actor, record_change
from moderation.vocabulary import DeliveryState, DisabledBecause, EndpointKind, Lane

# Receivers change over within a day; until then each message carries both signatures.
SECRET_OVERLAP = timedelta(days=1)
# What is under way for an endpoint is staged within this.
_REST_BEFORE_REMOVAL = timedelta(seconds=5)
MOST_REPLAYED = 10_000
# Events that are recorded at the same time get their keys in any order, within this.
_DISORDER = timedelta(minutes=1)
_CHUNK = 500
MOST_SECONDS = 3_600

Wrong = tuple[str, str]
# A member of staff, a program by its key, or for None Gatehouse itself.
Changer = User | Actor | None


@dataclass(frozen=True, slots=True)
class SetUp:
    """What somebody wants of an endpoint. `token` is a cache's; None leaves the stored one."""

    name: str
    url: str = ""
    event_types: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)


def add_endpoint(
    *, community: Community, kind: EndpointKind, wanted: SetUp, user: Changer
) -> tuple[Endpoint, str]:
    """Store an endpoint and return it with its signing secret, never to be had again.

    The secret is "" for what is no webhook. Raises `InvalidFields`, and `Conflict` for a second
    endpoint that mails to a community's authors.
    """
    endpoint = Endpoint(community=community, kind=kind)
    _fill_in(endpoint, wanted)
    secret = webhook.new_secret() if kind is EndpointKind.WEBHOOK else ""
    if secret:
        endpoint.secrets = {"current": secret}
    try:
        with transaction.atomic():
            endpoint.save(force_insert=True)
            _record("endpoint.added", endpoint, user)
    except IntegrityError:
        raise Conflict("Authors of this community get notices already.") from None
    forget_listeners()
    return endpoint, secret


def change_endpoint(*, endpoint_id: int, wanted: SetUp, user: Changer) -> Endpoint:
    """Store how an endpoint is set up now. Raises `InvalidFields`, `NotFound`."""
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        before = _facts(endpoint), endpoint.url, dict(endpoint.options), dict(endpoint.secrets)
        _fill_in(endpoint, wanted)
        after = _facts(endpoint), endpoint.url, dict(endpoint.options), dict(endpoint.secrets)
        if before == after:
            return endpoint
        endpoint.save(update_fields=["name", "url", "event_types", "options", "secrets"])
        _record("endpoint.changed", endpoint, user)
    forget_listeners()
    return endpoint


def rotate_secret(*, endpoint_id: int, user: Changer) -> tuple[Endpoint, str]:
    """Give a webhook a new secret; for `SECRET_OVERLAP` the old one signs beside it.

    Raises `NotFound` for what is no webhook.
    """
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        if endpoint.kind != EndpointKind.WEBHOOK:
            raise NotFound("Only webhooks are signed.")
        secret = webhook.new_secret()
        endpoint.secrets = {"current": secret, "previous": endpoint.secrets.get("current", "")}
        endpoint.previous_secret_until = queries.database_now() + SECRET_OVERLAP
        endpoint.save(update_fields=["secrets", "previous_secret_until"])
        _record("endpoint.secret_rotated", endpoint, user)
    return endpoint, secret


def disable_endpoint(*, endpoint_id: int, user: Changer) -> None:
    """Let nothing go to an endpoint. What waits for it is cancelled, and can be replayed."""
    notify.disable_endpoint(endpoint_id=endpoint_id, because=DisabledBecause.PERSON, user=user)


def enable_endpoint(*, endpoint_id: int, user: Changer) -> None:
    """Let events from now on go to an endpoint. Raises `NotFound`."""
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        if endpoint.active:
            return
        Endpoint.objects.filter(pk=endpoint_id).update(
            active=True, disabled_because="", failing_since=None, spared_until=None
        )
        _record("endpoint.enabled", endpoint, user)
    forget_listeners()


def remove_endpoint(*, endpoint_id: int, user: Changer) -> None:
    """Forget a disabled endpoint with its secrets and its log.

    Raises `NotFound`, and `Conflict` for one that is active or was until a moment ago.
    """
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        rested = Endpoint.objects.filter(
            pk=endpoint_id, active=False, disabled_at__lt=Now() - _REST_BEFORE_REMOVAL
        )
        if not rested.exists():
            raise Conflict("Disable it first, and remove it some seconds later.")
        _record("endpoint.removed", endpoint, user)
        endpoint.delete()
    forget_listeners()


# Tests and replays


def ping(*, endpoint_id: int, user: Changer) -> OutboxMessage:
    """Stage a test message for a webhook. It is tried once.

    Raises `NotFound` for what is no webhook, `Conflict` for one that is disabled.
    """
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        if endpoint.kind != EndpointKind.WEBHOOK:
            raise NotFound("Only webhooks are tested like this.")
        _must_be_active(endpoint)
        message = OutboxMessage.objects.create(
            endpoint=endpoint,
            message_id=f"msg_{random_secrets.token_hex(16)}",
            event_type=PING,
            payload=webhook.ping_payload(endpoint.community.slug),
        )
        _record("endpoint.tested", endpoint, user)
    doorbell.ring({Lane.DELIVER})
    return message


def replay_message(*, message_id: int, user: Changer) -> None:
    """Send a message once more, whatever came of it. Raises `NotFound`, `Conflict`."""
    with transaction.atomic():
        message = OutboxMessage.objects.filter(pk=message_id).first()
        if message is None:
            raise NotFound("There is no such message.")
        endpoint = _lock(message.endpoint_id)
        _must_be_active(endpoint)
        _make_due(OutboxMessage.objects.filter(pk=message_id))
        _record("endpoint.replayed", endpoint, user, messages=1)
    doorbell.ring({Lane.DELIVER})


def replay_range(
    *,
    endpoint_id: int,
    since: datetime,
    until: datetime,
    with_delivered: bool,
    user: Changer,
) -> int:
    """Send what happened in a time (aware, `until` exclusive) once more; return how many messages.

    Also what happened while the endpoint was disabled, or not there yet. Without `with_delivered`
    only what it has not received. Raises `NotFound`, `Conflict`, and `InvalidFields` for a time
    in which too much happened.
    """
    endpoint = _find(endpoint_id)
    _must_be_active(endpoint)
    events = _events_between(endpoint.community_id, since, until)
    listener, found = listener_of(endpoint), _without_undone(list(events))
    references = references_of(found)
    wanted = [
        one
        for event in found
        for one in messages_of(event, listener, reference=references.get(event.subject_id, ""))
    ]
    if len(wanted) > MOST_REPLAYED:
        raise InvalidFields.of(
            "until", f"More than {MOST_REPLAYED:,} messages: choose a shorter time."
        )
    count = 0
    # In short transactions: nobody waits for the whole.
    for start in range(0, len(wanted), _CHUNK):
        with transaction.atomic():
            chunk = wanted[start : start + _CHUNK]
            count += _replay(_lock(endpoint_id), chunk, with_delivered=with_delivered)
    with transaction.atomic():
        _record("endpoint.replayed", _lock(endpoint_id), user, messages=count)
    doorbell.ring({Lane.DELIVER})
    return count


def _without_undone(events: Sequence[AuditEvent]) -> list[AuditEvent]:
    """Leave out the decisions that were undone before anybody was told of them."""
    posts = {event.subject_id for event in events if event.kind.startswith("decision.")}
    undone = {
        event.facts.get("decision")
        for event in AuditEvent.objects.filter(
            subject_kind="post", subject_id__in=posts, kind="decision.undone"
        )
    }
    return [
        event
        for event in events
        if not (event.kind.startswith("decision.") and event.facts.get("decision") in undone)
    ]


def _replay(endpoint: Endpoint, wanted: Sequence[OutboxMessage], *, with_delivered: bool) -> int:
    ids = [message.message_id for message in wanted]
    known = OutboxMessage.objects.filter(endpoint=endpoint, message_id__in=ids)
    stored = set(known.values_list("message_id", flat=True))
    missing = [message for message in wanted if message.message_id not in stored]
    OutboxMessage.objects.bulk_create(missing)
    again = known.exclude(pk__in=[message.pk for message in missing])
    if not with_delivered:
        again = again.exclude(state__in=(DeliveryState.DELIVERED, DeliveryState.SKIPPED))
    return len(missing) + _make_due(again)


def _make_due(messages: QuerySet[OutboxMessage]) -> int:
    """Begin the schedule anew; what is being handed over at this moment is repeated after it."""
    return messages.update(
        state=DeliveryState.DUE,
        due_at=Now(),
        attempts=0,
        last_error="",
        settled_at=None,
        lease_token=None,
        lease_until=None,
    )


def _events_between(community_id: int, since: datetime, until: datetime) -> Iterator[AuditEvent]:
    """Yield a community's events of a time, the oldest first, a few more than may be replayed.

    Events are found by key, which nearly goes by time: the record has no index by time.
    """
    first, last = _key_at(since - _DISORDER), _key_at(until + _DISORDER)
    rows = AuditEvent.objects.filter(
        pk__gte=first,
        pk__lte=last,
        community_id=community_id,
        happened_at__gte=since,
        happened_at__lt=until,
        kind__in={*EVENT_TYPES, *email.NOTICES},
    )
    return iter(rows.order_by("pk")[: MOST_REPLAYED + 1])


def _key_at(moment: datetime) -> int:
    """Return a key near the first event of a moment."""
    bounds = AuditEvent.objects.order_by("pk").values_list("pk", flat=True)
    low, high = bounds.first() or 0, bounds.last() or 0
    while low < high:
        middle = (low + high) // 2
        next_at = (
            AuditEvent.objects.filter(pk__gte=middle)
            .order_by("pk")
            .values_list("happened_at", flat=True)
            .first()
        )
        if next_at is not None and next_at < moment:
            low = middle + 1
        else:
            high = middle
    return low


# What may be wanted


def _fill_in(endpoint: Endpoint, wanted: SetUp) -> None:
    """Put what is wanted into an endpoint, without saving it. Raises `InvalidFields`."""
    endpoint.name = " ".join(wanted.name.split())
    endpoint.url = wanted.url.strip()
    endpoint.event_types = sorted(set(wanted.event_types))
    endpoint.options = {name: value for name, value in wanted.options.items() if value}
    if wanted.token is not None and endpoint.kind == EndpointKind.CDN:
        endpoint.secrets = {"token": wanted.token} if wanted.token else {}
    wrong = [*_wrong_name(endpoint), *_WRONG[EndpointKind(endpoint.kind)](endpoint)]
    if wrong:
        raise InvalidFields(wrong)


def _wrong_name(endpoint: Endpoint) -> Iterator[Wrong]:
    if not 0 < len(endpoint.name) <= 100:
        yield "name", "Give it a name of up to 100 characters."


def _wrong_webhook(endpoint: Endpoint) -> Iterator[Wrong]:
    yield from _wrong_types(endpoint, {*EVENT_TYPES, *groups()})
    if problem := _wrong_address(endpoint.url):
        yield "url", problem
    if endpoint.options:
        yield "options", "A webhook has no further settings."


def _wrong_email(endpoint: Endpoint) -> Iterator[Wrong]:
    yield from _wrong_types(endpoint, set(email.NOTICES))
    if endpoint.url or endpoint.options:
        yield "url", "Mail goes through the site's own mail server."


def _wrong_cdn(endpoint: Endpoint) -> Iterator[Wrong]:
    options = endpoint.options
    cache = cdn.CACHES.get(options.get("service", ""))
    if cache is None:
        yield "service", f"Choose one of: {', '.join(cdn.CACHES)}."
        return
    if (endpoint.url or not cache.default_url) and (problem := _wrong_address(endpoint.url)):
        yield "url", problem
    if options.get("by", cdn.BY_KEY) not in (cdn.BY_KEY, cdn.BY_URL):
        yield "by", "By key or by address."
    if cache.default_url and not options.get("zone", "").isalnum():
        yield "zone", f"This is what {cache.label} calls the service or zone."
    if cache.default_url and not endpoint.secrets.get("token"):
        yield "token", f"{cache.label} asks for a token."
    seconds = options.get("seconds", str(cdn.DEFAULT_SECONDS))
    if not seconds.isdecimal() or not 1 <= int(seconds) <= MOST_SECONDS:
        yield "seconds", f"From 1 to {MOST_SECONDS:,} seconds."
    if "site" in options and (problem := _wrong_site(options["site"])):
        yield "site", problem
    if unknown := options.keys() - {"service", "by", "zone", "seconds", "site"}:
        yield "options", f"There is no setting {min(unknown)!r}."


def _wrong_stream(endpoint: Endpoint) -> Iterator[Wrong]:
    yield from _wrong_types(endpoint, {*EVENT_TYPES, *groups()})
    log = streams.LOGS.get(endpoint.options.get("service", ""))
    if log is None:
        yield "service", f"Choose one of: {', '.join(streams.LOGS)}."
    elif not log.is_set_up():
        yield "service", f"{log.label}: the operator has not set this up here."
    if not streams.is_topic(endpoint.options.get("topic", "")):
        yield "topic", "Letters, digits, dots, dashes and underscores, up to 200 of them."
    if endpoint.url:
        yield "url", "Where the stream is kept is the operator's to say."
    if unknown := endpoint.options.keys() - {"service", "topic"}:
        yield "options", f"There is no setting {min(unknown)!r}."


def _wrong_types(endpoint: Endpoint, known: set[str]) -> Iterator[Wrong]:
    unknown = set(endpoint.event_types) - known
    if unknown:
        yield "event_types", f"There is no event {min(unknown)!r}."


def _wrong_address(url: str) -> str:
    """Return what is wrong with an address, "" for nothing. Where it leads is seen by a test."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "This is no address."
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= 500
    if not (parts.hostname and is_plain) or "@" in parts.netloc or parts.fragment:
        return "Give an address without a password or a fragment, of up to 500 characters."
    if is_allowed_host(parts.hostname, port):
        return ""
    if parts.scheme != "https" or port != 443:
        return "Give an address that begins with https://, at the usual port."
    return "" if _may_be_public(parts.hostname) else "This address cannot be reached from here."


def _wrong_site(url: str) -> str:
    """Return what is wrong with where readers find files, "" for nothing: it is not asked."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and url == f"{parts.scheme}://{parts.netloc}":
        return ""
    return "Give an address without a path, such as https://media.example.org."


def _may_be_public(host: str) -> bool:
    try:
        return is_public_address(str(ip_address(host)))
    except ValueError:
        return host != "localhost"


_WRONG = {
    EndpointKind.WEBHOOK: _wrong_webhook,
    EndpointKind.EMAIL: _wrong_email,
    EndpointKind.CDN: _wrong_cdn,
    EndpointKind.STREAM: _wrong_stream,
}


# Rows and the record


def _find(endpoint_id: int) -> Endpoint:
    return _existing(Endpoint.objects.all(), endpoint_id)


def _lock(endpoint_id: int) -> Endpoint:
    return _existing(Endpoint.objects.select_for_update(of=("self",), no_key=True), endpoint_id)


def _existing(rows: QuerySet[Endpoint], endpoint_id: int) -> Endpoint:
    endpoint = rows.select_related("community").filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound("There is no such endpoint.")
    return endpoint


def _must_be_active(endpoint: Endpoint) -> None:
    if not endpoint.active:
        raise Conflict("It is disabled: enable it first.")


def _facts(endpoint: Endpoint) -> dict[str, object]:
    """An address may hold a secret in its path, so the record names its host alone."""
    return {
        "endpoint": endpoint.pk,
        "kind": str(endpoint.kind),
        "name": endpoint.name,
        "host": urlsplit(endpoint.url).hostname or "",
        "event_types": list(endpoint.event_types),
    }


def _record(kind: str, endpoint: Endpoint, user: Changer, **facts: object) -> None:
    record_change(
        kind,
        subject=(notify.SUBJECT, str(endpoint.pk)),
        community_id=endpoint.community_id,
        user=user,
        facts={**_facts(endpoint), **facts},
    )
