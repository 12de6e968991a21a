"""Serve the local models to other instances, over gRPC."""

from __future__ import annotations

from argparse import ArgumentParser
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation.outbound.channels import is_grpc_installed
from moderation.providers.adapters.model_server.messages import is_protobuf_installed
from moderation.providers.adapters.model_server.server import Tls, start_server
from moderation.providers.own.local_image import LocalImageProvider
from moderation.providers.own.local_text import LocalTextProvider


class Command(BaseCommand):
    help = "Serve the local text model, and the image model where it is installed, over gRPC."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="an address of this machine")
        parser.add_argument("--port", type=int, default=50051)
        parser.add_argument("--token-file", type=Path, help="who does not know it is refused")
        parser.add_argument("--certificate", type=Path, help="PEM; with --key calls are encrypted")
        parser.add_argument("--key", type=Path, help="PEM")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_grpc_installed() or not is_protobuf_installed():
            raise CommandError("This needs two more libraries: pip install grpcio protobuf")
        token = _read(options["token_file"]).decode().strip()
        if not token and not _is_loopback(options["host"]):
            raise CommandError("Name a --token-file: other machines can reach this address.")
        server, port = self._start(options, token)
        self.stdout.write(f"Serving on {options['host']}:{port}.")
        self.stdout.flush()
        try:
            server.wait_for_termination()
        except KeyboardInterrupt:
            server.stop(grace=2).wait()

    def _start(self, options: dict[str, Any], token: str) -> tuple[Any, int]:
        host = options["host"]
        try:
            return start_server(
                (LocalTextProvider(), LocalImageProvider()),
                address=f"[{host}]:{options['port']}"
                if ":" in host
                else f"{host}:{options['port']}",
                token=token,
                tls=_tls(options),
            )
        except RuntimeError as error:
            raise CommandError(f"{host}:{options['port']} cannot be had.") from error


def _tls(options: dict[str, Any]) -> Tls | None:
    if bool(options["certificate"]) != bool(options["key"]):
        raise CommandError("--certificate and --key go together.")
    if not options["certificate"]:
        return None
    return Tls(_read(options["certificate"]), _read(options["key"]))


def _read(path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read.") from error
    if not content.strip():
        raise CommandError(f"{path} is empty.")
    return content


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
