"""The sweeper: rings for whatever is due, and links the record. Any number may run."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from moderation.conf import get_conf
from moderation.delivery import outbox
from moderation.operations.counting import keep_counting
from moderation.operations.heartbeat import Heart
from moderation.operations.retention import keep_retaining
from moderation.pipeline.audit.seal import seal_events
from moderation.pipeline.dispatch import sweep
from moderation.pipeline.rejudging.brake import watch_rates
from moderation.pipeline.rejudging.reevaluate import reevaluate
from moderation.vocabulary import ProcessRole

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Ring for due submissions every second and seal the audit record, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        if options["once"]:
            _round()
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        heart = Heart(ProcessRole.SWEEPER)
        try:
            while not stop.wait(get_conf().sweep_interval_seconds):
                _round()
                heart.keep_beating()
        finally:
            heart.stop()


def _round() -> None:
    _try(sweep)
    _try(reevaluate)
    _try(outbox.sweep)
    _try(_seal_all)
    _try(watch_rates)
    _try(keep_counting)
    _try(keep_retaining)


def _seal_all() -> None:
    while seal_events():
        pass


def _try(work: Callable[[], object]) -> None:
    """A database that is away now is tried again in the next round."""
    try:
        work()
    except DatabaseError as error:
        logger.warning("sweep_failed", extra={"error": type(error).__name__})
        connections.close_all()
