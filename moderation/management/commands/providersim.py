"""Run the sandbox: every provider's protocol on one local port, with magic inputs."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation.sandbox.clamd import running_clamd
from moderation.sandbox.control import describe_services
from moderation.sandbox.server import DEFAULT_PORT, Sandbox


class Command(BaseCommand):
    help = "Run a local server that pretends to be every moderation provider. See docs/sandbox.md."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=DEFAULT_PORT)
        parser.add_argument(
            "--clamd-port", type=int, default=0, help="where ClamAV listens; any port by default"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sandbox = Sandbox(options["port"])
        except OSError as error:
            raise CommandError(f"Port {options['port']} cannot be used: {error}.") from error
        for prefix, url in describe_services(sandbox).items():
            self.stdout.write(f"{prefix:16} {url}")
        self.stdout.write(f"Scripts and records: {sandbox.base_url}/_control. Ctrl-C ends it.")
        with running_clamd(options["clamd_port"]) as clamd:
            self.stdout.write(f"{'clamd':16} {clamd.address}")
            self.stdout.flush()
            with contextlib.suppress(KeyboardInterrupt):
                sandbox.run()
        sandbox.close()
