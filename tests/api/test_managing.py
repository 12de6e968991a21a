"""Programs with the right to manage: communities, policies, keys, and what was used."""

from datetime import UTC, datetime, timedelta

import pytest

from moderation import credentials
from moderation.models import ApiKey, AuditEvent, Organisation, PolicyRevision
from moderation.policy.document import DEFAULT_DOCUMENT
from tests.api.conftest import POSTS, Api, person
from tests.api.test_documents import DOCUMENT, conforms
from tests.api.test_posts import code_of, fields_of
from tests.factories import CommunityFactory, make_key

COMMUNITIES = "/api/v1/communities"
POLICIES = f"{COMMUNITIES}/garden/policies"
KEYS = "/api/v1/keys"
USAGE = "/api/v1/usage"
MANAGING = [COMMUNITIES, POLICIES, KEYS]


@pytest.fixture
def managing(community):
    return Api(make_key(community, ["admin"])[1])


@pytest.fixture
def orchard(db):
    return CommunityFactory.create(slug="orchard")


@pytest.fixture
def of_all(community):
    """An organisation's key, for the garden and its sister."""
    CommunityFactory.create(slug="sister", organisation=community.organisation)
    return Api(make_key(community.organisation, ["admin", "read"])[1])


@pytest.fixture
def document(anonymous):
    return anonymous.get(DOCUMENT).json()


@pytest.mark.parametrize("address", MANAGING)
def test_it_needs_the_scope(keyed, address):
    assert code_of(keyed.get(address)) == "not_allowed"
    assert code_of(keyed.send("POST", address, {})) in ("not_allowed", "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", f"{POLICIES}/1/activate"),
        ("DELETE", f"{KEYS}/anything"),
        ("POST", f"{KEYS}/anything/rotate"),
        ("POST", KEYS),
        ("POST", POLICIES),
    ],
)
def test_changing_needs_it_too(keyed, method, address):
    assert code_of(keyed.send(method, address, {})) == "not_allowed"
    assert PolicyRevision.objects.count() == 1


# Communities and policies


def test_a_key_lists_the_communities_that_it_opens(managing, of_all, orchard, document):
    answer = managing.get(COMMUNITIES)
    conforms(document, answer, "list_communities")
    [garden] = answer.json()["results"]
    assert (garden["slug"], garden["policy"]) == ("garden", {"revision": 1})
    both = of_all.get(COMMUNITIES).json()
    assert [one["slug"] for one in both["results"]] == ["garden", "sister"]


def test_lists_come_page_by_page(of_all):
    first = of_all.get(f"{COMMUNITIES}?limit=1").json()
    second = of_all.get(first["next"]).json()
    slugs = [page["results"][0]["slug"] for page in (first, second)]
    assert (slugs, second["next"]) == (["garden", "sister"], None)


@pytest.mark.parametrize("address", MANAGING)
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=a%00b"])
def test_a_page_that_makes_no_sense_is_refused(managing, address, query):
    assert fields_of(managing.get(f"{address}?{query}")) == [query.partition("=")[0]]


@pytest.mark.parametrize("address", [POLICIES, KEYS])
def test_a_cursor_that_was_not_given_is_refused(managing, address):
    for cursor in ("x", "\u00b2", "9" * 30):
        assert fields_of(managing.get(f"{address}?cursor={cursor}")) == ["cursor"]


def test_a_policy_is_stored_then_activated_then_taken_back(managing, community, document):
    stricter = {
        **DEFAULT_DOCUMENT,
        "thresholds": {"default": {"warn": 0.1, "review": 0.2, "block": 0.3}},
    }
    stored = managing.send("POST", POLICIES, {"document": stricter, "note": "Stricter."})
    assert stored.status_code == 201, stored.content
    conforms(document, stored, "revise_policy")
    body = stored.json()
    assert (body["revision"], body["active"], body["note"]) == (2, False, "Stricter.")
    assert body["document"] == stricter
    active = managing.send("POST", f"{POLICIES}/2/activate")
    conforms(document, active, "activate_policy")
    community.refresh_from_db()
    assert (active.json()["active"], community.policy.number) == (True, 2)
    assert managing.send("POST", f"{POLICIES}/1/activate").status_code == 200
    listed = managing.get(POLICIES)
    conforms(document, listed, "list_policies")
    assert [(one["revision"], one["active"]) for one in listed.json()["results"]] == [
        (2, False),
        (1, True),
    ]
    first = managing.get(f"{POLICIES}?limit=1").json()
    assert managing.get(first["next"]).json()["results"][0]["revision"] == 1


def test_the_record_names_the_key_that_changed_a_policy(managing, community):
    managing.send("POST", POLICIES, {"document": DEFAULT_DOCUMENT})
    managing.send("POST", f"{POLICIES}/2/activate")
    key = ApiKey.objects.get()
    events = AuditEvent.objects.filter(subject_kind="policy").order_by("pk")
    assert [(event.kind, event.actor_kind, event.actor_id) for event in events] == [
        ("policy.revised", "api_key", key.key_id),
        ("policy.activated", "api_key", key.key_id),
    ]
    assert PolicyRevision.objects.get(number=2).author is None


def test_activating_twice_is_recorded_once(managing):
    managing.send("POST", POLICIES, {"document": DEFAULT_DOCUMENT})
    for _ in range(2):
        assert managing.send("POST", f"{POLICIES}/2/activate").status_code == 200
    assert AuditEvent.objects.filter(kind="policy.activated").count() == 1


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {**DEFAULT_DOCUMENT, "thresholds": {"default": {"block": 2}}},
        {**DEFAULT_DOCUMENT, "thresholds": {"default": {"block": "high"}}},
        {**DEFAULT_DOCUMENT, "nobody": "knows"},
        {**DEFAULT_DOCUMENT, "nobody": "a\x00b"},
        {**DEFAULT_DOCUMENT, "nobody": "\ud800"},
        {**DEFAULT_DOCUMENT, "nobody": "x" * 70_000},
        {**DEFAULT_DOCUMENT, "route": {"text": ["no_such_provider"]}},
    ],
)
def test_a_document_that_is_no_policy_is_refused(managing, document):
    answer = managing.send("POST", POLICIES, {"document": document})
    assert answer.status_code == 400
    assert set(fields_of(answer)) == {"document"}
    assert len(answer.content) < 2_000
    assert PolicyRevision.objects.count() == 1


def test_endless_numbers_and_endless_nests_are_refused(managing):
    for raw in (
        b'{"document": {"thresholds": {"default": {"block": 1e999}}}}',
        b'{"document": ' + b"[" * 9_000,
    ):
        assert managing.send("POST", POLICIES, raw).status_code == 400
    assert PolicyRevision.objects.count() == 1


@pytest.mark.parametrize("number", ["0", "9", "-1", "x", "9" * 40, "%00", "\u00b2", "1.0"])
def test_a_policy_that_does_not_exist_is_not_activated(managing, number):
    assert code_of(managing.send("POST", f"{POLICIES}/{number}/activate")) == "not_found"


@pytest.mark.parametrize("slug", ["orchard", "nothing", "%00", "x" * 500])
def test_communities_that_the_key_does_not_open_do_not_exist(managing, of_all, orchard, slug):
    for client in (managing, of_all):
        address = f"{COMMUNITIES}/{slug}/policies"
        assert code_of(client.get(address)) == "not_found"
        sent = client.send("POST", address, {"document": DEFAULT_DOCUMENT})
        assert code_of(sent) == "not_found"
        assert code_of(client.send("POST", f"{address}/1/activate")) == "not_found"
    assert orchard.policy_revisions.count() == 1


# Keys


def test_a_key_that_was_made_works_and_its_text_is_told_once(managing, document):
    made = managing.send("POST", KEYS, {"scopes": ["submit", "read"], "name": "Shop"})
    assert made.status_code == 201, made.content
    conforms(document, made, "issue_key")
    assert made["Cache-Control"] == "no-store"
    body = made.json()
    assert (body["community"], body["scopes"]) == ("garden", ["read", "submit"])
    assert Api(body["key"]).send("POST", POSTS, person()).status_code == 202
    listed = managing.get(KEYS)
    conforms(document, listed, "list_keys")
    assert listed.json()["results"][0]["id"] == body["id"]
    assert body["key"] not in listed.content.decode()
    assert not {"key", "secret_digest"} & set(listed.json()["results"][0])


def test_a_key_can_end_by_itself(managing):
    ends = datetime.now(UTC) + timedelta(days=1)
    made = managing.send("POST", KEYS, {"scopes": ["read"], "expires_at": ends.isoformat()})
    assert ApiKey.objects.get(key_id=made.json()["id"]).expires_at == ends


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": [["read"]]}, "scopes"),
        ({"scopes": ["read"] * 50}, "scopes"),
        ({"scopes": ["read"], "name": "x" * 101}, "name"),
        ({"scopes": ["read"], "name": "a\x00b"}, "name"),
        ({"scopes": ["read"], "expires_at": "soon"}, "expires_at"),
        ({"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"scopes": ["read"], "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ([], "scopes"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(managing, body, field):
    assert field in fields_of(managing.send("POST", KEYS, body))
    assert ApiKey.objects.count() == 1


def test_a_communitys_key_makes_none_for_others(managing, orchard):
    answer = managing.send("POST", KEYS, {"scopes": ["read"], "community": "orchard"})
    assert code_of(answer) == "not_found"
    sent = {"scopes": ["read"], "organisation": "organisation-0", "secret_digest": "x"}
    made = managing.send("POST", KEYS, sent).json()
    assert ApiKey.objects.get(key_id=made["id"]).organisation is None


def test_an_organisations_key_makes_keys_for_it_and_its_communities(of_all, orchard):
    whole = of_all.send("POST", KEYS, {"scopes": ["read"]}).json()
    one = of_all.send("POST", KEYS, {"scopes": ["read"], "community": "sister"}).json()
    assert (whole["community"], one["community"]) == (None, "sister")
    foreign = of_all.send("POST", KEYS, {"scopes": ["read"], "community": "orchard"})
    assert code_of(foreign) == "not_found"


def test_a_rotated_key_and_its_successor_work_side_by_side(managing, community, document):
    old, old_text = make_key(community, ["submit"])
    rotated = managing.send("POST", f"{KEYS}/{old.key_id}/rotate")
    assert rotated.status_code == 201
    conforms(document, rotated, "rotate_key")
    assert (rotated.json()["replaces"], rotated.json()["scopes"]) == (old.key_id, ["submit"])
    for text in (old_text, rotated.json()["key"]):
        assert Api(text).send("POST", POSTS, person()).status_code == 202
    old.refresh_from_db()
    assert old.expires_at < datetime.now(UTC) + timedelta(days=1, minutes=1)


def test_a_revoked_key_opens_nothing_and_is_gone(managing, community):
    key, text = make_key(community, ["submit"])
    assert managing.send("DELETE", f"{KEYS}/{key.key_id}").status_code == 204
    credentials.forget_keys()
    assert code_of(Api(text).send("POST", POSTS, person())) == "not_authenticated"
    assert code_of(managing.send("DELETE", f"{KEYS}/{key.key_id}")) == "not_found"
    assert code_of(managing.send("POST", f"{KEYS}/{key.key_id}/rotate")) == "not_found"
    told = {one["id"]: one for one in managing.get(KEYS).json()["results"]}
    assert told[key.key_id]["revoked_at"]
    revoked = AuditEvent.objects.get(kind="key.revoked")
    assert (revoked.actor_kind, revoked.actor_id != key.key_id) == ("api_key", True)


def test_nobody_elses_keys_are_seen_or_touched(managing, of_all, community, orchard):
    whole = ApiKey.objects.get(organisation=community.organisation)
    foreign, _ = make_key(orchard, ["admin"])
    other = Organisation.objects.create(slug="other", name="Other")
    others, _ = make_key(other, ["admin"])
    assert [one["community"] for one in managing.get(KEYS).json()["results"]] == ["garden"]
    assert len(of_all.get(KEYS).json()["results"]) == 2
    for client, keys in ((managing, (whole, foreign, others)), (of_all, (foreign, others))):
        for key in keys:
            assert code_of(client.send("DELETE", f"{KEYS}/{key.key_id}")) == "not_found"
            assert code_of(client.send("POST", f"{KEYS}/{key.key_id}/rotate")) == "not_found"
    assert not ApiKey.objects.filter(revoked_at__isnull=False).exists()


@pytest.mark.parametrize("key_id", ["x", "%00", "x" * 500, "\u2603"])
def test_a_key_that_does_not_exist_is_not_found(managing, key_id):
    assert code_of(managing.send("DELETE", f"{KEYS}/{key_id}")) == "not_found"


def test_keys_come_page_by_page(managing, community):
    make_key(community)
    first = managing.get(f"{KEYS}?limit=1").json()
    second = managing.get(first["next"]).json()
    assert first["results"][0]["id"] != second["results"][0]["id"]
    assert second["next"] is None


def test_writing_takes_tokens_as_posting_does(managing, limits):
    limits(key_rate_burst=1, key_rate_per_second=0.01)
    answers = [managing.send("POST", KEYS, {"scopes": ["read"]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 429]


# Usage


@pytest.fixture
def today():
    return datetime.now(UTC).date()


def _last_day(client, query=""):
    answer = client.get(f"{USAGE}{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"][-1]


def test_posts_and_kept_checks_are_counted_by_day(keyed, document, today):
    for _ in range(2):
        keyed.send("POST", POSTS, person())
    for keep in (True, False):
        keyed.send("POST", "/api/v1/check", {"text": "Ripe.", "keep": keep})
    answer = keyed.get(USAGE)
    conforms(document, answer, "get_usage")
    days = answer.json()["results"]
    assert len(days) == 30
    assert days[-1] == {"date": today.isoformat(), "posts": 2, "checks": 1}
    assert days[0] == {
        "date": (today - timedelta(days=29)).isoformat(),
        "posts": 0,
        "checks": 0,
    }


def test_a_keys_own_use_is_told_apart(keyed, community, today):
    other, text = make_key(community, ["submit"])
    keyed.send("POST", POSTS, person())
    Api(text).send("POST", POSTS, person())
    assert _last_day(keyed)["posts"] == 2
    assert _last_day(keyed, f"?key={other.key_id}")["posts"] == 1
    assert _last_day(keyed, "?key=nobody")["posts"] == 0


def test_other_tenants_use_is_not_ours(keyed, of_all, orchard):
    foreign, text = make_key(orchard, ["submit"])
    Api(text).send("POST", POSTS, person())
    keyed.send("POST", POSTS, person())
    assert _last_day(keyed)["posts"] == 1
    assert _last_day(of_all)["posts"] == 1
    assert _last_day(of_all, "?community=sister")["posts"] == 0
    assert _last_day(keyed, f"?key={foreign.key_id}")["posts"] == 0
    assert code_of(keyed.get(f"{USAGE}?community=orchard")) == "not_found"


def test_each_day_ends_at_midnight(keyed, community):
    times = ["2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z"]
    for number, time in enumerate([*times, "2026-03-02T00:00:00Z"]):
        AuditEvent.objects.create(
            kind="post.submitted",
            subject_kind="post",
            subject_id=str(number),
            sequence=1,
            community_id=community.pk,
            actor_kind="api_key",
            happened_at=datetime.fromisoformat(time),
            digest=str(number),
        )
    days = keyed.get(f"{USAGE}?first=2026-02-27&last=2026-03-01").json()["results"]
    assert [(day["date"], day["posts"]) for day in days] == [
        ("2026-02-27", 0),
        ("2026-02-28", 1),
        ("2026-03-01", 2),
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("first=yesterday", "first"),
        ("last=2026-02-30", "last"),
        ("last=0001-01-01", "last"),
        ("last=9999-12-31", "last"),
        ("first=2026-03-02&last=2026-03-01", "first"),
        ("first=2025-01-01&last=2026-01-01", "first"),
        ("last=%00", "last"),
        ("key=%00", "key"),
        ("community=a%00b", "community"),
    ],
)
def test_a_question_about_no_days_is_refused(keyed, query, field):
    assert fields_of(keyed.get(f"{USAGE}?{query}")) == [field]
