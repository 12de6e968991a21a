"""Every address keeps to the access matrix, and no address is without a row in it."""

import pytest
from django.urls import URLPattern, get_resolver, reverse
from rest_framework.views import APIView

from moderation.models import Post
from moderation.vocabulary import Scope, Visibility
from tests.api.access_matrix import MATRIX, ROLES, ROWS
from tests.api.conftest import Api
from tests.factories import CommunityFactory, PostFactory, make_key, site_author


@pytest.fixture
def held_post(bo_user, community):
    author = site_author(bo_user, community)
    return PostFactory.create(author=author, visibility=Visibility.HELD, status="in_review")


SESSIONS = {"anonymous": "anonymous", "author": "bo", "stranger": "cy", "moderator": "ada"}


@pytest.fixture
def caller_in(request, community):
    """Make the caller of a role."""

    def make(role):
        if role in SESSIONS:
            return request.getfixturevalue(SESSIONS[role])
        owner = CommunityFactory.create(slug="orchard") if role == "foreign" else community
        return Api(make_key(owner, ["admin"] if role == "scopeless" else list(Scope.values))[1])

    return make


def _address(route, post):
    arguments = {
        "post": [post.pk],
        "post-status": [post.pk],
        "content-status": [post.pk],
        "nowhere": ["v1/nothing"],
    }
    return reverse(f"api:{route}", args=arguments.get(route))


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
    }.get(route, post)


@pytest.mark.parametrize(("route", "method", "role", "status"), ROWS)
def test_a_caller_gets_what_the_matrix_says(caller_in, held_post, route, method, role, status):
    address = _address(route, held_post)
    if (route, method) == ("posts", "GET") and role in ("key", "foreign"):
        address += f"?author={held_post.author.external_id}"
    answer = caller_in(role).send(method, address, _body(route, method, role))
    assert answer.status_code == status, answer.content


def test_a_key_of_another_tenant_lists_nothing_of_ours(caller_in, held_post):
    answer = caller_in("foreign").get(f"/api/v1/posts?author={held_post.author.external_id}")
    assert answer.json() == {"results": [], "next": None}


def _routes(patterns, prefix=""):
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield here, pattern
        else:
            yield from _routes(pattern.url_patterns, here)


def test_every_address_has_its_rows():
    found = {
        pattern.name: pattern.callback.cls
        for address, pattern in _routes(get_resolver().url_patterns)
        if address.startswith("api/")
    }
    assert set(found) == set(MATRIX)
    for name, view in found.items():
        assert issubclass(view, APIView)
        acts = {
            act for act in ("GET", "POST", "PUT", "PATCH", "DELETE") if hasattr(view, act.lower())
        }
        assert acts <= set(MATRIX[name]), name


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
