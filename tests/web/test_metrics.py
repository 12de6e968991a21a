"""What Prometheus is told of services, and who may ask."""

from datetime import date
from uuid import uuid4

import pytest
from django.test import Client

from moderation.asking.calls import breaker_name
from moderation.coordination.breaker import Breaker
from moderation.models import ProviderDay

pytestmark = pytest.mark.django_db
TOKEN = "a-token-for-prometheus"


@pytest.fixture
def opened(settings):
    settings.MODERATION = {**settings.MODERATION, "metrics_token": TOKEN}


def told(token=TOKEN):
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


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
    answer = told()
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = set(answer.content.decode().splitlines())
    who = f'provider="{name}"'
    assert {
        f"gatehouse_provider_calls_total{{{who}}} 6",
        f"gatehouse_provider_failures_total{{{who}}} 2",
        f"gatehouse_provider_parts_total{{{who}}} 80",
        f"gatehouse_provider_cached_total{{{who}}} 10",
        f"gatehouse_provider_cost_micros_total{{{who}}} 1400",
        f"gatehouse_provider_call_seconds_sum{{{who}}} 3.0",
        f'gatehouse_provider_breaker_state{{{who},state="open"}} 1',
        f'gatehouse_provider_breaker_state{{{who},state="closed"}} 0',
    } <= lines
    kinds = [line.split()[2:] for line in lines if line.startswith("# TYPE ")]
    assert ["gatehouse_provider_calls_total", "counter"] in kinds
