"""A statement of reasons as a record of the EU's register: its own words, and no personal data.

What a moderator wrote to the author stays between them: the facts are told in standard sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from moderation.models import Statement
from moderation.policy.reasons import FULLY, LABELLED, LAW, OWN_INITIATIVE
from moderation.transparency.schema import words
from moderation.vocabulary import Category, EffectKind, MediaKind, Part, ReportSource

_OTHER: Final = "KEYWORD_OTHER"


@dataclass(frozen=True, slots=True)
class Filed:
    """Where the register files one of our categories; `other` explains `KEYWORD_OTHER`."""

    category: str
    keyword: str
    other: str = ""


def _filed(category: str, keyword: str, other: str = "") -> Filed:
    return Filed(f"STATEMENT_CATEGORY_{category}", f"KEYWORD_{keyword}", other)


FILED: Final[Mapping[Category, Filed]] = {
    Category.TOXIC: _filed("ILLEGAL_OR_HARMFUL_SPEECH", "OTHER", "Rude or hurtful remarks"),
    Category.SEVERE_TOXIC: _filed("CYBER_VIOLENCE", "CYBER_HARASSMENT"),
    Category.HATE: _filed("ILLEGAL_OR_HARMFUL_SPEECH", "HATE_SPEECH"),
    Category.HARASSMENT: _filed("CYBER_VIOLENCE", "CYBER_HARASSMENT"),
    Category.THREAT: _filed("CYBER_VIOLENCE", "CYBER_BULLYING_INTIMIDATION"),
    Category.VIOLENCE: _filed("VIOLENCE", "INCITEMENT_VIOLENCE_HATRED"),
    Category.GRAPHIC: _filed("VIOLENCE", "OTHER", "Graphic depictions of violence"),
    Category.SEXUAL: _filed("OTHER_VIOLATION_TC", "ADULT_SEXUAL_MATERIAL"),
    Category.SEXUAL_MINORS: _filed("PROTECTION_OF_MINORS", "CHILD_SEXUAL_ABUSE_MATERIAL"),
    Category.SELF_HARM: _filed("SELF_HARM", "OTHER", "Content about self-harm"),
    Category.ILLICIT: _filed("UNSAFE_AND_PROHIBITED_PRODUCTS", "PROHIBITED_PRODUCTS"),
    Category.EXTREMISM: _filed("RISK_FOR_PUBLIC_SECURITY", "TERRORIST_CONTENT"),
    Category.DRUGS: _filed("UNSAFE_AND_PROHIBITED_PRODUCTS", "PROHIBITED_PRODUCTS"),
    Category.WEAPONS: _filed("UNSAFE_AND_PROHIBITED_PRODUCTS", "PROHIBITED_PRODUCTS"),
    Category.PROFANITY: _filed("OTHER_VIOLATION_TC", "OTHER", "Strong language"),
    Category.SPAM: _filed("OTHER_VIOLATION_TC", "OTHER", "Advertising or spam"),
    Category.MALWARE: _filed("SCAMS_AND_FRAUD", "OTHER", "Links to harmful software"),
    Category.PERSONAL_INFO: _filed(
        "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", "OTHER", "Somebody's personal information"
    ),
    Category.OTHER: _filed("OTHER_VIOLATION_TC", "OTHER", "Not allowed in the community"),
}
# The register keeps that category for what only the platform's own terms forbid.
_IF_ILLEGAL: Final = _filed("ILLEGAL_OR_HARMFUL_SPEECH", "OTHER", "Illegal content")

_CONTENT: Final = {
    Part.TEXT.value: "CONTENT_TYPE_TEXT",
    MediaKind.IMAGE.value: "CONTENT_TYPE_IMAGE",
    MediaKind.GIF.value: "CONTENT_TYPE_IMAGE",
    MediaKind.VIDEO.value: "CONTENT_TYPE_VIDEO",
    MediaKind.AUDIO.value: "CONTENT_TYPE_AUDIO",
}
_SOURCE: Final = {
    OWN_INITIATIVE: "SOURCE_VOLUNTARY",
    ReportSource.NOTICE.value: "SOURCE_ARTICLE_16",
    ReportSource.TRUSTED_FLAGGER.value: "SOURCE_TRUSTED_FLAGGER",
    ReportSource.READER.value: "SOURCE_TYPE_OTHER_NOTIFICATION",
    ReportSource.CLIENT.value: "SOURCE_TYPE_OTHER_NOTIFICATION",
}
_LIMITS_SERVICE: Final = frozenset({EffectKind.POST_HOLD.value, EffectKind.SILENCE.value})


def record_of(statement: Statement, *, territory: Sequence[str]) -> dict[str, Any] | None:
    """Return the record that tells the register of a statement, None for what it does not keep.

    `territory` is where the platform is offered, as ISO 3166 codes of the European Economic Area.
    """
    document = statement.document
    decisions = _decisions(document["restrictions"])
    if not decisions:
        return None
    facts, content = document["facts"], document["content"]
    issued = datetime.fromisoformat(document["issued_at"])
    record: dict[str, Any] = {
        "puid": statement.number,
        **decisions,
        **_grounds(document),
        **_filing(document),
        **_content_of(content),
        "content_date": content["posted_on"] or issued.date().isoformat(),
        "application_date": issued.date().isoformat(),
        "territorial_scope": sorted(territory),
        "decision_facts": _facts_in_words(document),
        "source_type": _SOURCE[facts["source"]],
        "automated_detection": "Yes" if facts["detected_automatically"] else "No",
        "automated_decision": (
            "AUTOMATED_DECISION_FULLY"
            if facts["decided"] == FULLY
            else "AUTOMATED_DECISION_NOT_AUTOMATED"
        ),
    }
    return record


def _decisions(restrictions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in restrictions:
        decision = one["decision"]
        if one["on"] == "visibility":
            word = "LABELLED" if decision == LABELLED else "DISABLED"
            found["decision_visibility"] = [f"DECISION_VISIBILITY_CONTENT_{word}"]
            _end(found, "visibility", one)
        elif decision in _LIMITS_SERVICE:
            found["decision_provision"] = "DECISION_PROVISION_PARTIAL_SUSPENSION"
            _end(found, "service", one)
        elif decision == EffectKind.SUSPENSION:
            found["decision_account"] = "DECISION_ACCOUNT_SUSPENDED"
            found["account_type"] = "ACCOUNT_TYPE_PRIVATE"
            _end(found, "account", one)
    return found


def _end(found: dict[str, Any], name: str, restriction: Mapping[str, Any]) -> None:
    """Note when a restriction ends; left out, it has no end."""
    if restriction["until"]:
        day = datetime.fromisoformat(restriction["until"]).date()
        found[f"end_date_{name}_restriction"] = day.isoformat()


def _grounds(document: Mapping[str, Any]) -> dict[str, Any]:
    category = _category(document)
    label = category.label
    if document["ground"]["kind"] == LAW:
        return {
            "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
            "illegal_content_legal_ground": document["ground"]["legal_ground"],
            "illegal_content_explanation": f"A moderator found it to be illegal content: {label}.",
        }
    return {
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": f"Rules of the community: {label}.",
        "incompatible_content_explanation": (
            f"The community's rules do not allow this, or only under a note: {label}."
        ),
    }


def _filing(document: Mapping[str, Any]) -> dict[str, Any]:
    filed = FILED[_category(document)]
    is_for_terms = filed.category == "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
    if is_for_terms and document["ground"]["kind"] == LAW:
        filed = _IF_ILLEGAL
    found: dict[str, Any] = {
        "category": filed.category,
        "category_specification": [filed.keyword],
    }
    if filed.keyword == _OTHER:
        found["category_specification_other"] = filed.other
    return found


def _content_of(content: Mapping[str, Any]) -> dict[str, Any]:
    kinds = sorted({_CONTENT[kind] for kind in content["kinds"] if kind in _CONTENT})
    found: dict[str, Any] = {"content_type": kinds or ["CONTENT_TYPE_OTHER"]}
    if not kinds:
        found["content_type_other"] = "A display name"
    language = (content["language"] or "").upper()
    if language in words()["content_language"]:
        found["content_language"] = language
    return found


def _facts_in_words(document: Mapping[str, Any]) -> str:
    facts = document["facts"]
    found_by = {
        "SOURCE_VOLUNTARY": "on the platform's own initiative",
        "SOURCE_ARTICLE_16": "after a notice under Article 16",
        "SOURCE_TRUSTED_FLAGGER": "after a notice by a trusted flagger",
        "SOURCE_TYPE_OTHER_NOTIFICATION": "after a report by a user",
    }[_SOURCE[facts["source"]]]
    detected = "An automatic check found it" if facts["detected_automatically"] else "It was found"
    decided = (
        "An automatic check applied the community's policy, without a person."
        if facts["decided"] == FULLY
        else "A moderator read the post in its context and decided."
    )
    return (
        f"A user's post was examined {found_by}. {detected} to contain: "
        f"{_category(document).label}. {decided}"
    )


def _category(document: Mapping[str, Any]) -> Category:
    return Category(document["facts"]["category"])
