"""Ask a community's policy about texts that another service has scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from moderation.conf import get_conf
from moderation.labels.attributes import CATEGORIES
from moderation.labels.comparison import Scored
from moderation.labels.stored import Stored
from moderation.models import Community
from moderation.pipeline.judging.check import Checked, Draft, check
from moderation.vocabulary import Outcome

# As many as one request of the API may ask about.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Rescored:
    """A text with their scores and ours, None where it was not asked about.

    `judges` are who judged it, each with its model's version.
    """

    stored: Stored
    scored: Scored | None
    judges: frozenset[tuple[str, str]] = frozenset()


def rescore(
    community: Community, texts: Iterable[Stored], *, deadline_seconds: float
) -> Iterator[list[Rescored]]:
    """Yield texts as they came, in batches, each with our scores beside theirs.

    Texts that are empty, or longer than a post may be, are not asked about.
    """
    left = iter(texts)
    while batch := list(islice(left, BATCH)):
        asked = [one for one in batch if _can_be_asked(one.text)]
        drafts = [Draft(community, body=one.text) for one in asked]
        said = iter(check(drafts, deadline_seconds=deadline_seconds) if drafts else [])
        yield [
            _rescored(one, next(said)) if _can_be_asked(one.text) else Rescored(one, None)
            for one in batch
        ]


def _can_be_asked(text: str) -> bool:
    return bool(text.strip()) and len(text) <= get_conf().max_body_chars and "\x00" not in text


def _rescored(stored: Stored, checked: Checked) -> Rescored:
    ours = {
        attribute: checked.scores[CATEGORIES[attribute]]
        for attribute in stored.scores
        if CATEGORIES.get(attribute) in checked.scores
    }
    return Rescored(stored, Scored(stored.scores, ours), _judges(checked))


def _judges(checked: Checked) -> frozenset[tuple[str, str]]:
    return frozenset(
        (item.provider, item.model_version)
        for item in checked.answers
        if item.answer.outcome is Outcome.JUDGED
    )
