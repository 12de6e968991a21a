"""Log lines carry what they are about."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from platform_site.celery import app


def _line(logger: str, **extra: object) -> dict[str, object]:
    config = logging.config.DictConfigurator(settings.LOGGING)
    # A copy: configuring takes the dict apart.
    formatter = config.configure_formatter(dict(settings.LOGGING["formatters"]["json"]))
    record = logging.getLogger(logger).makeRecord(
        logger, logging.WARNING, __file__, 1, "something_happened", (), None, extra=extra
    )
    line: dict[str, object] = json.loads(formatter.format(record))
    return line


@pytest.mark.parametrize(
    "logger", ["moderation.pipeline.enforcement.enforce", "platform_site.health"]
)
def test_our_own_lines_keep_their_ids_and_numbers(logger):
    line = _line(logger, count=7, lane="screen.high")
    assert (line["event"], line["count"], line["lane"]) == ("something_happened", 7, "screen.high")


def test_what_libraries_attach_stays_out():
    assert "request" not in _line("django.request", request="POST body of somebody")


def test_the_web_servers_own_lines_are_as_ours():
    code = (
        "import json, logging; from granian.log import configure_logging, LogLevels;"
        "configure_logging(LogLevels.info, json.load(open('platform_site/granian-log.json')));"
        "logging.getLogger('_granian').warning('Starting with %s', 'two workers')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "platform_site.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    line = json.loads(done.stderr)
    assert (line["event"], line["logger"]) == ("Starting with two workers", "_granian")
    assert done.stdout == ""


def test_celery_sets_up_no_logging_of_its_own():
    app.log.already_setup = False
    before = logging.getLogger("multiprocessing").handlers[:]
    root = logging.getLogger().handlers[:]
    assert app.log.setup_logging_subsystem(loglevel="INFO")
    assert logging.getLogger("multiprocessing").handlers == before
    assert logging.getLogger().handlers == root


def test_what_becomes_of_a_workers_children_is_told_as_json():
    code = (
        "import django; django.setup(); from billiard.util import get_logger;"
        "get_logger().error('Process %r exited', 7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "platform_site.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stderr)["event"] == "Process 7 exited"
