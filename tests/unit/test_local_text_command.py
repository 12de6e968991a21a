"""The command that trains the text model."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from moderation.providers.own.local_text import LocalTextProvider
from tests.unit.test_local_text import write_corpus


def test_the_command_writes_a_model_that_the_provider_loads(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_corpus(data)
    printed = StringIO()
    call_command(
        "train_text_model",
        data=data,
        out=out,
        seed=3,
        without_encoder=True,
        stdout=printed,
        stderr=StringIO(),
    )
    assert json.loads(printed.getvalue())["toxic"]["texts"] > 0
    assert LocalTextProvider(out).is_available()


def test_the_command_refuses_a_folder_without_corpora(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no \*\.jsonl\.gz"):
        call_command("train_text_model", data=tmp_path, out=tmp_path)
