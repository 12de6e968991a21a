"""What Perspective is asked, as values of ours; what it has a type of error for is `Refused`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moderation.errors import ModerationError
from moderation.fields import Fields
from moderation.labels.attributes import KNOWN
from moderation.models import Community
from moderation.pipeline.judging.check import Draft

PROBABILITY = "PROBABILITY"
MAX_BYTES = 20_480
MAX_TOKEN_CHARS = 10_000
MOST_LANGUAGES = 10

# The body's own limit is below it: a longer comment has an error of its own.
_ANY_LENGTH = 10**8
_SCORE_TYPES = ("", PROBABILITY, "SCORE_TYPE_UNSPECIFIED")
_TEXT_TYPES = ("", "PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED")
_ATTRIBUTE = re.compile(r"[A-Z0-9_@.]{1,60}")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")
# Names may be spelt either way in the protocol's JSON. Attributes are no names in this sense.
_CAMEL: Mapping[str, str] = {
    re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): name
    for name in (
        "articleAndParentComment",
        "attributeScores",
        "clientToken",
        "communityId",
        "doNotStore",
        "dropUnsupportedAttributes",
        "requestedAttributes",
        "scoreThreshold",
        "scoreType",
        "sessionId",
        "spanAnnotations",
        "summaryScore",
    )
}


class Refused(ModerationError):
    """A question that Perspective has a type of error for."""

    def __init__(
        self, message: str, error_type: str = "INVALID_REQUEST", **details: object
    ) -> None:
        super().__init__(message, **details)
        self.error_type = error_type


@dataclass(frozen=True, slots=True)
class Sent:
    """An object of the request: its values by their names, and its fields to be read one by one."""

    values: Mapping[str, Any]
    fields: Fields

    @classmethod
    def of(cls, value: object, *, place: str = "", within: Fields | None = None) -> Sent:
        wrong = None if within is None else within.wrong
        if not isinstance(value, Mapping):
            return cls({}, Fields(value, place=place, wrong=wrong))
        # A null is the protocol's way to leave something out.
        given: Mapping[str, Any] = value
        values = {_CAMEL.get(name, name): item for name, item in given.items() if item is not None}
        return cls(values, Fields(values, place=place, wrong=wrong))

    def inner(self, name: str) -> Sent:
        return Sent.of(self.values.get(name, {}), place=f"{name}.", within=self.fields)

    def attributes(self, name: str) -> Iterator[tuple[str, Sent]]:
        """Yield what is said of each attribute. Raises `Refused` for one that nobody knows."""
        for attribute, value in self.inner(name).values.items():
            if attribute not in KNOWN:
                # Not every name that can be sent can be sent back.
                known = attribute if _ATTRIBUTE.fullmatch(attribute) else ascii(attribute[:40])
                raise Refused(f"Unknown requested attribute: {known}")
            yield attribute, Sent.of(value, place=f"{name}.{attribute}.", within=self.fields)

    def score(self, name: str) -> float:
        """Return a number from 0 to 1; 0 for one that is absent or no good."""
        value = self.values.get(name)
        # True and False are whole numbers too, to Python.
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        self.fields.note(name, "is a number from 0 to 1")
        return 0.0


@dataclass(frozen=True, slots=True)
class Comment:
    text: str
    languages: tuple[str, ...]
    token: str

    def draft(self, community: Community) -> Draft:
        # Regions and scripts are told apart by nobody here.
        language = re.split("[-_]", self.languages[0])[0].lower() if self.languages else ""
        return Draft(community, body=self.text, language=language)

    def echo(self) -> dict[str, str]:
        return {"clientToken": self.token} if self.token else {}


@dataclass(frozen=True, slots=True)
class Question:
    """`thresholds` holds what is asked for, each with the least score that is told."""

    comment: Comment
    thresholds: Mapping[str, float]
    with_spans: bool
    may_drop: bool


def read_question(sent: Sent) -> Question:
    comment = read_comment(sent)
    fields = sent.fields
    thresholds = dict(_read_requested(sent))
    with_spans = fields.flag("spanAnnotations")
    may_drop = fields.flag("dropUnsupportedAttributes")
    # Nothing is ever stored of a question.
    fields.flag("doNotStore")
    fields.text("sessionId", most=MAX_TOKEN_CHARS)
    fields.finish()
    if not thresholds:
        raise Refused("Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")
    return Question(comment, thresholds, with_spans, may_drop)


def read_comment(sent: Sent) -> Comment:
    fields, comment = sent.fields, sent.inner("comment").fields
    # As it was sent, blanks and all: places are counted in it.
    text = comment.text("text", most=_ANY_LENGTH, keep_blanks=True)
    kind = comment.text("type", most=40)
    token = fields.text("clientToken", most=MAX_TOKEN_CHARS, keep_blanks=True)
    fields.text("communityId", most=MAX_TOKEN_CHARS)
    languages = _read_languages(fields)
    fields.finish()
    if not text.strip():
        raise Refused("Comment must be non-empty.", "COMMENT_EMPTY")
    size = len(text.encode())
    if size > MAX_BYTES:
        too_long = f"Comment text was too many bytes. Value ({size}) exceeded limit ({MAX_BYTES})."
        raise Refused(too_long, "COMMENT_TOO_LONG")
    if kind not in _TEXT_TYPES:
        raise Refused("Currently, only 'PLAIN_TEXT' comments are supported")
    # Perspective reads no context either, but refuses one of two kinds at once.
    if {"entries", "articleAndParentComment"} <= sent.inner("context").values.keys():
        raise Refused("Context can have either entries or article_and_parent_comment.")
    return Comment(text, languages, token)


def _read_languages(fields: Fields) -> tuple[str, ...]:
    given = fields.items("languages", most=MOST_LANGUAGES)
    found = [one for one in given if isinstance(one, str) and _LANGUAGE.fullmatch(one)]
    if len(found) < len(given):
        fields.note("languages", "are codes such as `en` or `pt-BR`")
    return tuple(found)


def _read_requested(sent: Sent) -> Iterator[tuple[str, float]]:
    for name, wanted in sent.attributes("requestedAttributes"):
        kind = wanted.fields.text("scoreType", most=40)
        if kind not in _SCORE_TYPES:
            raise Refused(f"Requested score type {kind} is not supported by attribute {name}")
        yield name, wanted.score("scoreThreshold") if "scoreThreshold" in wanted.values else 0.0


def read_suggested(sent: Sent) -> dict[str, float]:
    """Return the scores of whole comments. Those of stretches alone are of no use as labels."""
    given = dict(sent.attributes("attributeScores"))
    if not given:
        raise Refused("Missing attribute_scores", "NO_REQUESTED_ATTRIBUTES")
    found = {
        name: Sent.of(
            said.values["summaryScore"],
            place=f"attributeScores.{name}.summaryScore.",
            within=sent.fields,
        ).score("value")
        for name, said in given.items()
        if "summaryScore" in said.values
    }
    sent.fields.finish()
    return found
