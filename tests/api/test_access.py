"""Every address keeps to the access matrix, and no address is without a row in it."""

import json

import pytest
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse
from django.utils.http import urlencode
from rest_framework.views import APIView

from moderation.api.dialects.coral import sign
from moderation.credentials import find_key
from moderation.models import ApiKey, Post
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.vocabulary import Scope, Visibility
from tests.api.access_matrix import (
    DIALECT_BODIES,
    KEY_PLACES,
    MATRIX,
    PAGES,
    PAGES_NAMESPACE,
    ROLES,
    ROWS,
)
from tests.api.conftest import Api
from tests.factories import CommunityFactory, PostFactory, make_key, site_author


@pytest.fixture
def held_post(bo_user, community):
    author = site_author(bo_user, community)
    return PostFactory.create(author=author, visibility=Visibility.HELD, status="in_review")


# The id of a key that nobody here calls with.
GARDENS_KEY = "gardenskey01"


@pytest.fixture(autouse=True)
def _key_of_the_garden(community):
    ApiKey.objects.create(key_id=GARDENS_KEY, community=community, scopes=["read"])


SESSIONS = {"anonymous": "anonymous", "author": "bo", "stranger": "cy", "moderator": "ada"}


@pytest.fixture
def caller_in(request, community):
    """Make the caller of a role, and a key of theirs, "" for none."""

    def make(role):
        if role in SESSIONS:
            return request.getfixturevalue(SESSIONS[role]), ""
        owner = CommunityFactory.create(slug="orchard") if role == "foreign" else community
        return Api(), make_key(owner, ["admin"] if role == "scopeless" else list(Scope.values))[1]

    return make


def _address(route, post):
    arguments = {
        "post": [post.pk],
        "post-status": [post.pk],
        "post-decisions": [post.pk],
        "policies": ["garden"],
        "policy-activate": ["garden", "1"],
        "key": [GARDENS_KEY],
        "key-rotate": [GARDENS_KEY],
        "content-status": [post.pk],
        "nowhere": ["v1/nothing"],
        "problem": ["not_found"],
        "dialects:coral": ["garden"],
        "callback": ["openai"],
        "callback-token": ["openai", "guessed"],
    }
    try:
        return reverse(f"api:{route}", args=arguments.get(route))
    except NoReverseMatch:
        return reverse(route, args=arguments.get(route))


def _body(route, method, role):
    if method in ("GET", "DELETE"):
        return None
    community = {} if role in ("key", "scopeless", "foreign") else {"community": "garden"}
    post = {"author": {"id": "p1"}, "text": "The tomatoes are finally ripe.", **community}
    return {
        "posts-bulk": {"posts": [post]},
        "content-submit": {"text": "Ripe.", "userId": "p1"},
        "check": {"text": "The tomatoes are finally ripe.", **community},
        "hint": {"text": "The tomatoes are finally ripe.", **community},
        "post": {"body": "The tomatoes are ripe at last."},
        "policies": {"document": DEFAULT_DOCUMENT},
        "keys": {"scopes": ["read"], "community": "garden"},
        **DIALECT_BODIES,
    }.get(route, post)


def _send(caller, key, method, address, body, place):
    """Send a key where it belongs: in the address, a form, or a header."""
    where, name = place
    if key and where == "address":
        mark = "&" if "?" in address else "?"
        return caller.send(method, f"{address}{mark}{urlencode({name: key})}", body)
    if where == "form":
        form = urlencode({**(body or {}), **({name: key} if key else {})}).encode()
        return caller.send(method, address, form, content_type="application/x-www-form-urlencoded")
    if not key:
        return caller.send(method, address, body)
    if where == "signature":
        raw = json.dumps(body).encode()
        return caller.send(method, address, raw, **{name: f"sha256={sign(raw, key).decode()}"})
    sent = f"Bearer {key}" if name == "authorization" else key
    organisation = find_key(key).owner.organisation
    return caller.send(method, address, body, **{name: sent, "x-client-id": organisation.client_id})


@pytest.mark.parametrize(("route", "method", "role", "status"), ROWS)
def test_a_caller_gets_what_the_matrix_says(
    caller_in, held_post, limits, route, method, role, status
):
    address = _address(route, held_post)
    caller, key = caller_in(role)
    if key:
        limits(coral_secrets=frozenset({f"{find_key(key).owner.slug}:{key}"}))
    place = KEY_PLACES.get(route, ("header", "authorization"))
    answer = _send(caller, key, method, address, _body(route, method, role), place)
    assert answer.status_code == status, answer.content


def test_a_key_of_another_tenant_lists_nothing_of_ours(held_post):
    stranger = Api(make_key(CommunityFactory.create(slug="orchard"), ["read"])[1])
    for query in ("", f"?author={held_post.author.external_id}"):
        answer = stranger.get(f"/api/v1/posts{query}")
        assert answer.json() == {"results": [], "next": None}


def _routes(patterns, prefix="", namespace=""):
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield here, namespace, pattern
        else:
            inside = pattern.namespace or namespace
            yield from _routes(pattern.url_patterns, here, inside)


def _views():
    """Return the view of every address that is no page, by its name in the matrix."""
    return {
        pattern.name if namespace in ("", "api") else f"{namespace}:{pattern.name}": pattern
        for address, namespace, pattern in _routes(get_resolver().url_patterns)
        if namespace != PAGES_NAMESPACE and not address.startswith(PAGES)
    }


def test_every_address_has_its_rows():
    found = _views()
    assert set(found) == set(MATRIX)
    for name, pattern in found.items():
        view = getattr(pattern.callback, "cls", None)
        assert view is None or issubclass(view, APIView)
        acts = {
            act
            for act in ("GET", "POST", "PUT", "PATCH", "DELETE")
            if view is not None and hasattr(view, act.lower())
        }
        assert acts <= set(MATRIX[name]), name
        assert {"GET", "POST"} & set(MATRIX[name]), name


def test_every_row_speaks_of_every_role():
    assert all(len(row) == len(ROLES) for rows in MATRIX.values() for row in rows.values())


def test_a_site_user_does_not_read_what_a_clients_community_published(bo):
    post = PostFactory.create(author__community__slug="a-clients-own")
    for address in (f"/api/v1/posts/{post.pk}", f"/api/v1/posts/{post.pk}/status"):
        assert bo.get(address).status_code == 404


def test_a_site_user_cannot_write_into_a_clients_community(bo):
    closed = CommunityFactory.create(slug="a-clients-own")
    answer = bo.post(
        "/api/v1/posts",
        {"text": "Hello", "community": closed.slug},
        content_type="application/json",
    )
    assert answer.status_code == 404
    assert not Post.objects.exists()
