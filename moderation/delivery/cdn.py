"""Caches in front of media: what they may keep, and how each is told to forget it.

A file is known to them by its address and by the key of its post, so that one call forgets all
that a post ever showed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from urllib.parse import urlsplit

from django.urls import reverse

from moderation.conf import get_conf
from moderation.delivery.handover import TIMEOUT, Handover, hand_over
from moderation.delivery.listeners import listeners_of
from moderation.models import AuditEvent, Endpoint, MediaItem, OutboxMessage
from moderation.vocabulary import EndpointKind, Visibility

# Longer than an answer takes that was begun before a post was hidden.
REPEAT_SECONDS: Final = 15.0
# Keys or addresses in one call: what Cloudflare takes.
MOST_IN_A_CALL: Final = 30
DEFAULT_SECONDS: Final = 60
NO_MEDIA: Final = "no_media"
BY_KEY, BY_URL = "key", "url"


@dataclass(frozen=True, slots=True)
class Purge:
    """What a cache is to forget: the keys of posts, and the addresses of all that they showed."""

    keys: tuple[str, ...]
    urls: tuple[str, ...]


class Cache(Protocol):
    """How one kind of cache is spoken to. `headers` go out with what it may keep."""

    label: str
    default_url: str

    def headers(self, key: str, seconds: int) -> dict[str, str]: ...

    def purge(self, endpoint: Endpoint, purge: Purge) -> Handover: ...


class Fastly:
    label = "Fastly"
    default_url = "https://api.fastly.com"

    def headers(self, key: str, seconds: int) -> dict[str, str]:
        return {"Surrogate-Control": f"max-age={seconds}", "Surrogate-Key": key}

    def purge(self, endpoint: Endpoint, purge: Purge) -> Handover:
        base = _base(endpoint, self)
        if _by(endpoint) == BY_URL:
            bare = (_without_scheme(url) for url in purge.urls)
            return _each(_call(endpoint, f"{base}/purge/{one}", self._proof) for one in bare)
        url = f"{base}/service/{endpoint.options.get('zone', '')}/purge"
        return _call(endpoint, url, self._proof, {"surrogate_keys": list(purge.keys)})()

    @staticmethod
    def _proof(token: str) -> dict[str, str]:
        return {"Fastly-Key": token}


class Cloudflare:
    label = "Cloudflare"
    default_url = "https://api.cloudflare.com"

    def headers(self, key: str, seconds: int) -> dict[str, str]:
        return {"Cloudflare-CDN-Cache-Control": f"max-age={seconds}", "Cache-Tag": key}

    def purge(self, endpoint: Endpoint, purge: Purge) -> Handover:
        zone = endpoint.options.get("zone", "")
        url = f"{_base(endpoint, self)}/client/v4/zones/{zone}/purge_cache"
        name, all_of_them = (
            ("files", purge.urls) if _by(endpoint) == BY_URL else ("tags", purge.keys)
        )
        parts = (
            list(all_of_them[start : start + MOST_IN_A_CALL])
            for start in range(0, len(all_of_them), MOST_IN_A_CALL)
        )
        return _each(_call(endpoint, url, self._proof, {name: part}) for part in parts)

    @staticmethod
    def _proof(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}


class Varnish:
    """Varnish with its xkey module, or whatever answers the method PURGE."""

    label = "Varnish"
    default_url = ""

    def headers(self, key: str, seconds: int) -> dict[str, str]:
        return {"Surrogate-Control": f"max-age={seconds}", "xkey": key}

    def purge(self, endpoint: Endpoint, purge: Purge) -> Handover:
        base = _base(endpoint, self)
        if _by(endpoint) == BY_KEY:
            return self._call(endpoint, f"{base}/", {"xkey": " ".join(purge.keys)})()
        paths = ((urlsplit(url).netloc, urlsplit(url).path) for url in purge.urls)
        return _each(self._call(endpoint, base + path, {"Host": host}) for host, path in paths)

    @staticmethod
    def _call(endpoint: Endpoint, url: str, headers: dict[str, str]) -> Callable[[], Handover]:
        token = endpoint.secrets.get("token", "")
        proof = {"Authorization": f"Bearer {token}"} if token else {}
        return lambda: hand_over("PURGE", url, headers={**headers, **proof}, hidden=proof)


CACHES: Final[dict[str, Cache]] = {
    "fastly": Fastly(),
    "cloudflare": Cloudflare(),
    "varnish": Varnish(),
}


def hides(event: AuditEvent) -> bool:
    """Whether something that readers could see may be out of their sight now."""
    if event.subject_kind != "post" or event.kind == "post.submitted":
        return False
    # An edit may have taken an attachment away from a post that stays.
    visibility = event.facts.get("visibility", Visibility.PUBLIC)
    return event.kind == "post.edited" or visibility != Visibility.PUBLIC


def cache_headers(item: MediaItem) -> dict[str, str]:
    """Return what lets a community's caches keep a file that everybody may see; {} without one.

    One that cannot be told to forget may keep nothing.
    """
    found: dict[str, str] = {}
    for listener in listeners_of(item.community_id):
        if listener.kind is EndpointKind.CDN and not listener.fails:
            seconds = int(listener.options.get("seconds") or DEFAULT_SECONDS)
            cache = CACHES[listener.options["service"]]
            found |= cache.headers(_key(item.post_id), seconds)
    return found


def at_once(endpoint: Endpoint) -> int:
    """Return of how many posts a cache is told together."""
    return MOST_IN_A_CALL if _by(endpoint) == BY_KEY else 1


def prepare(endpoint: Endpoint, messages: Sequence[OutboxMessage]) -> Callable[[], Handover]:
    """Return what makes a cache forget the media of the posts that messages are about."""
    posts = list(dict.fromkeys(one.event.subject_id for one in messages if one.event is not None))
    shown = list(MediaItem.objects.filter(post_id__in=posts).values_list("post_id", "pk"))
    site = endpoint.options.get("site") or get_conf().public_url
    purge = Purge(
        keys=tuple(dict.fromkeys(_key(post_id) for post_id, _ in shown)),
        urls=tuple(site + reverse("media", args=[pk]) for _, pk in shown),
    )
    if not purge.keys:
        return lambda: Handover.nothing(NO_MEDIA)
    cache = CACHES[endpoint.options["service"]]
    return lambda: cache.purge(endpoint, purge)


def _key(post_id: object) -> str:
    return f"post-{post_id}"


def _base(endpoint: Endpoint, cache: Cache) -> str:
    return (endpoint.url or cache.default_url).rstrip("/")


def _by(endpoint: Endpoint) -> str:
    return str(endpoint.options.get("by") or BY_KEY)


def _without_scheme(url: str) -> str:
    return url.partition("://")[2]


def _call(
    endpoint: Endpoint,
    url: str,
    proof: Callable[[str], dict[str, str]],
    body: dict[str, object] | None = None,
) -> Callable[[], Handover]:
    headers = proof(endpoint.secrets.get("token", ""))
    content = b"" if body is None else json.dumps(body).encode()
    said = {"Content-Type": "application/json"} if content else {}
    return lambda: hand_over(
        "POST", url, headers={**headers, **said}, content=content, hidden=headers
    )


def _each(calls: Iterable[Callable[[], Handover]]) -> Handover:
    """Make calls one after the other, up to the first that fails; what went well is repeated.

    All of them share the time that one may take.
    """
    began = time.monotonic()
    last = Handover(delivered=True)
    for call in calls:
        if time.monotonic() - began > get_conf().delivery_timeout_seconds:
            last = replace(last, delivered=False, error=TIMEOUT)
            break
        last = call()
        if not last.delivered:
            break
    return replace(last, latency_ms=(time.monotonic() - began) * 1000)
