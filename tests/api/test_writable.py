"""Nobody writes what is not theirs to write: no act takes a field that is not recorded."""

import pytest

from moderation.api.views.documents import openapi_document
from moderation.models import ApiKey, Endpoint, Post
from tests.api.conftest import POSTS, Api, person
from tests.api.writable import NEVER, WRITABLE
from tests.factories import CommunityFactory, make_key


def _shapes():
    """Return every shape of a request, those inside others too."""
    document = openapi_document()
    found = {}
    for acts in document["paths"].values():
        for act in acts.values():
            for body in act.get("requestBody", {}).get("content", {}).values():
                _look_into(body["schema"], document["components"]["schemas"], found)
    return found


def _look_into(schema, shapes, found):
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in found and "properties" in shapes[name]:
        found[name] = set(shapes[name]["properties"])
        for inner in shapes[name]["properties"].values():
            _look_into(inner, shapes, found)
    several = [one for how in ("anyOf", "oneOf", "allOf") for one in schema.get(how, ())]
    for inner in [*several, *([schema["items"]] if "items" in schema else [])]:
        _look_into(inner, shapes, found)


def test_every_writable_field_is_recorded():
    assert _shapes() == WRITABLE


@pytest.mark.parametrize("shape", WRITABLE)
def test_no_shape_takes_what_only_gatehouse_sets(shape):
    assert not WRITABLE[shape] & NEVER


def _fields_of(row):
    row.refresh_from_db()
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


# As a greedy client would send them: by the names of our own columns.
GREEDY = {
    "id": "018bcfe5-6800-7000-8000-000000000000",
    "pk": 7,
    "status": "approved",
    "visibility": "public",
    "revision": 9,
    "content_hash": "0",
    "author_id": 7,
    "community_id": 7,
    "created_at": "2020-01-01T00:00:00Z",
    "decided_at": "2020-01-01T00:00:00Z",
    "deleted_at": "2020-01-01T00:00:00Z",
    "shown_before_verdict": True,
    "standing": "trusted",
    "key_id": "mine00000000",
    "secret_digest": "0" * 64,
    "revoked_at": None,
    "organisation": "garden",
    "organisation_id": 7,
    "secrets": {"current": "whsec_AAAA"},
    "secret": "whsec_AAAA",
    "active": False,
    "disabled_because": "gone",
    "kind": "email",
}


def test_greedy_requests_change_nothing_but_what_they_may(community):
    CommunityFactory.create(slug="orchard")
    caller = Api(make_key(community, ["submit", "read", "admin"])[1])
    plain = caller.send("POST", POSTS, person()).json()["id"]
    made = caller.send("POST", POSTS, {**GREEDY, **person()})
    greedy = Post.objects.get(pk=made.json()["id"])
    kept = {"id", "content_hash", "created_at", "body", "author_id"}
    wanted = _fields_of(Post.objects.get(pk=plain))
    assert {name: value for name, value in _fields_of(greedy).items() if name not in kept} == {
        name: value for name, value in wanted.items() if name not in kept
    }
    before = _fields_of(greedy)
    assert caller.send("PATCH", made["Location"], GREEDY).status_code == 200
    assert _fields_of(greedy) == before
    key = caller.send("POST", "/api/v1/keys", {**GREEDY, "scopes": ["read"]}).json()
    row = ApiKey.objects.get(key_id=key["id"])
    assert (row.community_id, row.organisation_id) == (community.pk, None)
    assert key["id"] != GREEDY["key_id"]
    assert row.secret_digest != GREEDY["secret_digest"]
    wanted = {"name": "Ours", "url": "https://example.org/"}
    hook = caller.send("POST", "/api/v1/webhooks", {**GREEDY, **wanted}).json()
    endpoint = Endpoint.objects.get(pk=hook["id"])
    before = _fields_of(endpoint)
    assert (endpoint.kind, endpoint.active, hook["secret"]) != ("email", False, GREEDY["secret"])
    assert endpoint.secrets == {"current": hook["secret"]}
    assert endpoint.community_id == community.pk
    assert caller.send("PATCH", f"/api/v1/webhooks/{hook['id']}", GREEDY).status_code == 200
    assert _fields_of(endpoint) == before
