"""Why a post is where it is, in plain words for its author: never a score, never other people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moderation.policy.verdict import NOT_JUDGED
from moderation.vocabulary import Action, Category


@dataclass(frozen=True, slots=True)
class Explanation:
    """`by` tells a policy's verdict from a person's decision; `rule` is "" for the latter."""

    by: Literal["policy", "person"]
    action: Action
    rule: str
    category: Category | None
    text: str


_TEXT = {
    Action.ALLOW: "This post keeps to this community's policy.",
    Action.WARN: "Readers see a warning on this post. What was found: {category}.",
    Action.REVIEW: "A moderator looks at this post. What may be in it: {category}.",
    Action.BLOCK: "This community's policy does not allow this post. What was found: {category}.",
}
_NOT_JUDGED = "Part of this post could not be checked by machine, so a moderator looks at it."
_AFTER_REJECTION = "A moderator rejected this post before, so one looks at the new version too."
_WITHOUT_CATEGORY = "something that a rule of this community names"


def explain_verdict(action: Action, rule: str, category: str | None) -> Explanation:
    known = Category(category) if category else None
    if rule == NOT_JUDGED:
        text = _NOT_JUDGED
    elif action is Action.REVIEW and known is None:
        text = _AFTER_REJECTION
    else:
        text = _TEXT[action].format(category=known.label.lower() if known else _WITHOUT_CATEGORY)
    return Explanation(by="policy", action=action, rule=rule, category=known, text=text)


def explain_decision(action: Action, category: str | None, reason: str) -> Explanation:
    """`reason` is what the moderator wrote for the author."""
    known = Category(category) if category else None
    return Explanation(by="person", action=action, rule="", category=known, text=reason)
