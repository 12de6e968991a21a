"""What Prometheus is told, and who may ask."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from moderation import queries
from moderation.asking.calls import breaker_name
from moderation.coordination import connection as redis_connection
from moderation.coordination.breaker import Breaker
from moderation.live.sockets import drop_socket, keep_socket
from moderation.models import (
    Brake,
    CountingMark,
    Endpoint,
    OutboxMessage,
    ProviderDay,
    Review,
    RunningTotal,
    Submission,
)
from moderation.models.screening import PARKED
from moderation.queries import waiting
from moderation.queries.totals import BOUNDS
from moderation.vocabulary import DeliveryState, EndpointKind, ReviewState, SubmissionState
from moderation.web.metrics.exposition import Family, Sample, written
from tests.factories import CommunityFactory, PostFactory
from tests.web.exposition import Read, parse, value

pytestmark = pytest.mark.django_db
TOKEN = "a-token-for-prometheus"
HOUR = timedelta(hours=1)


@pytest.fixture
def opened(settings):
    settings.MODERATION = {**settings.MODERATION, "metrics_token": TOKEN}


def told(token=TOKEN):
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


def read() -> dict[str, Read]:
    queries.forget_what_waits()
    answer = told()
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return parse(answer.content.decode())


def wait(*, hours: int, **fields: object) -> Submission:
    post = PostFactory.create()
    row = Submission.objects.create(post=post, revision=1, content_hash=post.content_hash, **fields)
    Submission.objects.filter(pk=row.pk).update(created_at=Now() - hours * HOUR)
    return row


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], "é"])
def test_without_the_token_there_is_no_such_page(opened, token):
    assert told(token).status_code == 404


def test_without_a_token_in_the_settings_nobody_may_ask():
    assert told("").status_code == 404


def test_every_service_is_told_with_what_it_came_to(opened):
    name = f"svc-{uuid4().hex[:8]}"
    for day in (1, 2):
        ProviderDay.objects.create(
            provider=name,
            day=date(2026, 11, day),
            calls=3,
            failures=1,
            parts=40,
            cached=5,
            cost_micros=700,
            latency_ms=1500.0,
        )
    Breaker(breaker_name(name)).shut("provider_auth_failed")
    found = read()
    figures = {
        "calls_total": 6,
        "failures_total": 2,
        "parts_total": 80,
        "cached_total": 10,
        "cost_micros_total": 1400,
        "call_seconds_sum": 3.0,
        "call_seconds_count": 6,
    }
    for suffix, figure in figures.items():
        assert value(found, f"gatehouse_provider_{suffix}", provider=name) == figure
    states = {
        state: value(found, "gatehouse_provider_breaker_state", provider=name, state=state)
        for state in ("open", "closed")
    }
    assert states == {"open": 1, "closed": 0}
    assert found["gatehouse_provider_calls_total"].kind == "counter"


def test_a_lane_is_told_by_who_waits_there_and_since_when(opened):
    wait(hours=1, lane="screen")
    wait(hours=3, lane="screen")
    wait(hours=9, lane="screen", state=SubmissionState.DECIDED)
    wait(hours=5, lane="media", last_error=PARKED)
    found = read()
    assert value(found, "gatehouse_lane_waiting", lane="screen") == 2
    assert value(found, "gatehouse_lane_oldest_seconds", lane="screen") == pytest.approx(
        3 * 3600, abs=60
    )
    # Whoever waits for a slow service says nothing of how well we keep up.
    assert value(found, "gatehouse_lane_waiting", lane="media") == 0
    assert value(found, "gatehouse_lane_oldest_seconds", lane="media") == 0
    assert value(found, "gatehouse_lane_parked", lane="media") == 1


def test_posts_behind_many_that_are_parked_are_seen(opened, monkeypatch):
    monkeypatch.setattr(waiting, "MOST_COUNTED", 2)
    for rank in (1, 2):
        wait(hours=5, lane="media", last_error=PARKED, rank_at=Now() - rank * HOUR)
    wait(hours=1, lane="media")
    found = read()
    assert value(found, "gatehouse_lane_waiting", lane="media") == 1
    assert value(found, "gatehouse_lane_oldest_seconds", lane="media") == pytest.approx(
        3600, abs=60
    )
    assert value(found, "gatehouse_lane_parked", lane="media") == 2


def test_moderators_backlog_is_told_with_what_is_overdue_and_reported(opened):
    for lane, state, overdue, reports in (
        ("report", ReviewState.OPEN, True, 2),
        ("report", ReviewState.OPEN, False, 1),
        ("new", ReviewState.OPEN, False, 0),
        ("new", ReviewState.DECIDED, True, 7),
    ):
        post = PostFactory.create()
        row = Review.objects.create(
            post=post,
            community=post.community,
            revision=1,
            lane=lane,
            state=state,
            report_count=reports,
        )
        due_at = Now() - HOUR if overdue else Now() + HOUR
        Review.objects.filter(pk=row.pk).update(due_at=due_at, created_at=Now() - 2 * HOUR)
    found = read()
    assert value(found, "gatehouse_reviews_waiting", lane="report") == 2
    assert value(found, "gatehouse_reviews_waiting", lane="new") == 1
    assert value(found, "gatehouse_reviews_oldest_seconds", lane="new") == pytest.approx(
        7200, abs=60
    )
    assert value(found, "gatehouse_reviews_overdue") == 1
    assert value(found, "gatehouse_reports_waiting") == 3


def test_deliveries_are_told_by_kind_with_endpoints_in_trouble(opened):
    community = CommunityFactory.create()
    hook = Endpoint.objects.create(community=community, name="hook", failing_since=Now())
    Endpoint.objects.create(community=community, name="off", active=False, disabled_because="gone")
    mail = Endpoint.objects.create(community=community, name="mail", kind=EndpointKind.EMAIL)
    for endpoint, state in (
        (hook, DeliveryState.DUE),
        (hook, DeliveryState.DELIVERED),
        (mail, DeliveryState.DELIVERED),
    ):
        OutboxMessage.objects.create(
            endpoint=endpoint, message_id=uuid4().hex, event_type="post.approved", state=state
        )
    found = read()
    assert value(found, "gatehouse_deliveries_waiting", kind="webhook") == 1
    assert value(found, "gatehouse_deliveries_waiting", kind="email") == 0
    assert value(found, "gatehouse_endpoints_failing", kind="webhook") == 1
    assert value(found, "gatehouse_endpoints_disabled", because="gone") == 1


def test_brakes_are_told_until_they_are_released_or_their_time_is_over(opened):
    for name, fields in (
        ("toxic.block", {}),
        ("spam.block", {"released_at": Now()}),
        ("hate.block", {"expires_at": Now() - HOUR}),
    ):
        Brake.objects.create(
            community=CommunityFactory.create(),
            kind="rule",
            name=name,
            recent_hits=1,
            recent_total=1,
            usual_hits=0,
            usual_total=1,
            **fields,
        )
    assert value(read(), "gatehouse_brakes_pulled", kind="rule") == 1


def test_times_to_verdict_are_told_as_a_histogram_that_only_rises(opened):
    for bucket, number in (("0.5", 3), ("+Inf", 1), ("0.1", 2), ("sum", 1002.5)):
        RunningTotal.objects.create(
            name="time_to_verdict", label="screen", bucket=bucket, value=number
        )
    found = read()
    name = "gatehouse_time_to_verdict_seconds"
    seen = [
        value(found, f"{name}_bucket", lane="screen", le=str(bound)) for bound in (*BOUNDS, "+Inf")
    ]
    assert seen == [2, 2, 5, *[5] * (len(BOUNDS) - 3), 6]
    assert value(found, f"{name}_count", lane="screen") == 6
    assert value(found, f"{name}_sum", lane="screen") == 1002.5


def test_growing_figures_are_told_by_label_and_begin_at_nothing(opened):
    RunningTotal.objects.create(name="happened", label="appeal.overturned", value=4)
    RunningTotal.objects.create(name="accepted", label="edit", value=12)
    found = read()
    assert value(found, "gatehouse_appeals_closed_total", state="overturned") == 4
    assert value(found, "gatehouse_appeals_closed_total", state="upheld") == 0
    assert value(found, "gatehouse_submissions_accepted_total", reason="edit") == 12
    assert value(found, "gatehouse_submissions_accepted_total", reason="new") == 0
    assert value(found, "gatehouse_events_total", kind="appeal.overturned") == 4


def test_a_silent_sweeper_shows_by_its_age_and_one_that_never_came_by_nothing(opened):
    assert read()["gatehouse_sweeper_silent_seconds"].samples == {}
    CountingMark.objects.create(table="one", looked_at=Now() - HOUR)
    assert value(read(), "gatehouse_sweeper_silent_seconds") == pytest.approx(3600, abs=60)


def test_sockets_are_counted_over_all_users_until_they_close(opened):
    for user, socket in ((1, "a"), (1, "b"), (2, "c"), (2, "c")):
        assert keep_socket(user, socket)
    assert value(read(), "gatehouse_websocket_connections") == 3
    drop_socket(1, "a")
    assert value(read(), "gatehouse_websocket_connections") == 2


def test_without_redis_the_rest_is_told(opened, monkeypatch):
    def away(*_: object) -> None:
        raise redis_connection.Bypassed

    monkeypatch.setattr(redis_connection.shared_redis(), "use", away)
    found = read()
    assert found["gatehouse_websocket_connections"].samples == {}
    assert value(found, "gatehouse_reviews_overdue") == 0


def test_what_waits_is_not_counted_again_at_every_scrape(opened):
    queries.forget_what_waits()
    with CaptureQueriesContext(connection) as first:
        told()
    with CaptureQueriesContext(connection) as again:
        told()

    def counted(asked: CaptureQueriesContext) -> list[str]:
        return [one["sql"] for one in asked if 'FROM "moderation_submission"' in one["sql"]]

    assert counted(first)
    assert not counted(again)


def test_hostile_names_stay_within_their_label():
    name = 'a"} 1\nevil_total{x="\\'
    family = Family("g", "gauge", "Two\nlines \\ of help", [Sample(1, {"who": name})])
    found = parse(written([family]))
    assert list(found) == ["g"]
    assert value(found, "g", who=name) == 1
