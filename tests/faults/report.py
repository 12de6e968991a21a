"""What a run found, as a table for people and in test-results/faults.json for machines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.faults.stack import ROOT

RESULTS = ROOT / "test-results" / "faults.json"


def keep(name: str, found: Mapping[str, Any]) -> None:
    """Store one test's findings beside the others'."""
    RESULTS.parent.mkdir(exist_ok=True)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[name] = dict(found)
    RESULTS.write_text(f"{json.dumps(kept, indent=2)}\n")


def show(title: str, found: Mapping[str, Any]) -> None:
    print(f"\n{title}")
    for name, value in _rows(found):
        print(f"  {name:<44} {value}")


def publish(
    name: str, title: str, *, seed: int, zeros: Mapping[str, int], figures: Mapping[str, Any]
) -> None:
    """Keep what a nightly fault found, and print it as docs/reliability.md shows it."""
    day = datetime.now(UTC).date().isoformat()
    load = os.getloadavg()[0]
    keep(name, {"seed": seed, "day": day, "zeros": zeros, "figures": figures, "load": load})
    print(f"\n{title}: seed {seed}, {day}, {os.cpu_count()} cores, load {load:.1f}\n")
    print("| must be 0 | found |\n|---|---|")
    print("\n".join(f"| {label} | {value} |" for label, value in _rows(zeros)))
    print("\n| measured | |\n|---|---|")
    print("\n".join(f"| {label} | {value} |" for label, value in _rows(figures)))


def _rows(found: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in found.items():
        label = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += _rows(value, f"{label} · ") or [(label, "none")]
        else:
            rows.append((label, f"{value:.2f}" if isinstance(value, float) else str(value)))
    return rows
