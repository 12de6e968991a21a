"""What the manual has people type works: each curl example, as it stands, on a running server."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from moderation.api.limits import forget_tokens
from moderation.credentials import forget_keys
from moderation.queries import forget_everything
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send

pytestmark = pytest.mark.django_db(transaction=True)

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "api.md", *sorted((DOCS / "dialects").glob("*.md"))]
HOST = "http://localhost:8000"
SECRET = "corals-own-secret"
# Whatever stands before `curl` in its paragraph belongs to it.
BLOCK = re.compile(r"(?:^ {4}\S.*\n)(?:^ {4}.*\S.*\n)*", re.MULTILINE)
QUIETLY = "curl() { command curl -sS --max-time 20 -w '\\nstatus=%{http_code}\\n' \"$@\"; }\n"


def _examples():
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            if re.search(r"^ {4}curl ", block, re.MULTILINE):
                name = f"{page.stem}: {block.split(HOST, 1)[-1].split()[0]}"
                yield pytest.param(block, id=name)


EXAMPLES = list(_examples())


@pytest.fixture
def world(live_server, settings):
    """Return what the examples leave to whoever types them."""
    forget_tokens()
    forget_keys()
    forget_everything()
    community = CommunityFactory.create(slug="demo")
    settings.MODERATION = {
        **settings.MODERATION,
        "coral_secrets": frozenset({f"demo:{SECRET}"}),
    }
    key = make_key(community, ["submit", "read", "check", "admin"])[1]
    (fine,), (bad,) = send(community, HARMLESS), send(community, THREAT, writer="cy")
    drain_all()
    return {
        "KEY": key,
        "ID": str(fine.pk),
        "SECRET": SECRET,
        "CLIENT_ID": community.organisation.client_id,
        "fine": str(fine.pk),
        "bad": str(bad.pk),
        "host": live_server.url,
    }


def test_the_manual_has_examples_of_the_api_and_of_each_dialect():
    assert {page.stem for page in PAGES} >= {example.id.partition(":")[0] for example in EXAMPLES}
    assert len(EXAMPLES) >= 12


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works_as_it_stands(example, world):
    # One objects to what was done to a post, and reports what is there to be read.
    post = world["bad"] if "/appeals" in example else world["fine"]
    typed = QUIETLY + re.sub(r"^ {4}", "", example, flags=re.MULTILINE)
    ran = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", typed.replace(HOST, world["host"])],
        env={"PATH": os.environ["PATH"], "POST": post, **world},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^status=20[0-4]$", ran.stdout, re.MULTILINE), ran.stdout
