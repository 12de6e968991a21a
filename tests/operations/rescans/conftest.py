"""Who starts operations in these tests, and a broker whose messages are done here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from moderation import tasks
from moderation.models import Community
from moderation.operations import ledger
from moderation.operations.rescan import start_rescan
from moderation.pipeline.rejudging.rescan import Selection
from tests.factories import CommunityFactory, make_moderator

SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


@dataclass
class Broker:
    """Messages in the order in which they came: what was said, and after how many seconds."""

    messages: list[tuple[str, dict[str, Any], float]] = field(default_factory=list)

    def keep(
        self, task: str, *, kwargs: dict[str, Any], countdown: float | None = None, **_: Any
    ) -> None:
        if task in ledger.LABELS:  # the doorbell rings through the same door
            self.messages.append((task, kwargs, countdown or 0))

    def do_one(self) -> None:
        _, said, _ = self.messages.pop(0)
        tasks.rescan_community(**said)

    def do_all(self, between: Callable[[], object] = lambda: None) -> int:
        """Do turn after turn, with what happens in between; return how many there were."""
        turns = 0
        while self.messages:
            self.do_one()
            between()
            turns += 1
            assert turns < 200, "it never ends"
        return turns


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", made.keep)
    return made


@pytest.fixture
def community(db: None) -> Community:
    made: Community = CommunityFactory.create()
    return made


@pytest.fixture
def lea(community: Community) -> User:
    return make_moderator(community, username="lea")


@pytest.fixture
def everything(community: Community) -> Selection:
    return Selection(community.pk, SINCE, UNTIL)


@pytest.fixture
def rescan(broker: Broker, lea: User, everything: Selection) -> Callable[..., str]:
    """Return who starts a rescan: of everything, unless told otherwise."""

    def start(selection: Selection | None = None) -> str:
        return start_rescan(selection=selection or everything, user=lea)

    return start
