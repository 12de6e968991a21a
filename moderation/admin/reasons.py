"""The reasons that a moderator picks from. The author reads them, so they speak to the author."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from moderation.models import CannedReason
from moderation.vocabulary import Category, DeskAction

# By what they suit; the key is what a form sends.
GROUPS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "To approve",
        (
            ("within_rules", "It keeps to the rules."),
            ("fine_in_context", "Read in its context, it keeps to the rules."),
            ("check_was_wrong", "The automatic check was mistaken."),
        ),
    ),
    (
        "To warn",
        (
            ("harsh_tone", "It stays, but its tone is harsh. Please mind how it reads."),
            ("borderline", "It stays, but it comes close to breaking the rules."),
        ),
    ),
    (
        "To reject",
        (
            ("insults", "It insults or harasses someone."),
            ("threatens", "It threatens someone."),
            ("hates", "It attacks people for who they are."),
            ("sexual", "It is sexual, and this community is not the place for that."),
            ("graphic", "It shows violence."),
            ("personal", "It gives away someone's personal information."),
            ("spam", "It advertises, or repeats itself."),
            ("illicit", "It offers or asks for something illegal."),
        ),
    ),
    (
        "To escalate",
        (
            ("danger", "Someone may be in danger."),
            ("unsure", "I am not sure how the rules apply."),
            ("own_interest", "I know the people involved."),
        ),
    ),
)

SENTENCES: Final[dict[str, str]] = {key: text for _, group in GROUPS for key, text in group}

_ACTIONS: Final = (DeskAction.ALLOW, DeskAction.WARN, DeskAction.BLOCK, DeskAction.ESCALATE)
_SUITS: Final[Mapping[str, frozenset[Category]]] = {
    "insults": frozenset({Category.HARASSMENT, Category.TOXIC, Category.SEVERE_TOXIC}),
    "threatens": frozenset({Category.THREAT, Category.VIOLENCE}),
    "hates": frozenset({Category.HATE, Category.EXTREMISM}),
    "sexual": frozenset({Category.SEXUAL, Category.SEXUAL_MINORS}),
    "graphic": frozenset({Category.GRAPHIC, Category.VIOLENCE}),
    "personal": frozenset({Category.PERSONAL_INFO}),
    "spam": frozenset({Category.SPAM, Category.MALWARE}),
    "illicit": frozenset({Category.ILLICIT, Category.DRUGS, Category.WEAPONS}),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """`key` is what a form sends. `fits` says that it speaks of what was found."""

    key: str
    text: str
    fits: bool = False


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    action: DeskAction
    title: str
    reasons: tuple[Reason, ...]


def offered(community_id: int, category: str | None) -> tuple[ReasonGroup, ...]:
    """Return what a community's moderators pick from, what fits the category first.

    A community's own sentences for an action take the place of those that come with Gatehouse.
    """
    own: dict[str, list[Reason]] = {}
    for row in CannedReason.objects.filter(community_id=community_id, active=True):
        if row.category in (None, category):
            fits = row.category is not None
            own.setdefault(row.action, []).append(Reason(f"own-{row.pk}", row.text, fits))
    return tuple(
        ReasonGroup(action, title, _fitting_first(own.get(action) or _built_in(group, category)))
        for action, (title, group) in zip(_ACTIONS, GROUPS, strict=True)
    )


def _built_in(group: tuple[tuple[str, str], ...], category: str | None) -> list[Reason]:
    return [Reason(key, text, category in _SUITS.get(key, ())) for key, text in group]


def _fitting_first(reasons: list[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: not reason.fits))
