"""The site as ever, but now and then its process dies between the commit and the bell.

Each death adds a byte to the file `died` in the run's folder.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Iterable
from pathlib import Path

from moderation.delivery import doorbell
from platform_site.wsgi import application

__all__ = ["application"]

# It serves a few first, so that there is something else under way when it dies.
LONGEST_LIFE_POSTS = 6

_life = random.SystemRandom().randint(1, LONGEST_LIFE_POSTS)
_rung = itertools.count(1)
_ring = doorbell.ring


def _ring_or_die(lanes: Iterable[str]) -> None:
    if next(_rung) >= _life:
        with (Path(os.environ["HOME"]) / "died").open("ab", buffering=0) as file:
            file.write(b".")
        os.kill(os.getpid(), signal.SIGKILL)
    _ring(lanes)


doorbell.ring = _ring_or_die
