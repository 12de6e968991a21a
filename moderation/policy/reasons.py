"""The statement of reasons for a restriction: facts in, a plain document out.

It says what Art. 17 of the EU's Digital Services Act asks for: the restriction and how long it
lasts, the facts, how it was detected and decided, the ground, and how to object. It never quotes
what was taken down and never names who reported it. Words of a vocabulary stand beside the
sentences, so that a register can be told the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from moderation.vocabulary import (
    Action,
    Category,
    EffectKind,
    ReportSource,
    Visibility,
)

VERSION: Final = 1

# What became of the post, in the words of the law's registers.
DISABLED, LABELLED = "disabled", "labelled"
# How far machines took the decision.
FULLY, NOT_AUTOMATED = "fully", "not_automated"
TERMS, LAW = "terms", "law"
OWN_INITIATIVE: Final = "own_initiative"

# Completes "it contains …".
_NAMED: Final = {
    Category.TOXIC: "rude or hurtful remarks",
    Category.SEVERE_TOXIC: "very hurtful attacks",
    Category.HATE: "hate against a group of people",
    Category.HARASSMENT: "insults or harassment",
    Category.THREAT: "threats against somebody",
    Category.VIOLENCE: "calls for violence, or praise of it",
    Category.GRAPHIC: "graphic depictions of violence",
    Category.SEXUAL: "sexual content",
    Category.SEXUAL_MINORS: "sexual content that involves minors",
    Category.SELF_HARM: "content about self-harm",
    Category.ILLICIT: "offers of illegal goods or acts",
    Category.EXTREMISM: "extremist content",
    Category.DRUGS: "dealing in drugs",
    Category.WEAPONS: "dealing in weapons",
    Category.PROFANITY: "strong language",
    Category.SPAM: "advertising or spam",
    Category.MALWARE: "links to harmful software",
    Category.PERSONAL_INFO: "somebody's personal information",
    Category.OTHER: "something that this community does not allow",
}
_PART: Final = {
    "text": "text",
    "image": "picture",
    "gif": "moving picture",
    "video": "video",
    "audio": "sound",
    "name": "display name",
}
_FOUND_BY: Final = {
    ReportSource.READER: "A reader reported your post.",
    ReportSource.CLIENT: "Your post was reported through the site where you wrote it.",
    ReportSource.NOTICE: "Somebody gave notice that your post is illegal.",
    ReportSource.TRUSTED_FLAGGER: "A trusted flagger gave notice that your post is illegal.",
}


@dataclass(frozen=True, slots=True)
class Imposed:
    """A sanction that came with it; `until` None: without an end."""

    kind: EffectKind
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a statement rests on.

    `written_reason` is what a moderator wrote for the author, "" for a verdict. `source` is None
    when nobody reported the post. `found_by_machine` says that a check found it, whoever decided.
    `part` is the kind of what was found fault with, "" when that is not known. `hides` and `holds`
    say what readers no longer see, for good or until a person has looked. `watched_until` is set
    when the author's next posts wait for their check.
    """

    community: str
    action: Action
    category: Category | None
    issued_at: datetime
    appeal_until: datetime
    decided_by_machine: bool
    found_by_machine: bool
    hides: bool = False
    holds: bool = False
    rule: str = ""
    policy: int | None = None
    written_reason: str = ""
    source: ReportSource | None = None
    legal_ground: str = ""
    part: str = ""
    content: Sequence[str] = ()
    language: str = ""
    posted_on: date | None = None
    sanctions: Sequence[Imposed] = ()
    watched_until: datetime | None = None


def restricts(facts: Facts) -> bool:
    """Whether there is anything to give reasons for."""
    return facts.hides or facts.holds or facts.action is Action.WARN or bool(facts.sanctions)


def state_reasons(facts: Facts) -> dict[str, Any]:
    """Return the statement as it is stored and shown: `said` is what the author reads."""
    return {
        "version": VERSION,
        "issued_at": facts.issued_at.isoformat(),
        "restrictions": _restrictions(facts),
        "facts": {
            "source": str(facts.source) if facts.source else OWN_INITIATIVE,
            "detected_automatically": facts.found_by_machine,
            "decided": FULLY if facts.decided_by_machine else NOT_AUTOMATED,
            "category": str(facts.category or Category.OTHER),
            "part": facts.part or None,
        },
        "ground": {
            "kind": LAW if facts.legal_ground else TERMS,
            "legal_ground": facts.legal_ground or None,
            "rule": facts.rule or None,
            "policy": facts.policy,
        },
        "content": {
            "kinds": list(facts.content),
            "language": facts.language or None,
            "posted_on": facts.posted_on.isoformat() if facts.posted_on else None,
        },
        "redress": {
            "appeal_until": facts.appeal_until.isoformat(),
            "out_of_court": True,
            "court": True,
        },
        "said": [
            {"key": key, "title": title, "text": text}
            for key, title, text in (
                ("what", "What was done", _what(facts)),
                ("why", "Why", _why(facts)),
                ("rule", "The ground for it", _ground(facts)),
                ("who", "Who decided", _who(facts)),
                ("detection", "How it was found", _detection(facts)),
                ("redress", "How to object", _redress(facts)),
            )
        ],
    }


# A warning limits nothing.
_ON: Final = {
    EffectKind.WARNING: "nothing",
    EffectKind.STRIKE: "service",
    EffectKind.POST_HOLD: "service",
    EffectKind.SILENCE: "service",
    EffectKind.SUSPENSION: "account",
}

_OUTLASTING: Final = frozenset({"post_hold", "silence", "suspension"})


def _restrictions(facts: Facts) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if facts.hides or facts.holds:
        found.append(
            {
                "on": "visibility",
                "decision": DISABLED,
                "visibility": str(Visibility.HIDDEN if facts.hides else Visibility.HELD),
                "is_provisional": not facts.hides,
                "until": None,
            }
        )
    elif facts.action is Action.WARN:
        found.append(
            {"on": "visibility", "decision": LABELLED, "is_provisional": False, "until": None}
        )
    found += [
        {
            "on": _ON[one.kind],
            "decision": str(one.kind),
            "is_provisional": False,
            "until": one.until.isoformat() if one.until else None,
        }
        for one in facts.sanctions
    ]
    return found


# Sentences


def _what(facts: Facts) -> str:
    said = [_what_of_post(facts)]
    said += [_what_of_sanction(one, facts) for one in facts.sanctions]
    return " ".join(sentence for sentence in said if sentence)


def _what_of_post(facts: Facts) -> str:
    if facts.hides:
        return (
            f"Your post in {facts.community} is hidden: only you can read it, for as long as this "
            "decision stands."
        )
    if facts.holds:
        return (
            f"Your post in {facts.community} is hidden from others until a moderator has looked "
            "at it."
        )
    if facts.action is Action.WARN:
        return (
            f"Readers of {facts.community} see a note above your post before they read it, for "
            "as long as this decision stands."
        )
    return ""


def _what_of_sanction(one: Imposed, facts: Facts) -> str:
    end = f"until {_moment(one.until)}" if one.until else "without an end date"
    return {
        EffectKind.WARNING: "You are warned: another breach of the rules can limit your account.",
        EffectKind.STRIKE: _what_of_strike(facts),
        EffectKind.POST_HOLD: f"What you post is shown only after it was checked, {end}.",
        EffectKind.SILENCE: f"You can read and delete your posts, but not write any, {end}.",
        EffectKind.SUSPENSION: f"Your account is suspended from taking part, {end}.",
    }[one.kind]


def _what_of_strike(facts: Facts) -> str:
    said = "This counts as a strike against you"
    if facts.watched_until is None:
        return f"{said}."
    return f"{said}: until {_day(facts.watched_until)} your posts are shown only once checked."


def _why(facts: Facts) -> str:
    named = _NAMED[facts.category] if facts.category else _NAMED[Category.OTHER]
    part = _PART.get(facts.part)
    where = f"its {part}" if part else "it"
    if facts.part == "name":
        where = "your display name"
    if not facts.decided_by_machine:
        found = f"A moderator found that it contains {named}. " if facts.category else ""
        return f"{found}The moderator wrote: {facts.written_reason}"
    if not facts.found_by_machine:
        return (
            f"Readers whose reports have proved right before say that it contains {named}. "
            "Nobody has looked at it yet."
        )
    verb = "may contain" if facts.holds else "contains"
    return f"The automatic check found that {where} {verb} {named}."


def _ground(facts: Facts) -> str:
    if facts.legal_ground:
        return f"It is illegal: {facts.legal_ground}."
    label = facts.category.label.lower() if facts.category else "content of this kind"
    relation = "which do not allow this"
    if facts.action is Action.WARN:
        relation = "under which this is shown with a note"
    elif facts.holds:
        relation = "which this may break"
    said = f"The rules of {facts.community}, {relation}: {label}."
    if facts.decided_by_machine and facts.policy is not None and facts.rule:
        said += f" (Policy {facts.policy}, rule {facts.rule}.)"
    return said


def _who(facts: Facts) -> str:
    if facts.decided_by_machine:
        return "An automatic check decided, without a person."
    return "A person decided: a moderator of this community."


def _detection(facts: Facts) -> str:
    said = []
    if facts.source is not None:
        said.append(_FOUND_BY[facts.source])
    if facts.found_by_machine:
        said.append("An automatic check that looks at every post found it.")
    return " ".join(said) or "A moderator found it, on this community's own initiative."


def _redress(facts: Facts) -> str:
    return (
        f"You can object until {_day(facts.appeal_until)}, free of charge. A person who "
        "did not take this decision will look at it again and answer you with reasons. You can "
        "also turn to a certified out-of-court dispute settlement body, or to a court."
    )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _moment(moment: datetime) -> str:
    return f"{_day(moment)}, {moment:%H:%M} UTC"


def limits_author(document: dict[str, Any]) -> bool:
    """Whether a statement tells of a sanction that outlasts what becomes of its post."""
    return any(one["decision"] in _OUTLASTING for one in document["restrictions"])
