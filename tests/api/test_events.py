"""Integrators follow what happens to their posts, and miss nothing when the line breaks."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.test import AsyncClient

from moderation import credentials
from moderation.api.views import events as events_view
from moderation.api.waiting import Places
from moderation.models import AuditEvent
from moderation.queries import feed
from moderation.vocabulary import ActorKind
from tests.api.conftest import POSTS, Api, person
from tests.api.test_posts import code_of, fields_of
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import drain_all

EVENTS = "/api/v1/events"


@pytest.fixture(autouse=True)
def _nothing_known():
    feed._newest.clear()


def told(text):
    """Return the events of a stream as a client's parser would: (id, kind, data)."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in ("", ":")
        )
        if "data" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


def position(text):
    """Return what a client would send as Last-Event-ID."""
    return [line[4:] for line in text.split("\n") if line.startswith("id: ")][-1]


def happened(community, *, pk=None, kind="post.approved", long_ago=True, subject_kind="post"):
    """Put an event on the record as it stands there, without what led to it."""
    number = AuditEvent.objects.count() + 1
    return AuditEvent.objects.create(
        pk=pk,
        kind=kind,
        subject_kind=subject_kind,
        subject_id=str(number),
        sequence=1,
        community_id=community.pk,
        revision=1,
        actor_kind=ActorKind.MACHINE,
        facts={"status": "approved", "visibility": "public", "rule": "x", "score": 0.7},
        happened_at=datetime.now(UTC) - timedelta(seconds=60 if long_ago else 0),
        digest=str(number),
    )


def since(client, event_id, query=""):
    answer = client.send("GET", f"{EVENTS}{query}", last_event_id=str(event_id))
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_a_batch_tells_what_happened_since(keyed, community):
    happened(community)
    begun = position(keyed.get(EVENTS).content.decode())
    post = keyed.send("POST", POSTS, person()).json()
    drain_all()
    answer = keyed.send("GET", EVENTS, last_event_id=begun)
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    text = answer.content.decode()
    assert text.startswith("retry: 5000\n")
    submitted, approved = told(text)
    assert (submitted[1], approved[1]) == ("post.submitted", "post.approved")
    assert approved[2]["id"] == approved[0]
    assert approved[2]["post"] == post["id"]
    assert (submitted[2]["status"], submitted[2]["visibility"]) == ("pending", "public")
    assert (approved[2]["status"], approved[2]["visibility"]) == ("approved", "public")
    assert approved[2]["community"] == "garden"
    assert told(since(keyed, approved[0])) == []


def test_it_tells_ids_and_status_and_nothing_else(keyed, community):
    happened(community)
    begun = position(keyed.get(EVENTS).content.decode())
    keyed.send("POST", POSTS, person(text="A secret of mine"))
    drain_all()
    text = since(keyed, begun)
    assert told(text)
    for _, _, data in told(text):
        assert set(data) == {
            *("id", "type", "happened_at", "community", "post"),
            *("revision", "status", "visibility", "links"),
        }
    assert "secret" not in text
    assert "bo" not in text.replace("body", "")


def test_who_begins_now_is_told_nothing_of_before(keyed):
    keyed.send("POST", POSTS, person())
    answer = keyed.get(EVENTS).content.decode()
    assert told(answer) == []
    assert position(answer) == str(AuditEvent.objects.latest("pk").pk)


def test_neither_another_tenants_events_nor_the_settings_are_told(keyed, community):
    orchard = CommunityFactory.create(slug="orchard")
    begun = happened(community).pk
    happened(orchard)
    happened(community, kind="policy.activated", subject_kind="policy")
    happened(community, kind="key.issued", subject_kind="key")
    mine = happened(community)
    assert [event[0] for event in told(since(keyed, begun))] == [str(mine.pk)]


def test_an_organisations_key_follows_all_its_communities_or_one(community):
    sister = CommunityFactory.create(slug="sister", organisation=community.organisation)
    orchard = CommunityFactory.create(slug="orchard")
    client = Api(make_key(community.organisation, ["read"])[1])
    begun = happened(community).pk
    for one in (community, sister, orchard):
        happened(one)
    names = [event[2]["community"] for event in told(since(client, begun))]
    assert names == ["garden", "sister"]
    only = told(since(client, begun, "?community=sister"))
    assert [event[2]["community"] for event in only] == ["sister"]
    assert client.get(f"{EVENTS}?community=orchard").status_code == 404


@pytest.mark.parametrize(
    ("types", "kinds"),
    [
        ("", ["post.approved", "decision.rejected", "enforcement.reversed"]),
        ("post.*", ["post.approved"]),
        ("decision.*,enforcement.reversed", ["decision.rejected", "enforcement.reversed"]),
        (" post.approved , ", ["post.approved"]),
    ],
)
def test_types_narrow_it(keyed, community, types, kinds):
    begun = happened(community).pk
    for kind in ("post.approved", "decision.rejected", "review.escalated", "enforcement.reversed"):
        happened(community, kind=kind)
    assert [event[1] for event in told(since(keyed, begun, f"?types={types}"))] == kinds


@pytest.mark.parametrize(
    "types", ["nothing", "key.*", "policy.activated", "post.", "%00", "x" * 2000]
)
def test_unknown_types_are_refused(keyed, types):
    answer = keyed.get(f"{EVENTS}?types={types}")
    assert (code_of(answer), fields_of(answer)) == ("invalid_fields", ["types"])


@pytest.mark.parametrize("last", ["-1", "1.5", "abc", "9" * 30, "9223372036854775808", "\u00b2"])
def test_an_id_that_was_never_sent_is_refused(keyed, last):
    answer = keyed.send("GET", EVENTS, last_event_id=last.encode().decode("latin-1"))
    assert (answer.status_code, fields_of(answer)) == (400, ["Last-Event-ID"])


def test_an_id_from_the_future_is_now(keyed, community):
    newest = happened(community).pk
    assert position(since(keyed, 2**63 - 1)) == str(newest)


def test_what_may_still_come_in_between_is_waited_for(keyed, community):
    begun = happened(community, pk=100).pk
    happened(community, pk=101, long_ago=False)
    happened(community, pk=103, long_ago=False)
    first = since(keyed, begun)
    assert [event[0] for event in told(first)] == ["101"]
    happened(community, pk=102, long_ago=False)
    then = since(keyed, position(first))
    assert [event[0] for event in told(then)] == ["102", "103"]


def test_who_begins_now_does_not_miss_what_is_being_committed(keyed, community):
    happened(community, pk=100)
    happened(community, pk=102, long_ago=False)
    begun = position(keyed.get(EVENTS).content.decode())
    happened(community, pk=101, long_ago=False)
    assert [event[0] for event in told(since(keyed, begun))] == ["101", "102"]


def test_a_gap_that_stays_holds_nobody_up(keyed, community):
    begun = happened(community, pk=100).pk
    happened(community, pk=105)
    happened(community, pk=106, long_ago=False)
    assert [event[0] for event in told(since(keyed, begun))] == ["105", "106"]


def test_a_long_absence_is_made_up_for_batch_by_batch(keyed, community, monkeypatch):
    monkeypatch.setattr(feed, "ROWS_A_LOOK", 3)
    monkeypatch.setattr(events_view, "MOST_EVENTS_A_BATCH", 6)
    begun = happened(community).pk
    ids = [str(happened(community).pk) for _ in range(10)]
    seen = []
    for _ in range(2):
        text = since(keyed, begun)
        seen += [event[0] for event in told(text)]
        begun = position(text)
        if len(seen) == 6:
            assert seen == ids[:6]
    assert seen == ids


def test_it_takes_tokens_of_its_own(keyed, limits):
    limits(key_rate_burst=2, key_rate_per_second=0.01)
    assert [keyed.get(EVENTS).status_code for _ in range(3)] == [200, 200, 429]
    assert keyed.send("POST", POSTS, person()).status_code == 202


# Under an asynchronous server


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(events_view, "LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(feed, "_newest", feed.ShortMemory(seconds=0))


async def _stream(key, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await AsyncClient().get(EVENTS, headers={"authorization": f"Bearer {key}", **named})
    assert answer.status_code == 200
    return answer


async def _until(answer, count, more=None):
    """Read a stream until it told so many events; the first time that it is idle do `more`."""
    text = ""
    async for chunk in answer:
        text += chunk.decode()
        if more is not None:
            await more()
            more = None
        if len(told(text)) >= count:
            break
    return text


@pytest.mark.django_db(transaction=True)
async def test_a_stream_tells_what_happens_while_it_is_open(quick):
    community = await _community(slug="garden")
    key = await _key(community)
    answer = await _stream(key)

    async def more():
        await _happened(community)

    text = await _until(answer, 1, more)
    assert text.startswith("retry: 1000\nid: 0\n\n")
    assert [event[1] for event in told(text)] == ["post.approved"]


@pytest.mark.django_db(transaction=True)
async def test_a_stream_goes_on_where_it_broke_off(quick):
    community = await _community(slug="garden")
    key = await _key(community)
    first = await _happened(community)
    second = await _happened(community)
    text = await _until(await _stream(key, last_event_id=str(first.pk)), 1)
    assert [event[0] for event in told(text)] == [str(second.pk)]


@pytest.mark.django_db(transaction=True)
async def test_a_silent_stream_beats_and_ends_in_time(quick, monkeypatch):
    monkeypatch.setattr(events_view, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(events_view, "LONGEST_STREAM_SECONDS", 0.3)
    community = await _community(slug="garden")
    answer = await _stream(await _key(community))
    text = await _until(answer, 1)
    assert text.count(": beat\nid: 0\n\n") >= 2
    assert events_view.stream_places.take()
    events_view.stream_places.give_back()


@pytest.mark.django_db(transaction=True)
async def test_a_stream_ends_with_its_key(quick, monkeypatch):
    community = await _community(slug="garden")
    key = await _key(community)
    answer = await _stream(key)

    async def more():
        await _in_thread(_revoke)(key)
        await _happened(community)

    text = await _until(answer, 1, more)
    assert told(text) == []


@pytest.mark.django_db(transaction=True)
async def test_where_no_place_is_left_a_stream_is_a_batch(quick, monkeypatch):
    monkeypatch.setattr(events_view, "stream_places", Places(0))
    community = await _community(slug="garden")
    key = await _key(community)
    first = await _happened(community)
    await _happened(community)
    text = await _until(await _stream(key, last_event_id=str(first.pk)), 9)
    assert text.startswith("retry: 5000\n")
    assert len(told(text)) == 1


@pytest.mark.django_db(transaction=True)
async def test_who_goes_away_leaves_their_place(quick, monkeypatch):
    places = Places(1)
    monkeypatch.setattr(events_view, "stream_places", places)
    community = await _community(slug="garden")
    answer = await _stream(await _key(community))
    reader = asyncio.create_task(_until(answer, 9))
    while places.take():
        places.give_back()
        await asyncio.sleep(0.01)
    # As the handler does when the connection is gone.
    reader.cancel()
    with suppress(asyncio.CancelledError):
        await reader
    assert places.take()


def _revoke(text):
    credentials.revoke_key(credentials.find_key(text))
    credentials.forget_keys()


def _in_thread(call):
    # As the streams do, so that no connection is left behind.
    return events_view.database_sync_to_async(call, thread_sensitive=False)


async def _community(**fields):
    return await _in_thread(CommunityFactory.create)(**fields)


async def _key(community):
    return (await _in_thread(make_key)(community, ["read"]))[1]


async def _happened(community):
    return await _in_thread(happened)(community)
