"""Whom a policy asks about a part, in which order, and when. Pure, as the verdict is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moderation.vocabulary import Category, Reason, Standing

_SCORE = {"type": "number", "minimum": 0, "maximum": 1}
_NAME = {"type": "string", "minLength": 1, "maxLength": 50}
_NAMES = {"type": "array", "items": _NAME, "uniqueItems": True}

CONDITION_SCHEMA: dict[str, Any] = {
    "description": "All of these must hold for the stage to be asked.",
    "type": "object",
    "properties": {
        "score": {
            "description": "The highest score so far of this category, or of any.",
            "type": "object",
            "properties": {
                "category": {"enum": ["any", *Category.values]},
                "at_least": _SCORE,
                "below": _SCORE,
            },
            "additionalProperties": False,
        },
        "languages": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "standing": {"type": "array", "items": {"enum": Standing.values}, "minItems": 1},
        "reasons": {"type": "array", "items": {"enum": Reason.values}, "minItems": 1},
        "media": {"description": "Whether the post has attachments.", "type": "boolean"},
        "share": {"description": "This share of posts, by a stable hash.", **_SCORE},
    },
    "additionalProperties": False,
}
STAGE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ask": {
            "type": "array",
            "minItems": 1,
            "items": {
                "anyOf": [
                    _NAME,
                    {
                        "type": "object",
                        "properties": {"provider": _NAME, "otherwise": _NAMES},
                        "required": ["provider"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "when": CONDITION_SCHEMA,
        "seconds": {
            "description": "After this time whoever has not answered has failed.",
            "type": "number",
            "exclusiveMinimum": 0,
        },
    },
    "required": ["ask"],
    "additionalProperties": False,
}
ROUTE_SCHEMA: dict[str, Any] = {
    "description": "Names of providers that are asked at once, or stages that follow each other.",
    "anyOf": [_NAMES, {"type": "array", "items": STAGE_SCHEMA}],
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a route may depend on besides scores. `share_key` is any stable text of the post."""

    language: str = ""
    standing: Standing = Standing.KNOWN
    reason: Reason = Reason.NEW
    has_media: bool = False
    share_key: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a stage is asked; what is None does not matter. `category` None means any."""

    category: Category | None = None
    at_least: float | None = None
    below: float | None = None
    languages: frozenset[str] | None = None
    standings: frozenset[Standing] | None = None
    reasons: frozenset[Reason] | None = None
    media: bool | None = None
    share: float | None = None

    def holds(self, scores: Mapping[Category, float], around: Circumstances) -> bool:
        """`scores` holds the highest score so far of each category that was judged."""
        return (
            self._score_fits(scores)
            and _allows(self.languages, around.language)
            and _allows(self.standings, around.standing)
            and _allows(self.reasons, around.reason)
            and self.media in (None, around.has_media)
            and (self.share is None or is_in_share(around.share_key, self.share))
        )

    def _score_fits(self, scores: Mapping[Category, float]) -> bool:
        if self.at_least is None and self.below is None:
            return True
        if self.category is None:
            score = max(scores.values(), default=None)
        else:
            score = scores.get(self.category)
        if score is None:
            # Nobody judged it: a low score must not be read into that, so the stage is asked.
            return True
        return (self.at_least is None or score >= self.at_least) and (
            self.below is None or score < self.below
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """One provider, and who is asked in its place, in this order, when it fails."""

    provider: str
    otherwise: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Providers that are asked at once."""

    asks: tuple[Ask, ...]
    when: Condition = field(default_factory=Condition)
    seconds: float | None = None


def parse_route(document: Sequence[Any]) -> tuple[Stage, ...]:
    """Return a route's stages; `document` has passed `ROUTE_SCHEMA`."""
    if not document:
        return ()
    if all(isinstance(item, str) for item in document):
        return (Stage(tuple(Ask(name) for name in document)),)
    return tuple(_parse_stage(item) for item in document)


# It knows what was taken down before, and an appeal is about just that.
_REPEATS_DECISIONS = "reposts"


def unabridged(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Return a route on which everyone is asked, whatever those before them said.

    Not so who cannot judge the post at all, by its language or its attachments, and who only
    repeats an earlier decision.
    """
    found = []
    for stage in stages:
        asks = tuple(ask for ask in stage.asks if ask.provider != _REPEATS_DECISIONS)
        when = Condition(languages=stage.when.languages, media=stage.when.media)
        if asks:
            found.append(replace(stage, asks=asks, when=when, seconds=None))
    return tuple(found)


def _parse_stage(document: Mapping[str, Any]) -> Stage:
    asks = [
        Ask(item)
        if isinstance(item, str)
        else Ask(item["provider"], tuple(item.get("otherwise", ())))
        for item in document["ask"]
    ]
    return Stage(tuple(asks), _parse_condition(document.get("when", {})), document.get("seconds"))


def _parse_condition(document: Mapping[str, Any]) -> Condition:
    score = document.get("score", {})
    category = score.get("category", "any")
    return Condition(
        category=None if category == "any" else Category(category),
        at_least=score.get("at_least"),
        below=score.get("below"),
        languages=_set(document, "languages", str),
        standings=_set(document, "standing", Standing),
        reasons=_set(document, "reasons", Reason),
        media=document.get("media"),
        share=document.get("share"),
    )


def _set(document: Mapping[str, Any], name: str, kind: Any) -> frozenset[Any] | None:
    return frozenset(kind(item) for item in document[name]) if name in document else None


def _allows(wanted: frozenset[Any] | None, given: object) -> bool:
    return wanted is None or given in wanted


def is_in_share(key: str, share: float) -> bool:
    """Whether a stable hash of `key` falls into the first `share` (0.0-1.0) of all."""
    if share <= 0:
        return False
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < share
