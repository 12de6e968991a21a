"""What a run found, as a table for people and in test-results/faults.json for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def _rows(found: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in found.items():
        label = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += _rows(value, f"{label} · ") or [(label, "none")]
        else:
            rows.append((label, f"{value:.2f}" if isinstance(value, float) else str(value)))
    return rows
