"""An instance with people, posts, a picture, a decision and a record."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pytest_django.fixtures import Settings

from moderation.conf import get_conf
from moderation.models import Author, Community, ProviderAccount
from moderation.pipeline.audit.checkpoint import public_key
from moderation.pipeline.media import NewMedia
from tests.conftest import _kept_schema
from tests.factories import CommunityFactory
from tests.pipeline.helpers import drain_all, send


@pytest.fixture
def kept_apart(settings: Settings, tmp_path: Path) -> Path:
    """Let the instance under test have a media store and lists of its own; return where."""
    here = tmp_path / "here"
    here.mkdir()
    settings.MEDIA_ROOT = str(here / "media")
    settings.MODERATION = {
        **settings.MODERATION,
        "erasures_file": str(here / "erasures.jsonl"),
    }
    public_key()
    return here


@pytest.fixture
def schema(request: pytest.FixtureRequest, django_db_setup: None) -> Path:
    """Return an empty SQLite file with all tables, where this database is one."""
    return _kept_schema(request.config)


@pytest.fixture
def audit_key(kept_apart: Path) -> dict[str, str]:
    """What another instance needs to sign under the same key."""
    return {"GATEHOUSE_AUDIT_KEY_FILE": get_conf().audit_key_file}


def picture(colour: int = 90) -> bytes:
    image = Image.effect_noise((160, 160), colour).convert("RGB")
    made = BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


@pytest.fixture
def filled(transactional_db: None, kept_apart: Path) -> Community:
    """Fill the instance: Bo and Cy have posts with pictures; one waits for its worker."""
    community: Community = CommunityFactory.create()
    ProviderAccount.objects.create(
        name="ours", adapter="openai", secrets={"api_key": "sk-secret-value"}, options={"a": 1.5}
    )
    for writer in ("bo", "cy"):
        send(
            community,
            f"The tomatoes of {writer} are finally ripe — жёлтые 🍅",
            writer=writer,
            media=(NewMedia(data=picture(), alt_text="Tomatoes"),),
        )
        drain_all()
    send(
        community,
        "This one waits",
        writer="cy",
        media=(NewMedia(data=picture(60), alt_text="Waiting"),),
    )
    return community


def author(name: str) -> Author:
    return Author.objects.get(external_id=name)
