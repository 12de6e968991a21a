"""One command runs everything, keeps it running, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROLES = {"redis", "web", "worker", "sweeper", "scheduler"}


class Instance:
    """A running `python -m platform_site.embedded` with a data folder and a port of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.output = data.parent / "output.txt"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "platform_site.embedded"],
                cwd=ROOT,
                env=environment(GATEHOUSE_DATA=str(self.data), PORT=str(self.port)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def health(self) -> dict[str, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return json.load(answer)
        except (URLError, OSError):
            return {}

    def submit(self, text: str) -> str:
        """Post through the content service; return where its status is."""
        request = Request(
            f"http://127.0.0.1:{self.port}/api/v1/content/submit",
            data=json.dumps({"text": text, "userId": "bo"}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=5) as answer:
            assert answer.status == 202
            return (
                f"{request.full_url.removesuffix('submit')}{json.load(answer)['contentId']}/status"
            )

    def children(self) -> dict[str, int]:
        """Return the process ids of the children by role."""
        roles = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes()
                name = (entry / "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and words:
                role = name.removeprefix("gatehouse-") if b"server" not in words else "redis"
                roles[next((known for known in ROLES if known.startswith(role)), role)] = int(
                    entry.name
                )
        return roles

    def screen(self) -> str:
        return self.output.read_text()


def environment(**changes: str) -> dict[str, str]:
    """Return an environment without this test run's own stack."""
    ours = {"DATABASE_URL", "REDIS_URL", "REDIS_PREFIX", "CELERY_BROKER_URL", "SECRET_KEY"}
    return {key: value for key, value in os.environ.items() if key not in ours} | changes


def eventually(condition, *, seconds: float):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.05)
    return result


def is_gone(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def instance(tmp_path):
    running = Instance(tmp_path / "data")
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def status_at(address: str) -> str:
    with urlopen(address, timeout=5) as answer:
        return json.load(answer)["status"]


def is_healthy(instance: Instance) -> bool:
    return instance.health().get("status") == "healthy"


def start_is_complete(instance: Instance) -> bool:
    return "Gatehouse is ready" in instance.screen() and set(instance.children()) == ROLES


@pytest.mark.timeout(120)
def test_one_command_runs_everything_and_stops_it(instance):
    eventually(lambda: start_is_complete(instance), seconds=60)
    assert instance.health() == {"status": "healthy", "database": "ok", "redis": "ok"}
    assert f"http://localhost:{instance.port}/" in instance.screen()

    address = instance.submit("I will kill you, you worthless idiot")
    eventually(lambda: status_at(address) == "REJECTED", seconds=10)

    before = instance.children()
    for role in ("redis", "web"):
        os.kill(before[role], signal.SIGKILL)
    after = eventually(
        lambda: (
            set(now := instance.children()) == ROLES
            and not {now[role] for role in ("redis", "web")} & {before["redis"], before["web"]}
            and now
        ),
        seconds=10,
    )
    eventually(lambda: is_healthy(instance), seconds=10)
    address = instance.submit("The tomatoes are finally ripe")
    eventually(lambda: status_at(address) == "APPROVED", seconds=10)

    instance.process.send_signal(signal.SIGINT)
    assert instance.process.wait(timeout=8) == 0
    assert all(is_gone(pid) for pid in [*before.values(), *after.values()])

    began = time.monotonic()
    instance.process = instance.start()
    eventually(lambda: start_is_complete(instance), seconds=30)
    assert time.monotonic() - began < 10
    assert "Preparing" not in instance.screen()

    pids = instance.children().values()
    instance.process.kill()
    instance.process.wait()
    eventually(lambda: all(map(is_gone, pids)), seconds=3)


def run_briefly(**changes: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "platform_site.embedded"],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_taken_port_is_one_clear_message(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, message = run_briefly(GATEHOUSE_DATA=str(tmp_path / "data"), PORT=str(port))
    assert code == 2
    assert message.startswith(f"127.0.0.1:{port} cannot be used")
    assert message.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_clear_message(tmp_path):
    (tmp_path / "file").touch()
    code, message = run_briefly(GATEHOUSE_DATA=str(tmp_path / "file" / "data"))
    assert code == 3
    assert message.startswith(f"{tmp_path}/file/data cannot be written")
    assert message.count("\n") == 1


def test_a_setting_that_is_nonsense_is_one_clear_message(tmp_path):
    code, message = run_briefly(GATEHOUSE_DATA=str(tmp_path / "data"), PORT="eighty")
    assert code == 1
    assert message == "PORT must be a whole number, not 'eighty'.\n"
