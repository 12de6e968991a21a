"""A worker as ever, to which some texts are poison: `celery -A tests.faults.poisoned worker`."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

from platform_site.celery import app

__all__ = ["DEVOURS", "KILLS", "app"]

# What a post says that ends its process, and one that takes all the memory there is.
KILLS, DEVOURS = "poison that kills", "poison that devours"
MEMORY_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 16 * 1024 * 1024


def _poison(**_: Any) -> None:
    from moderation.pipeline import dispatch

    screen = dispatch.screen

    def screen_or_suffer(claims: Sequence[Any]) -> Any:
        for claim in claims:
            if KILLS in claim.post.body:
                os.kill(os.getpid(), signal.SIGKILL)
            if DEVOURS in claim.post.body:
                _devour()
        return screen(claims)

    dispatch.screen = screen_or_suffer


def _devour() -> None:
    """Raise `MemoryError` the honest way: by asking for more than there may be."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, before[1]))
    try:
        eaten = []
        while True:
            eaten.append(bytearray(CHUNK_BYTES))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


worker_process_init.connect(_poison)
