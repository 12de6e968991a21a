"""The whole product on a port of its own, and Chromium to look at it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from platform_site.forum.demo import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results"
READY_SECONDS = 240.0
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

# Without these Chromium asks its maker's servers for news, at every start.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What this test run set for itself, and what must not reach the product.
OURS = ("DATABASE_URL", "REDIS_URL", "REDIS_PREFIX", "CELERY_BROKER_URL", "SECRET_KEY")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"), "args": QUIET}


@pytest.fixture(scope="session")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the product for the whole session; return where it is."""
    folder = tmp_path_factory.mktemp("browser")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key not in OURS}
    environment |= {"GATEHOUSE_DATA": str(folder / "data"), "PORT": str(port)}
    with (folder / "output.txt").open("wb") as output:
        product = subprocess.Popen(
            [sys.executable, "-m", "platform_site.embedded"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _is_ready(port):
            assert product.poll() is None, (folder / "output.txt").read_text()
            assert time.monotonic() < deadline, (folder / "output.txt").read_text()
            time.sleep(0.2)
        _warm_up(port)
        yield f"http://localhost:{port}"
    finally:
        product.terminate()
        product.wait(timeout=20)


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _warm_up(port: int) -> None:
    """Have a first text judged: what tells languages apart is read when it is first needed."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    first = json.dumps({"text": "Guten Morgen, liebe Nachbarn!", "userId": "wen"})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/api/v1/content/submit", first, headers)
    where = f"/api/v1/content/{json.load(connection.getresponse())['contentId']}/status"
    for _ in range(100):
        connection.request("GET", where)
        if json.load(connection.getresponse())["status"] != "PENDING":
            break
        time.sleep(0.1)
    connection.close()


@pytest.fixture
def person(browser: Browser, base_url: str) -> Iterator[Callable[..., Page]]:
    """Return a page of somebody's own browser, signed in under a name: `person("bo")`.

    Whatever the page complains of on its console fails the test.
    """
    contexts = []
    complaints: list[str] = []

    def open_page(name: str = "", **options: Any) -> Page:
        context = browser.new_context(base_url=base_url, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if _is_bad(said) else None)
        if name:
            page.goto("/accounts/login/")
            page.get_by_label("Username").fill(name)
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            page.get_by_role("main").get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _is_bad(said: Any) -> bool:
    # That something is not there any more, or is refused, is part of some stories.
    return said.type == "error" and not re.search("status of (404|409|422)", said.text)


@pytest.fixture
def photograph() -> Callable[[Page, str], None]:
    """Keep a picture of a page under test-results/."""
    RESULTS.mkdir(exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=RESULTS / f"{name}.png", full_page=True)

    return take


@pytest.fixture(scope="session")
def accessible() -> Callable[[Page], None]:
    """Hold a page as it stands at this moment to WCAG 2.2 AA, as far as axe-core can tell."""
    axe = Axe()
    only = {"type": "tag", "values": WCAG_22_AA}

    def check(page: Page) -> None:
        found = axe.run(page, options={"runOnly": only, "resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()

    return check
