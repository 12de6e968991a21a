"""What tests of dialects share: keys, and providers that say what a test has them say."""

from __future__ import annotations

import pytest

from moderation.providers.base import Answer
from moderation.vocabulary import Outcome
from tests.asking.fakes import FakeService
from tests.factories import make_key
from tests.pipeline.helpers import add_provider
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def key(community):
    """The text of a key that may ask, of the community `garden`."""
    return make_key(community, ["check"])[1]


@pytest.fixture
def scored(community, monkeypatch):
    """Let every text and picture of the garden get these scores: `scored(hate=0.9)`."""

    def say(*, outcome=Outcome.JUDGED, version="fake-1", **scores):
        judge = FakeService(
            "judge",
            lambda part: Answer(outcome, scores=scores, error="" if scores else "down"),
            is_local=True,
            model_version=version,
        )
        add_provider(monkeypatch, judge)
        use_policy(community, route={"text": ["judge"], "image": ["judge"], "gif": ["judge"]})
        return judge

    return say
