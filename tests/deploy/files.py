"""What the deployment files hold, read once for the tests beside this."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
KUBERNETES = DOCKER / "kubernetes"
ENTRYPOINT = DOCKER / "entrypoint.sh"

# What the entrypoint itself reads; the rest are settings.
ROLE_VARIABLES = frozenset({"WEB_PROCESSES", "WEB_THREADS", "WORKER_PROCESSES"})


def compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def own_services():
    """The services of compose that run our image."""
    return {
        name: service
        for name, service in compose()["services"].items()
        if service["image"].startswith("${GATEHOUSE_IMAGE")
    }


def manifests():
    """Every object that the manifests hold, in the order of their files."""
    return [
        document
        for file in sorted(KUBERNETES.rglob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
        if document
    ]


def of_kind(kind):
    return {item["metadata"]["name"]: item for item in manifests() if item["kind"] == kind}


def pods():
    """The pod of each deployment and job, by the object's name."""
    return {
        name: item["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for name, item in of_kind(kind).items()
    }


def settings_env():
    """What settings.env sets."""
    lines = (KUBERNETES / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def known_variables():
    """The settings that docs/settings.md names, and the entrypoint's own."""
    page = (ROOT / "docs/settings.md").read_text()
    return {*re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE), *ROLE_VARIABLES}


def lanes_of(arguments):
    """The lanes that a worker's arguments name."""
    return arguments[1].split(",")


def seconds(text):
    return int(text.removesuffix("s"))


def option_of(role, option):
    """The number that the entrypoint gives a role's program for an option."""
    part = re.search(rf"\n  {role}\)(.*?)\n  (?:[a-z]+|\*)\)", ENTRYPOINT.read_text(), re.DOTALL)
    return int(re.search(rf"{option} (\d+)", part.group(1)).group(1))


def ask_entrypoint(*words, **variables):
    """Run the entrypoint as the image would, but with this machine's programs."""
    programs = Path(sys.executable).parent
    return subprocess.run(
        [str(ENTRYPOINT), *words],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{programs}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
