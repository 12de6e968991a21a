"""Bodies that mean harm: too large, too deep, with what no database stores. Each is a clear 4xx."""

import json
import re

import pytest

from moderation.api.errors import CONTENT_TYPE
from moderation.api.openapi.examples import example_of
from moderation.api.views.documents import openapi_document
from tests.api.access_matrix import DIALECT_BODIES
from tests.api.conftest import Api
from tests.factories import PostFactory, make_key

MEGABYTES = 1024 * 1024
LARGE = b'{"text": "' + b"a" * (10 * MEGABYTES) + b'"}'
DEEP = b'{"text": ' + b"[" * 1_000 + b"]" * 1_000 + b"}"
DEEPER = b"[" * 200_000 + b"]" * 200_000


def _acts():
    document = openapi_document()
    for path, acts in document["paths"].items():
        for method, act in acts.items():
            content = act.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                body = content.get("example") or example_of(
                    content["schema"], document["components"]
                )
                yield pytest.param(path, method.upper(), body, id=act["operationId"])


ACTS = list(_acts())
ADDRESSES = [
    (path, method.upper())
    for path, acts in openapi_document()["paths"].items()
    for method in acts
    if "{" in path
]


@pytest.fixture
def caller(community):
    return Api(make_key(community, ["submit", "read", "check", "admin"])[1])


@pytest.fixture
def address(community):
    post = PostFactory.create(author__community=community)

    def fill(path):
        path = path.replace("{slug}", "garden")
        return re.sub(r"\{\w+\}", str(post.pk), path)

    return fill


def is_clear(answer, path):
    assert 400 <= answer.status_code < 500, answer.content
    if "/content/" not in path:
        assert answer["Content-Type"] == CONTENT_TYPE
        assert answer.json()["detail"]
    return True


@pytest.mark.parametrize(("path", "method", "body"), ACTS)
def test_what_is_too_large_or_too_deep_is_told_so(caller, address, path, method, body):
    large = caller.send(method, address(path), LARGE)
    # Where there is no such thing, nobody reads what should be done to it.
    if "/content/" not in path and large.status_code != 404:
        assert large.status_code == 413
        assert large.json()["code"] == "too_large"
    for raw in (LARGE, DEEP, DEEPER, b"\xff\xfe{", b'{"text": NaN}'):
        assert is_clear(caller.send(method, address(path), raw), path)


def _spoilt(body, bad):
    """Return copies of a body, each with one of its texts spoilt."""
    if isinstance(body, str):
        yield body + bad
    elif isinstance(body, dict):
        for name, value in body.items():
            for one in _spoilt(value, bad):
                yield {**body, name: one}
    elif isinstance(body, list):
        for number, value in enumerate(body):
            for one in _spoilt(value, bad):
                yield [*body[:number], one, *body[number + 1 :]]


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\udfff\ud800"])
@pytest.mark.parametrize(("path", "method", "body"), ACTS)
def test_what_no_database_stores_is_refused_wherever_it_stands(
    caller, address, path, method, body, bad
):
    for spoilt in _spoilt(body, bad):
        answer = caller.send(method, address(path), json.dumps(spoilt).encode())
        assert is_clear(answer, path), spoilt


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
@pytest.mark.parametrize(("path", "method"), ADDRESSES)
def test_nothing_in_an_address_breaks_it(caller, path, method, bad):
    filled = re.sub(r"\{\w+\}", "%00" if bad == "\x00" else "%ED%A0%80", path)
    assert 400 <= caller.send(method, filled, {}).status_code < 500


@pytest.mark.parametrize(
    "route", [name for name in DIALECT_BODIES if name.split(":")[1] in ("openai", "moderate")]
)
@pytest.mark.parametrize("raw", [LARGE, DEEP, DEEPER])
def test_dialects_refuse_them_in_their_own_words(community, route, raw):
    caller = Api(make_key(community, ["check"])[1])
    address = {"openai": "/v1/moderations", "moderate": "/moderate"}[route.split(":")[1]]
    assert 400 <= caller.send("POST", address, raw).status_code < 500
