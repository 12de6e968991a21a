"""The image: its entrypoint's roles run here too, its health check asks by the site's name."""

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from moderation.vocabulary import Lane
from tests.deploy import files

DOCKERFILE = (files.DOCKER / "Dockerfile").read_text()
WORDS = {"reader": ["kafka", "posts"], "manage": ["sweep"]}


def roles():
    """The roles that the entrypoint's own help names."""
    text = files.ENTRYPOINT.read_text().split("Roles:\n", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^  ([a-z]+)", text, re.MULTILINE)


@pytest.mark.parametrize("role", roles())
def test_the_program_of_each_role_knows_the_options_that_it_is_given(role):
    done = files.ask_entrypoint(role, *WORDS.get(role, []), "--help")
    assert done.returncode == 0, done.stderr
    assert "sage" in done.stdout


def test_a_role_replaces_the_shell_so_that_signals_reach_it():
    programs = Path(sys.executable).parent
    with subprocess.Popen(
        [
            str(files.ENTRYPOINT),
            "manage",
            "shell",
            "--no-imports",
            "-c",
            "import os; print(os.getpid())",
        ],
        cwd=files.ROOT,
        env={**os.environ, "PATH": f"{programs}:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        said, _ = process.communicate(timeout=50)
    assert int(said.split()[-1]) == process.pid


def test_every_role_is_started_by_exec():
    body = files.ENTRYPOINT.read_text().split('\ncase "$role" in', 1)[1]
    for role in roles():
        assert re.search(
            rf"^  {role}\)(?:(?!;;\n  \w).)*?\bexec ", body, re.MULTILINE | re.DOTALL
        ), role


@pytest.mark.parametrize(
    ("words", "variables", "says"),
    [
        (["wbe"], {}, "no role 'wbe'"),
        (["worker", "screen.hihg"], {}, "no lane 'screen.hihg'"),
        (["worker"], {"WORKER_PROCESSES": "many"}, "WORKER_PROCESSES must be"),
        (["web"], {"WEB_THREADS": "0"}, "WEB_THREADS must be"),
    ],
)
def test_a_mistake_is_named_before_anything_starts(words, variables, says):
    done = files.ask_entrypoint(*words, **variables)
    assert done.returncode == 64
    assert says in done.stderr


def test_the_entrypoint_knows_every_lane():
    (line,) = re.findall(r"^LANES=(.*)$", files.ENTRYPOINT.read_text(), re.MULTILINE)
    assert sorted(line.split(",")) == sorted(Lane.values)


def test_the_image_is_not_root_and_has_its_base_by_version():
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]


def test_everything_is_installed_by_its_hash():
    installs = re.findall(
        r"pip install (.*?)(?=\n[A-Z&]|\n {4}done)", DOCKERFILE.replace("\\\n", "")
    )
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)


def test_the_extras_are_off_and_the_licence_is_told():
    for extra in ("VISION", "VIDEO", "KAFKA", "TRACING", "S3", "SENTRY"):
        assert f"ARG {extra}=0" in DOCKERFILE
        assert (files.ROOT / f"requirements-{extra.lower()}.txt").is_file()
    assert "AGPL-3.0" in DOCKERFILE


def test_what_is_copied_is_there_and_reaches_the_builder():
    sent = (files.DOCKER / "Dockerfile.dockerignore").read_text()
    allowed = re.findall(r"^!(.*)$", sent, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(\S+) ", DOCKERFILE, re.MULTILINE)
    assert len(copied) >= 8
    for source in copied:
        assert list(files.ROOT.glob(source)), source
        assert source in allowed, source


@pytest.fixture
def server():
    """A real server, which answers only to the site's own name, as Gatehouse does."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            by_name = self.headers["Host"] == "forum.example.org"
            self.send_response(200 if by_name and self.path == "/health/ready" else 400)
            self.end_headers()

        def log_message(self, *args):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening.server_port
        listening.shutdown()
        thread.join()


def check_health(port, url):
    return subprocess.run(
        [sys.executable, str(files.DOCKER / "healthcheck.py")],
        env={**os.environ, "PORT": str(port), "GATEHOUSE_URL": url},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_health_check_asks_by_the_sites_name(server):
    assert check_health(server, "https://forum.example.org").returncode == 0


def test_the_health_check_fails_when_it_is_refused_or_nobody_is_there(server):
    refused = check_health(server, "https://other.example.org")
    assert refused.returncode == 1
    assert "HTTP 400" in refused.stderr
    assert check_health(1, "https://forum.example.org").returncode == 1
