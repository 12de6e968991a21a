"""What /health says when a part is missing or hangs."""

import socket
import threading
import time

import pytest
from django.db import OperationalError

from platform_site import health


@pytest.fixture
def silent_server():
    """A server that takes connections and never answers: what a frozen Redis looks like."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def no_server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"redis://127.0.0.1:{port}/0"


@pytest.mark.django_db
def test_all_is_well(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy", "database": "ok", "redis": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("server", ["silent_server", "no_server"])
def test_without_redis_it_is_degraded_and_says_so_in_time(client, settings, request, server):
    client.get("/health")  # what is loaded by the first visit is not what this measures
    settings.REDIS_CACHE_URL = request.getfixturevalue(server)
    began = time.monotonic()
    answer = client.get("/health")
    assert time.monotonic() - began < 1
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "database": "ok", "redis": "unavailable"}


def refuse():
    raise OperationalError("no connection")


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_without_the_database_nothing_can_be_accepted(client, monkeypatch, path):
    monkeypatch.setattr(health, "_database_works", refuse)
    assert client.get(path).status_code == 503


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_database_that_hangs_is_reported_in_time(client, monkeypatch, path):
    released = threading.Event()
    monkeypatch.setattr(health, "_database_works", released.wait)
    monkeypatch.setattr(health, "ANSWER_WITHIN_SECONDS", 0.1)
    began = time.monotonic()
    # More visits than there are threads: the last ones find none free.
    statuses = [client.get(path).status_code for _ in range(6)]
    released.set()
    assert statuses == [503] * 6
    assert time.monotonic() - began < 6 * 0.5


@pytest.mark.parametrize("path", ["/health/live"])
def test_being_alive_needs_nothing(client, monkeypatch, path):
    monkeypatch.setattr(health, "_database_works", refuse)
    assert client.get(path).json() == {"status": "alive"}


def test_health_checks_are_not_sent_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live").status_code == 200
    assert client.get("/accounts/login/").status_code == 301


@pytest.mark.django_db
@pytest.mark.parametrize(("late", "status"), [(True, "degraded"), (False, "healthy")])
def test_work_that_nobody_does_is_told_by_the_oldest_due_row(client, monkeypatch, late, status):
    monkeypatch.setattr(health.queries, "is_late", lambda: late)
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == status
    assert answer.json().get("work") == ("late" if late else None)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_late_work_takes_no_server_out_of_use(client, monkeypatch, path):
    monkeypatch.setattr(health.queries, "is_late", lambda: True)
    assert client.get(path).status_code == 200
