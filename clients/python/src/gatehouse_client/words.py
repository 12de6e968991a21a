"""The API's words. Answers hold plain text, so that a word of a newer server breaks nothing."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What a verdict asks for, mildest first."""

    ALLOW = "allow"
    WARN = "warn"
    REVIEW = "review"
    BLOCK = "block"


class Status(StrEnum):
    """Where a post stands."""

    PENDING = "pending"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"


class Visibility(StrEnum):
    """Who reads a post."""

    PUBLIC = "public"
    HELD = "held"
    HIDDEN = "hidden"
