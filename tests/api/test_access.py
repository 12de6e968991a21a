"""Every address keeps to the access matrix, and no address is without a row in it."""

import json

import pytest
from django.db import transaction
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse
from django.utils.http import urlencode
from rest_framework.views import APIView

from moderation import queries
from moderation.api.dialects.coral import sign
from moderation.api.limits import forget_tokens
from moderation.credentials import find_key, forget_keys
from moderation.models import ApiKey, Endpoint, OutboxMessage, Post, Report
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.roles import LEAD, MODERATOR
from moderation.vocabulary import Scope, Visibility
from tests.api.access_matrix import (
    DIALECT_BODIES,
    KEY_PLACES,
    MATRIX,
    PAGES,
    PAGES_NAMESPACE,
    RECORD,
    ROLES,
    column,
    table,
)
from tests.api.conftest import Api, logged_in
from tests.factories import (
    CommunityFactory,
    PostFactory,
    UserFactory,
    make_key,
    member_of,
    site_author,
)
from tests.restrictions import make_appeal


@pytest.fixture
def held_post(bo_user, community):
    author = site_author(bo_user, community)
    return PostFactory.create(author=author, visibility=Visibility.HELD, status="in_review")


# The id of a key that nobody here calls with.
GARDENS_KEY = "gardenskey01"


@pytest.fixture(autouse=True)
def _key_of_the_garden(community):
    ApiKey.objects.create(key_id=GARDENS_KEY, community=community, scopes=["read"])


# Of a webhook, and of a message that it was sent.
GARDENS_WEBHOOK = 7
GARDENS_MESSAGE = "msg_1"


@pytest.fixture(autouse=True)
def _webhook_of_the_garden(community):
    webhook = Endpoint(pk=GARDENS_WEBHOOK, community=community, name="Ours", secrets={})
    webhook.url = "https://example.org/hook"
    webhook.save(force_insert=True)
    OutboxMessage.objects.create(
        endpoint=webhook, message_id=GARDENS_MESSAGE, event_type="post.approved"
    )


CYS_REPORT = "R-CYS0-REPO-RT00-0001"


@pytest.fixture(autouse=True)
def _report_of_cys(cy, community):
    reporter = site_author(cy.user, community)
    post = PostFactory.create(author__community=community)
    Report.objects.create(
        number=CYS_REPORT,
        community=community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        reporter=reporter,
        source="reader",
        category="spam",
    )


BOS_APPEAL = "b05appea1"


@pytest.fixture
def _bos_appeal(held_post):
    make_appeal(held_post, number=BOS_APPEAL)


@pytest.fixture
def caller_in(request, community):
    """Make the caller of a role, and a key of theirs, "" for none."""
    orchard = CommunityFactory.create(slug="orchard")

    def make(role):
        name = role.rstrip("*")
        home = orchard if name != role else community
        if name.startswith("key"):
            scopes = [name.partition(":")[2]] if ":" in name else list(Scope.values)
            return Api(), make_key(home, scopes)[1]
        return (_of_the_orchard if home is orchard else _of_the_garden)(name), ""

    def _of_the_garden(name):
        if name == "lead":
            return logged_in(member_of(community, LEAD))
        named = {"author": "bo", "stranger": "cy", "moderator": "ada"}
        return request.getfixturevalue(named.get(name, name))

    def _of_the_orchard(name):
        if name == "author":
            user = UserFactory.create(username="di")
            PostFactory.create(author=site_author(user, orchard))
            return logged_in(user)
        return logged_in(member_of(orchard, {"moderator": MODERATOR, "lead": LEAD}[name]))

    return make


def _address(route, post):
    arguments = {
        "post": [post.pk],
        "post-status": [post.pk],
        "post-decisions": [post.pk],
        "post-statements": [post.pk],
        "post-reports": [post.pk],
        "report": [CYS_REPORT],
        "post-appeals": [post.pk],
        "appeal": [BOS_APPEAL],
        "appeal-messages": [BOS_APPEAL],
        "appeal-withdraw": [BOS_APPEAL],
        "policies": ["garden"],
        "policy-activate": ["garden", "1"],
        "key": [GARDENS_KEY],
        "key-rotate": [GARDENS_KEY],
        **{name: [GARDENS_WEBHOOK] for name in MATRIX if name.startswith("webhook-")},
        "webhook": [GARDENS_WEBHOOK],
        "deliveries": [GARDENS_WEBHOOK],
        "delivery": [GARDENS_WEBHOOK, GARDENS_MESSAGE],
        "delivery-replay": [GARDENS_WEBHOOK, GARDENS_MESSAGE],
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
    community = {} if role.startswith("key") else {"community": "garden"}
    post = {"author": {"id": "p1"}, "text": "The tomatoes are finally ripe.", **community}
    return {
        "posts-bulk": {"posts": [post]},
        "content-submit": {"text": "Ripe.", "userId": "p1"},
        "check": {"text": "The tomatoes are finally ripe.", **community},
        "hint": {"text": "The tomatoes are finally ripe.", **community},
        "post": {"body": "The tomatoes are ripe at last."},
        "policies": {"document": DEFAULT_DOCUMENT},
        "post-appeals": {"text": "It is a line from a play."},
        "post-reports": {"reporter": {"id": "p1"}, "category": "spam"},
        "keys": {"scopes": ["read"], "community": "garden"},
        "webhooks": {"name": "Ours", "url": "https://example.org/hook", "community": "garden"},
        "webhook": {"name": "Theirs"},
        "webhook-replay": {"since": "2026-03-01T09:00:00Z", "until": "2026-03-01T10:00:00Z"},
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


def _status(caller, key, route, method, role, post):
    """Ask, undo what that did, and return how it was answered."""
    place = KEY_PLACES.get(route, ("header", "authorization"))
    with transaction.atomic():
        body = _body(route, method, role)
        answer = _send(caller, key, method, _address(route, post), body, place)
        transaction.set_rollback(True)
    forget_tokens()
    forget_keys()
    queries.forget_everything()
    return answer.status_code


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("_bos_appeal")
@pytest.mark.parametrize("role", ROLES)
def test_a_caller_gets_what_the_matrix_says(caller_in, held_post, limits, role):
    caller, key = caller_in(role)
    if key:
        limits(coral_secrets=frozenset({f"{find_key(key).owner.slug}:{key}"}))
    expected = column(role)
    found = {asked: _status(caller, key, *asked, role, held_post) for asked in expected}
    different = {
        asked: f"{status}, recorded {expected[asked]}"
        for asked, status in found.items()
        if status != expected[asked]
    }
    assert different == {}


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


def test_the_recorded_table_is_this_one():
    assert RECORD.read_text() == table(), "python -m tests.api.access_matrix"


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
    assert not Post.objects.filter(community=closed).exists()
