"""Train the local text model from a folder of corpora."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from moderation.providers.own.local_text.provider import DATA
from moderation.providers.own.local_text.training.build import train_files
from moderation.providers.own.local_text.training.linear import TrainingSettings


class Command(BaseCommand):
    help = "Train the local text model; writes its files and prints how it does on the dev split."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with *.jsonl.gz")
        parser.add_argument("--out", type=Path, default=DATA, help="where to write the files")
        parser.add_argument("--seed", type=int, default=TrainingSettings().seed)
        parser.add_argument(
            "--without-encoder",
            action="store_true",
            help="train the n-gram model alone, which takes two minutes and needs no torch",
        )

    def handle(self, *args: object, **options: object) -> None:
        data, out, seed = options["data"], options["out"], options["seed"]
        assert isinstance(data, Path)
        assert isinstance(out, Path)
        assert isinstance(seed, int)
        if not any(data.glob("*.jsonl.gz")):
            raise CommandError(f"{data} holds no *.jsonl.gz")
        try:
            report = train_files(
                data,
                out,
                settings=TrainingSettings(seed=seed),
                say=self.stderr.write,
                with_encoder=not options["without_encoder"],
            )
        except ImportError as error:
            raise CommandError(
                f"The encoder cannot be trained here: {error}. Install torch 2.13.0 and"
                " requirements-training.txt (docs/text-model.md), or pass --without-encoder."
            ) from error
        self.stdout.write(json.dumps(report, indent=2))
