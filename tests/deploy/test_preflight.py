"""What `preflight` finds, and what it says to do."""

import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Now

from moderation.models import Heartbeat
from platform_site import celery_app
from platform_site.upkeep import preflight


def found(part):
    return [finding for finding in preflight.look() if finding.part == part]


@pytest.fixture
def collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    (settings.STATIC_ROOT / "site.css").touch()


@pytest.mark.django_db
def test_nothing_is_missing_on_a_stack_that_works(capsys, collected):
    call_command("preflight")
    said = capsys.readouterr().out
    assert "FAILED" not in said
    for part in (
        "database",
        "migrations",
        "clock",
        "cache",
        "eviction",
        "broker",
        "media",
        "models",
    ):
        assert f"ok      {part}" in said or f"note    {part}" in said


@pytest.mark.django_db
def test_what_is_missing_is_an_exit_code_too(capsys, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "none"
    with pytest.raises(SystemExit, match="1"):
        call_command("preflight")
    said = capsys.readouterr().out
    assert "FAILED  static" in said
    assert "→ Run manage.py collectstatic" in said


@pytest.mark.django_db
def test_a_missing_migration_is_named():
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes("moderation")[0]
    MigrationRecorder(connection).record_unapplied(*newest)
    (finding,) = found("migrations")
    assert finding.level == preflight.FAILURE
    assert ".".join(newest) in finding.says
    assert "migrate" in finding.advice


@pytest.mark.django_db
def test_redis_that_is_away_is_told_and_the_rest_still_looked_at(settings, tmp_path):
    settings.REDIS_CACHE_URL = f"unix://{tmp_path}/none?db=0"
    findings = list(preflight.look())
    assert [f.level for f in findings if f.part == "cache"] == [preflight.FAILURE]
    assert [f for f in findings if f.part == "models"]


@pytest.mark.django_db
def test_a_broker_that_is_away_is_told_in_time(monkeypatch):
    monkeypatch.setattr(celery_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    began = time.monotonic()
    (finding,) = found("broker")
    assert finding.level == preflight.FAILURE
    assert "CELERY_BROKER_URL" in finding.advice
    assert time.monotonic() - began < 15


@pytest.mark.django_db
def test_a_media_store_that_cannot_be_written_is_told(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = str(tmp_path / "file" / "media")
    (finding,) = found("media")
    assert finding.level == preflight.FAILURE
    assert "MEDIA_ROOT" in finding.advice


@pytest.mark.django_db
def test_the_media_store_is_left_as_it_was(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    assert [f.level for f in found("media")] == [preflight.OK]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("off", "level"),
    [(0, preflight.OK), (30, preflight.WARNING), (-120, preflight.FAILURE)],
)
def test_a_clock_that_goes_wrong_is_told(monkeypatch, off, level):
    monkeypatch.setattr(preflight, "time", lambda: time.time() + off)
    assert [finding.level for finding in found("clock")] == [level]


@pytest.mark.django_db
def test_debug_is_refused(settings):
    settings.DEBUG = True
    assert preflight.FAILURE in [finding.level for finding in found("settings")]


def age(name, seconds, **fields):
    Heartbeat.objects.create(name=name, role="worker", host="box", pid=1, **fields)
    Heartbeat.objects.filter(name=name).update(seen_at=Now() - timedelta(seconds=seconds))


@pytest.mark.django_db
def test_a_process_that_fell_silent_is_named():
    age("worker@box:1", 0)
    assert [finding.level for finding in found("processes")] == [preflight.OK]
    age("worker@box:2", 3600)
    (finding,) = found("processes")
    assert finding.level == preflight.WARNING
    assert "worker@box:2" in finding.says


@pytest.mark.django_db
def test_work_that_nobody_does_is_told(monkeypatch):
    monkeypatch.setattr(preflight.queries, "is_late", lambda: True)
    (finding,) = found("processes")
    assert finding.level == preflight.WARNING
    assert "Start workers" in finding.advice


@pytest.mark.django_db
def test_a_broker_that_may_evict_is_named_with_its_setting(monkeypatch):
    monkeypatch.setattr(preflight, "servers", lambda: {"CELERY_BROKER_URL": "redis://broker"})
    monkeypatch.setattr(preflight, "forgetful_policy", lambda url: "allkeys-lru")
    (finding,) = found("eviction")
    assert finding.level == preflight.FAILURE
    assert "CELERY_BROKER_URL" in finding.says
