"""A policy as data: the JSON that a lead writes, its schema, and the value that the code uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import jsonschema

from moderation.errors import InvalidPolicy
from moderation.policy.route import ROUTE_SCHEMA, Stage, parse_route, unabridged
from moderation.vocabulary import Action, Category, Part

# The field's usual steps; owners of the first policies asked for exactly these.
DEFAULT_THRESHOLDS: Mapping[Action, float] = MappingProxyType(
    {Action.WARN: 0.5, Action.REVIEW: 0.7, Action.BLOCK: 0.85}
)

# Long enough for a person to look, be it night.
DEFAULT_BRAKE_HOURS = 24.0

_THRESHOLD = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_THRESHOLDS = {
    "type": "object",
    "properties": {"warn": _THRESHOLD, "review": _THRESHOLD, "block": _THRESHOLD},
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Gatehouse policy",
    "type": "object",
    "properties": {
        "version": {"const": 1},
        "route": {
            "description": "Which providers judge which kind of part, in which order.",
            "type": "object",
            "properties": {part.value: ROUTE_SCHEMA for part in Part},
            "required": ["text"],
            "additionalProperties": False,
        },
        "appeal_route": {
            "description": "Who judges a post again that is appealed; else its whole route.",
            "type": "object",
            "properties": {part.value: ROUTE_SCHEMA for part in Part},
            "minProperties": 1,
            "additionalProperties": False,
        },
        "thresholds": {
            "description": "A score at or above a threshold asks for its action; null never fires.",
            "type": "object",
            "properties": {
                "default": _THRESHOLDS,
                "categories": {
                    "type": "object",
                    "propertyNames": {"enum": list(Category.values)},
                    "additionalProperties": _THRESHOLDS,
                },
            },
            "additionalProperties": False,
        },
        "on_failure": {
            "description": "What happens to a post of which a part was not judged.",
            "enum": ["hold", "publish_and_queue"],
        },
        "overload": {
            "description": "What happens when the oldest due submission is older than this.",
            "type": "object",
            "properties": {
                "oldest_due_seconds": {"type": "number", "exclusiveMinimum": 0},
                "then": {"enum": ["hold", "local_only"]},
            },
            "required": ["oldest_due_seconds", "then"],
            "additionalProperties": False,
        },
        "review_visibility": {
            "description": "Whether readers see a post while a person looks at it.",
            "enum": ["held", "public"],
        },
        "budget": {
            "description": "What asking about one post may take; later stages are then left out.",
            "type": "object",
            "properties": {
                "seconds": {"type": "number", "exclusiveMinimum": 0},
                "micros": {"type": "integer", "minimum": 0},
            },
            "additionalProperties": False,
        },
        "stop_at": {
            "description": "No later stage is asked once a score asks for this action; null never.",
            "enum": ["warn", "review", "block", None],
        },
        "rescan": {
            "description": "Posts are looked at again this often while they are young enough.",
            "type": "object",
            "properties": {
                "every_days": {"type": "number", "minimum": 1},
                "younger_than_days": {"type": "number", "minimum": 1},
            },
            "required": ["every_days", "younger_than_days"],
            "additionalProperties": False,
        },
        "reports": {
            "description": "A post is held until a person looks once proven readers' reports"
            " weigh this much; without it reports hide nothing.",
            "type": "object",
            "properties": {"hold_at_weight": {"type": "number", "exclusiveMinimum": 0}},
            "required": ["hold_at_weight"],
            "additionalProperties": False,
        },
        "brake": {
            "description": "Whether a rule or service that suddenly blocks more than usual only"
            " asks a person, and for how long at most; null until a person releases it.",
            "type": "object",
            "properties": {
                "watch": {"type": "boolean"},
                "hours": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 8760},
            },
            "required": ["watch"],
            "additionalProperties": False,
        },
        "sampling": {
            "description": "Share of allowed posts that a person looks at all the same.",
            "type": "object",
            "properties": {"share": {"type": "number", "minimum": 0, "maximum": 1}},
            "required": ["share"],
            "additionalProperties": False,
        },
    },
    "required": ["version", "route", "on_failure"],
    "additionalProperties": False,
}
_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

DEFAULT_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "route": {
        "text": ["reposts", "filters", "local_text"],
        "image": ["reposts", "hash_bank", "local_image"],
        "gif": ["reposts", "hash_bank", "local_image"],
        "video": ["reposts", "hash_bank", "local_video"],
        "audio": [],
    },
    "thresholds": {
        "default": {"warn": 0.5, "review": 0.7, "block": 0.85},
        # Swearing alone is a matter of tone: readers are warned, nobody is silenced for it.
        # A local model's guess at illicit content is good enough to ask a person, not to block.
        "categories": {
            "profanity": {"warn": 0.7, "review": None, "block": None},
            "toxic": {"warn": 0.6, "review": 0.8, "block": 0.95},
            "illicit": {"warn": None, "review": 0.85, "block": None},
        },
    },
    "on_failure": "hold",
    "overload": {"oldest_due_seconds": 60, "then": "hold"},
    "review_visibility": "held",
    "sampling": {"share": 0.0},
}


@dataclass(frozen=True, slots=True)
class Policy:
    """One revision of a community's rules, as plain values.

    `thresholds` holds, per category, the actions that can fire with the score that fires them.
    """

    route: Mapping[Part, tuple[Stage, ...]]
    thresholds: Mapping[Category, Mapping[Action, float]]
    on_failure: Literal["hold", "publish_and_queue"]
    overload_seconds: float | None
    overload_then: Literal["hold", "local_only"]
    review_visibility: Literal["held", "public"]
    sampling_share: float
    stop_at: Action | None = Action.BLOCK
    budget_seconds: float | None = None
    budget_micros: int | None = None
    rescan: RescanRhythm | None = None
    watches_rates: bool = True
    brake_hours: float | None = DEFAULT_BRAKE_HOURS
    hold_at_weight: float | None = None
    appeal_route: Mapping[Part, tuple[Stage, ...]] = field(default_factory=dict)

    def for_appeal(self) -> Policy:
        """Return the rules under which an appealed post is judged again, however long it takes.

        A part without a route of its own for appeals is put before everyone on its usual one.
        """
        route = {
            part: self.appeal_route.get(part) or unabridged(stages)
            for part, stages in self.route.items()
        }
        return replace(
            self,
            route=route,
            overload_seconds=None,
            sampling_share=0.0,
            stop_at=None,
            budget_seconds=None,
            budget_micros=None,
        )

    def providers(self) -> frozenset[str]:
        """Return everyone whom its routes name, those who stand in included."""
        return frozenset(
            name
            for stages in self.route.values()
            for stage in stages
            for ask in stage.asks
            for name in (ask.provider, *ask.otherwise)
        )


@dataclass(frozen=True, slots=True)
class RescanRhythm:
    """How often posts are looked at again, and until which age."""

    every_days: float
    younger_than_days: float


def parse_policy(document: Mapping[str, Any]) -> Policy:
    """Return the policy that a document describes.

    Raises `InvalidPolicy` naming the first offending place, as `thresholds.categories.hate.warn`.
    """
    error = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(document))
    if error is not None:
        place = ".".join(str(step) for step in error.absolute_path) or "document"
        raise InvalidPolicy(f"{place}: {error.message}")
    overload = document.get("overload", {})
    return Policy(
        route={part: parse_route(document["route"].get(part.value, ())) for part in Part},
        thresholds=_merge_thresholds(document.get("thresholds", {})),
        on_failure=document["on_failure"],
        overload_seconds=overload.get("oldest_due_seconds"),
        overload_then=overload.get("then", "hold"),
        review_visibility=document.get("review_visibility", "held"),
        sampling_share=float(document.get("sampling", {}).get("share", 0.0)),
        stop_at=_parse_action(document.get("stop_at", Action.BLOCK.value)),
        budget_seconds=document.get("budget", {}).get("seconds"),
        budget_micros=document.get("budget", {}).get("micros"),
        rescan=RescanRhythm(**document["rescan"]) if "rescan" in document else None,
        watches_rates=document.get("brake", {}).get("watch", True),
        brake_hours=document.get("brake", {}).get("hours", DEFAULT_BRAKE_HOURS),
        hold_at_weight=document.get("reports", {}).get("hold_at_weight"),
        appeal_route={
            Part(part): parse_route(route)
            for part, route in document.get("appeal_route", {}).items()
        },
    )


def _parse_action(name: str | None) -> Action | None:
    return None if name is None else Action(name)


def _merge_thresholds(document: Mapping[str, Any]) -> dict[Category, dict[Action, float]]:
    default = {**DEFAULT_THRESHOLDS, **_actions(document.get("default", {}))}
    own = document.get("categories", {})
    merged: dict[Category, dict[Action, float]] = {}
    for category in Category:
        steps = {**default, **_actions(own.get(category.value, {}))}
        kept = {action: score for action, score in steps.items() if score is not None}
        _refuse_disorder(category, kept)
        merged[category] = kept
    return merged


def _actions(steps: Mapping[str, float | None]) -> dict[Action, float | None]:
    return {Action(name): score for name, score in steps.items()}


def _refuse_disorder(category: Category, steps: Mapping[Action, float]) -> None:
    """A milder action whose threshold lies above a severer one's could never fire."""
    scores = [steps[action] for action in Action if action in steps]
    if scores != sorted(scores):
        raise InvalidPolicy(
            f"thresholds.categories.{category}: warn, review and block must not fall in this order."
        )
