"""Nothing but the guarded client may open a connection to an address that somebody gave us."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTBOUND = ROOT / "moderation" / "outbound"
# Calls back as outside services do, but on loopback only, where the guarded client does not go.
SANDBOX_CALLBACKS = ROOT / "moderation" / "sandbox"
# Whatever can reach the network by itself. `urllib.parse` and the like cannot.
# It is asked, and asks nobody.
MODEL_SERVER = ROOT / "moderation" / "providers" / "adapters" / "model_server" / "server.py"
FORBIDDEN = {
    "aiohttp",
    "ftplib",
    "grpc",
    "http.client",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "requests",
    "socket",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websockets",
}


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) == "import_module":
            names.update(one.value for one in node.args if isinstance(one, ast.Constant))
    return names


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def reaching_out(source: str) -> set[str]:
    return {
        name
        for name in imported(source)
        for way in FORBIDDEN
        if name == way or name.startswith(f"{way}.")
    }


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import requests", True),
        ("def f():\n    import httpx2 as h", True),
        ("from urllib import request", True),
        ("import urllib.request", True),
        ("from http.client import HTTPConnection", True),
        ("import socket", True),
        ("import_module('grpc')", True),
        ("importlib.import_module('socket')", True),
        ("import_module(name)", False),
        ("from urllib.parse import urlsplit", False),
        ("from moderation.outbound import GuardedClient", False),
    ],
)
def test_this_test_sees_every_way_out(source: str, caught: bool) -> None:
    assert bool(reaching_out(source)) == caught


def test_only_the_guarded_client_reaches_the_network() -> None:
    files = [
        path
        for path in (ROOT / "moderation").rglob("*.py")
        if not {OUTBOUND, SANDBOX_CALLBACKS, MODEL_SERVER} & {path, *path.parents}
    ]
    found = {
        str(path.relative_to(ROOT)): ways
        for path in files
        if (ways := reaching_out(path.read_text(encoding="utf-8")))
    }
    assert len(files) > 20
    assert found == {}
