"""Ends what a run leaves behind, however the run ends: `python -m tests.faults.guard FOLDER TOKEN`.

Roles die with the test by themselves; what they had started does not. The guard waits until its
standard input closes, which happens even when the test is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.faults import processes

PATIENCE_SECONDS = 10.0


def main(folder: Path, token: str) -> None:
    sys.stdin.buffer.read()
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        left = [pid for pid in processes.living_in(folder, token) if pid != os.getpid()]
        if not left:
            break
        processes.signal_all(left, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
