"""The command that measures the text model."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from moderation.providers.own.local_text.evaluation import floors
from tests.unit.test_text_evaluation import example, write_dev


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs the command on a few corpora's texts, with floors of its own."""
    write_dev(tmp_path, [("dev", {"toxic": number % 2}) for number in range(60)])
    monkeypatch.setattr(floors, "FLOORS_FILE", tmp_path / "floors.json")
    monkeypatch.setattr(floors.read_floors, "__defaults__", (tmp_path / "floors.json",))
    monkeypatch.setattr(floors.write_floors, "__defaults__", (tmp_path / "floors.json",))
    kept = [example(f"Comment {number} is fine", topic="fine") for number in range(30)]
    for module in ("moderation.management.commands.evaluate_text_model", floors.__name__):
        monkeypatch.setattr(f"{module}.read_kept", lambda: kept)
    floors.write_floors({"all flagged": 0.5})

    def run(*options: str) -> str:
        out = StringIO()
        call_command("evaluate_text_model", *options, stdout=out, stderr=StringIO())
        return out.getvalue()

    return run


def test_the_command_measures_and_compares(evaluate: Any, tmp_path: Path) -> None:
    written = str(tmp_path / "first.json")
    said = evaluate("--data", str(tmp_path), "--json", written, "--plot", str(tmp_path / "plots"))
    assert "kept: 30 texts by local-text-" in said
    assert "dev: 60 texts by local-text-" in said
    assert (tmp_path / "plots" / "reliability-dev.png").stat().st_size > 1000
    said = evaluate("--data", str(tmp_path), "--against", written)
    assert "30 texts that both answered" in said
    assert "60 texts that both answered" in said


def test_the_command_rewrites_floors_only_as_it_is_told(evaluate: Any) -> None:
    evaluate()
    assert floors.read_floors() == {"all flagged": 0.5}
    floors.write_floors({"all flagged": 0.0, "topic boats auroc": 0.9})
    evaluate("--floors", "raise")
    assert floors.read_floors()["all flagged"] == 0.0
    assert "topic boats auroc" in floors.read_floors()
    evaluate("--floors", "reset")
    assert floors.read_floors()["all flagged"] > 0.0
    assert "topic boats auroc" not in floors.read_floors()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "/nowhere"], "holds no model"),
        (["--against", "/nowhere"], "cannot be read"),
        (["--data", "/nowhere"], "holds no"),
    ],
)
def test_what_cannot_be_done_is_said(evaluate: Any, options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        evaluate(*options)
