"""How much a report counts, how far it lifts an item, and what may be said of who reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from moderation.vocabulary import Action, ReportSource, ReportState

# What a reporter of whom nothing is known yet weighs.
NEWCOMERS_WEIGHT: Final = 1.0
# As much as five newcomers: their notices come first, as the law asks.
TRUSTED_FLAGGERS_WEIGHT: Final = 5.0
# The rule behind a verdict that holds a post because of its reports.
HELD_BY_REPORTS: Final = "reports.hold"
# The rule of an item that nothing but reports put before a person.
REPORTED: Final = "reported"
# Doubling the weight that has come together is worth so much head start in the queue.
BONUS_SECONDS_A_DOUBLING: Final = 6 * 3600.0
# Below this many answered reports nothing is said of a reporter: chance alone explains it.
ENOUGH_ANSWERED: Final = 10
# "Frequently manifestly unfounded": nine of ten were refused.
MISUSE_SHARE: Final = 0.9


def weight_of(upheld: int, refused: int) -> float:
    """Return how much a reporter's next report counts, between 0 and 2.

    Twice the share of earlier ones that were upheld, as if one of each stood before the first:
    one mishap silences nobody, and nobody becomes infallible.
    """
    return 2 * (upheld + 1) / (upheld + refused + 2)


def counts_for_holding(weight: float) -> bool:
    """Whether a report may help to hold a post: only those of proven reporters do.

    However many accounts somebody opens, what they report stays visible until a person looks.
    """
    return weight > NEWCOMERS_WEIGHT


def bonus_seconds(weight: float) -> float:
    """Return the head start of an item whose open reports come to a weight."""
    return BONUS_SECONDS_A_DOUBLING * math.log2(1 + max(weight, 0.0))


def is_acted_on(action: Action | None) -> bool:
    """Whether what stands of a post answers its reports with yes; None stands for nothing."""
    return action in (Action.WARN, Action.BLOCK)


Advice = Literal["none", "warn", "mute"]


@dataclass(frozen=True, slots=True)
class ReportersRecord:
    """What is known of somebody who reports."""

    upheld: int
    refused: int
    warned_at: datetime | None

    @property
    def refused_share(self) -> float | None:
        """Return the share (0.0-1.0) of answered reports that were refused, None without any."""
        answered = self.upheld + self.refused
        return self.refused / answered if answered else None


def advice_for(record: ReportersRecord) -> Advice:
    """Return what a lead may consider; a person decides, and warns before muting."""
    share = record.refused_share
    if record.upheld + record.refused < ENOUGH_ANSWERED or share is None or share < MISUSE_SHARE:
        return "none"
    return "warn" if record.warned_at is None else "mute"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reporter is told: never the author's sanction, nor who else reported.

    `by` is who decided, "" while nobody has. `automated` says whether a machine had a part in
    the answer.
    """

    text: str
    by: Literal["", "person", "author"]
    automated: bool = False


_LOOKED = {
    True: "A moderator looked at this very content before and acted on it.",
    False: "A moderator looked at this very content before and found no reason to act.",
}


def answer_to(state: ReportState, *, action: Action | None) -> Answer:
    """Return the answer to a report; `action` is what a person decided, None if nobody did."""
    if state is ReportState.OPEN:
        return Answer("A moderator will look at it.", "")
    if state is ReportState.ACTED_ON:
        if action is None:
            return Answer("The author has taken the post away.", "author")
        return Answer("A moderator looked at the post and acted on it. Thank you.", "person")
    if state is ReportState.REFUSED:
        text = "A moderator looked at the post and found that it keeps to the rules, so it stays."
        return Answer(text, "person")
    if action is None:
        return Answer("Your reports are not looked at for the time being.", "", automated=True)
    text = f"{_LOOKED[is_acted_on(action)]} It is looked at again once it changes."
    return Answer(text, "person", automated=True)


def is_notice(source: ReportSource | str) -> bool:
    """Whether a report is a notice of illegal content, with a notice's rights."""
    return source in (ReportSource.NOTICE, ReportSource.TRUSTED_FLAGGER)
