"""Rules, steps and severities in the words that a moderator reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from moderation.models import Effect, Review, VerdictRecord
from moderation.policy.verdict import BRAKED, EDITED_AFTER_REJECTION, NOT_JUDGED, NOTHING_FIRED
from moderation.vocabulary import (
    Action,
    Category,
    DeskAction,
    DisabledBecause,
    EffectKind,
    ReviewLane,
    Sanction,
    Severity,
)

# A sign beside the word, so that nobody depends on telling colours apart.
SEVERITY_ICON: Final = {
    Severity.LOW: "stat_minus_1",
    Severity.MEDIUM: "equal",
    Severity.HIGH: "stat_1",
    Severity.CRITICAL: "stat_2",
}

_POLICY_DOES: Final = {
    Action.ALLOW: "allows",
    Action.WARN: "warns",
    Action.REVIEW: "asks a person",
    Action.BLOCK: "blocks",
}

_STEPS: Final = {
    "post.submitted": "posted it",
    "post.edited": "edited it",
    "post.deleted": "deleted it",
    "post.approved": "approved it",
    "post.queued": "put it before a moderator",
    "post.rejected": "rejected it",
    "post.rescanned": "asked for another look",
    "appeal.opened": "objected",
    "appeal.judged_again": "judged again for an appeal",
    "appeal.asked": "wrote to whoever objected",
    "appeal.replied": "wrote again about their appeal",
    "appeal.upheld": "upheld the decision",
    "appeal.overturned": "overturned the decision",
    "appeal.withdrawn": "withdrew their appeal",
    "decision.approved": "approved it",
    "decision.rejected": "rejected it",
    "decision.undone": "took the decision back",
    "review.escalated": "put it before a lead",
    "review.noted": "left a note",
    "review.skipped": "left it to others",
    "enforcement.reversed": "reversed an enforcement",
    "report.created": "took in a report",
    "report.settled": "answered a report",
    "report.reopened": "took back the answer to a report",
    "reporter.warned": "warned somebody of reporting without reason",
    "reporter.muted": "left somebody's reports aside for a time",
    "reporter.unmuted": "listened to somebody's reports again",
    "flagger.added": "marked a trusted flagger",
    "flagger.removed": "took away a trusted flagger's mark",
    "policy.revised": "wrote a new revision of the policy",
    "policy.activated": "put a policy revision in force",
    "reason.changed": "changed a reason to pick from",
    "reason.removed": "removed a reason to pick from",
    "words.changed": "changed the word list",
    "words.removed": "removed a word",
    "bank.changed": "changed an entry of a bank",
    "bank.filled": "banked what the post shows",
    "bank.imported": "added a list to a bank",
    "bank.matched": "found it among what is banked",
    "bank.quarantined": "put a flooding entry in quarantine",
    "bank.released": "released an entry from quarantine",
    "bank.set_up": "set up a bank",
    "person.erased": "erased the person",
    "filter.added": "added a filter",
    "filter.changed": "changed a filter",
    "filter.removed": "removed a filter",
    "quality.answered": "answered a blind check",
    "quality.passed": "left a blind check to others",
    "quality.golden_added": "added a golden item",
    "quality.golden_changed": "changed a golden item",
    "experiment.started": "started an experiment",
    "experiment.ended": "ended an experiment",
    "key.issued": "issued an API key",
    "key.rotated": "replaced an API key",
    "key.changed": "changed how much an API key may send",
    "key.revoked": "revoked an API key",
    "provider.set_up": "set up a service",
    "provider.changed": "changed how a service is set up",
    "provider.removed": "removed a service",
    "provider.tried": "tried a service",
    "brake.pulled": "let it ask a person: it blocks far more than usual",
    "brake.released": "let it block again",
    "breaker.held": "took a service's breaker in hand",
    "breaker.released": "left a service's breaker to the rules",
    "endpoint.added": "set up an endpoint",
    "endpoint.changed": "changed an endpoint",
    "endpoint.secret_rotated": "replaced an endpoint's secret",
    "endpoint.enabled": "enabled an endpoint",
    "endpoint.disabled": "disabled an endpoint",
    "endpoint.removed": "removed an endpoint",
    "endpoint.tested": "tested an endpoint",
    "endpoint.replayed": "sent messages again",
    "lane.paused": "paused a lane",
    "lane.resumed": "let a lane go on",
    "lane.requeued": "put back what was stuck in a lane",
    "process.drained": "asked a worker to drain",
    "process.undrained": "let a worker claim again",
    "administrator.invited": "made the link for the first administrator",
    "administrator.made": "made the first administrator",
    "operation.started": "started an operation",
    "operation.paused": "paused an operation",
    "operation.resumed": "let an operation go on",
    "operation.cancelled": "stopped an operation",
    "operation.finished": "finished an operation",
}

CONSEQUENCE: Final = {
    EffectKind.PUBLISH: "It no longer keeps the post visible.",
    EffectKind.HOLD: "It no longer holds the post back.",
    EffectKind.HIDE: "It no longer hides the post from readers.",
    EffectKind.QUEUE: "It no longer asks a moderator.",
    EffectKind.STRIKE: "The strike against the author is taken back.",
    EffectKind.NOTICE: "The notice to the author no longer stands; they are told so.",
    EffectKind.WARNING: "The warning to the author is taken back.",
    EffectKind.POST_HOLD: "It no longer makes the author's posts wait for their check.",
    EffectKind.SILENCE: "It no longer keeps the author from posting.",
    EffectKind.SUSPENSION: "It no longer suspends the author.",
    EffectKind.BANK: "What it banked is no longer looked for.",
}


def category_label(category: str | None) -> str:
    return str(Category(category).label) if category in Category.values else (category or "")


def action_label(action: str | None) -> str:
    return str(Action(action).label) if action in Action.values else (action or "")


def answer_label(action: str | None) -> str:
    """Say what a person concluded in the words of the desk's buttons."""
    return str(DeskAction(action).label) if action in DeskAction.values else (action or "")


def policy_does(action: str | None) -> str:
    """Say what a policy does that asks for an action; None asks for nothing."""
    return _POLICY_DOES[Action(action)] if action in Action.values else "does nothing"


def part_label(key: str | None) -> str:
    """Name a part of a post as people do: the text, or an attachment."""
    if key is None:
        return ""
    return {"text": "the text", "author_name": "the author's name"}.get(key, "an attachment")


def why_here(review: Review) -> str:
    """Say in a sentence why an item waits for a person."""
    verdict = review.verdict
    if review.lane == ReviewLane.SAMPLE:
        return "Nothing fired. Drawn as a sample, to check the checks."
    if review.rule == EDITED_AFTER_REJECTION:
        return "Edited after a moderator rejected it. The policy found nothing to stop it."
    if review.rule == NOT_JUDGED:
        parts = _listed(part_label(key) for key in (verdict.not_judged if verdict else []))
        return f"Nobody could judge {parts or 'a part of it'}, so a person must."
    return _because(
        review.rule, review.category, review.score, verdict.threshold if verdict else None
    )


def why_verdict(verdict: VerdictRecord) -> str:
    """Say in a sentence what led the policy to a verdict."""
    if verdict.rule == NOT_JUDGED:
        return f"Nobody could judge {_listed(part_label(key) for key in verdict.not_judged)}."
    return _because(verdict.rule, verdict.category, verdict.score, verdict.threshold)


def why_rule(rule: str, category: str | None = None, score: float | None = None) -> str:
    """Say what led a policy to its conclusion, as far as that is kept of one on trial."""
    if rule == NOT_JUDGED:
        return "A part of it was not judged."
    if category is None and rule.partition(".")[0] in Category.values:
        return f"{category_label(rule.partition('.')[0])}."
    return _because(rule, category, score, None)


def _because(rule: str, category: str | None, score: float | None, threshold: float | None) -> str:
    if rule == NOTHING_FIRED:
        return "No rule fired."
    if category is None or score is None:
        return rule.replace("_", " ").capitalize()
    said = f"{category_label(category)} scored {score:.2f}"
    action = rule.rpartition(".")[2]
    if action == BRAKED:
        return f"{said}. It would be blocked, but its brake is pulled: a person decides."
    if threshold is None or action not in Action.values:
        return f"{said}."
    return f"{said}; the policy {_POLICY_DOES[Action(action)]} from {threshold:.2f}."


def step_label(kind: str) -> str:
    return _STEPS.get(kind, kind.replace(".", ": ").replace("_", " "))


def consequences(effects: Iterable[Effect]) -> list[str]:
    return [CONSEQUENCE[EffectKind(effect.kind)] for effect in effects]


def _why_disabled(because: str) -> str:
    known = because in DisabledBecause.values
    return str(DisabledBecause(because).label).lower() if known else because


def _sanction(kind: str) -> str:
    return str(Sanction(kind).label).lower() if kind in Sanction.values else kind


_SHOWN_FACTS: Final = (
    ("sanction", "sanction", _sanction),
    ("category", "category", category_label),
    ("score", "score", lambda value: f"{value:.2f}"),
    ("threshold", "threshold", lambda value: f"{value:.2f}"),
    ("provider", "provider", str),
    ("not_judged", "not judged", lambda keys: _listed(part_label(key) for key in keys)),
    ("attempts", "attempts", str),
    ("process", "process", str),
    ("number", "revision", str),
    ("term", "word", str),
    ("pattern", "looks for", lambda pattern: str(pattern)[:80]),
    ("active", "in use", lambda active: "yes" if active else "no"),
    ("mode", "mode", str),
    ("share", "share", lambda share: f"{share:.1%}"),
    ("key_id", "key", str),
    ("of_revision", "of revision", str),
    ("because", "because", _why_disabled),
    ("messages", "messages", str),
)


def facts_label(facts: Mapping[str, Any]) -> str:
    """Say what an event rests on, leaving out what is empty and that the first attempt did it."""
    return " · ".join(
        f"{label} {show(facts[name])}"
        for name, label, show in _SHOWN_FACTS
        if facts.get(name) not in (None, "", []) and (name, facts[name]) != ("attempts", 1)
    )


def _listed(words: Iterable[str]) -> str:
    unique: Sequence[str] = sorted({word for word in words if word})
    return " and ".join(unique)
