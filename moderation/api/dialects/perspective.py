"""Perspective's `comments:analyze` and `comments:suggestscore`, and what tells libraries of them.

An attribute that nobody judged in a text's language fails the whole question, as it does there,
unless the question says that such may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import caller_of
from moderation.api.dialects.base import DialectView, answer, community_of, judge, model_id
from moderation.api.dialects.perspective_discovery import VERSION, discovery_document
from moderation.api.dialects.perspective_questions import (
    PROBABILITY,
    Question,
    Refused,
    Sent,
    read_comment,
    read_question,
    read_suggested,
)
from moderation.api.errors import Problem
from moderation.errors import ProviderUnavailable
from moderation.labels import Suggestion, keep_suggestions
from moderation.labels.attributes import CATEGORIES, FLIRTATION
from moderation.models.posts import TEXT_KEY
from moderation.pipeline.judging.check import BLOCKED_WORD, Checked
from moderation.vocabulary import Dialect, Outcome

KEY_HEADER = "X-Goog-Api-Key"

_STATUS_NAMES = {
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_ERROR = f"type.googleapis.com/google.commentanalyzer.{VERSION}.Error"
_RPC = "type.googleapis.com/google.rpc"


class _PerspectiveView(DialectView):
    dialect = Dialect.PERSPECTIVE

    def sent_key(self, request: Request) -> str:
        sent: str = request.GET.get("key", "") or request.headers.get(KEY_HEADER, "")
        return sent.strip()

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Refused):
            detail = {"@type": _ERROR, "errorType": exc.error_type, **exc.details}
            return Response(_error(400, str(exc), [detail]), status=400)
        return super().handle_exception(exc)

    def write_problem(self, problem: Problem) -> HttpResponse:
        status, message, details = problem.status, problem.detail, _details(problem)
        headers = dict(problem.headers)
        if problem.code == "not_authenticated":
            status, message, details = _about_the_key(self.sent_key(self.request))
            headers.pop("WWW-Authenticate", None)
        if status == 503:
            headers.setdefault("Retry-After", "1")
        return JsonResponse(_error(status, message, details), status=status, headers=headers)


class Analyze(_PerspectiveView):
    def post(self, request: Request) -> Response:
        sent = Sent.of(request.data)
        asked = read_question(sent)
        community = community_of(request, sent.fields)
        [checked] = judge(request, [asked.comment.draft(community)])
        analysis = _Analysis(asked, checked)
        body = analysis.body()
        return answer(body, community=community, checked=[checked], not_judged=analysis.missing)


class SuggestScore(_PerspectiveView):
    def post(self, request: Request) -> Response:
        sent = Sent.of(request.data)
        comment = read_comment(sent)
        scores = read_suggested(sent)
        community = community_of(request, sent.fields)
        [checked] = judge(request, [comment.draft(community)])
        keep_suggestions(
            Suggestion(
                community=community,
                text=comment.text,
                scores=scores,
                ours=_ours(checked, scores),
                model=model_id(community, [checked]),
                client=caller_of(request).client,
            )
        )
        body = {
            **comment.echo(),
            "requestedLanguages": list(comment.languages),
            "detectedLanguages": _detected(checked),
        }
        return answer(body, community=community, checked=[checked])


def _ours(checked: Checked, attributes: Mapping[str, float]) -> dict[str, float]:
    return {
        name: checked.scores[CATEGORIES[name]]
        for name in attributes
        if CATEGORIES.get(name) in checked.scores
    }


class Discovery(_PerspectiveView):
    """What Google's libraries read to know a service; it needs no key."""

    permission_classes = []

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    def get(self, request: Request) -> Response:
        if request.GET.get("version", VERSION) != VERSION:
            raise Http404("There is no such version.")
        return Response(discovery_document(request.build_absolute_uri("/")))


# --- what is answered ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Analysis:
    """What is said of one comment. `missing` fills with what nobody judged."""

    asked: Question
    checked: Checked
    missing: list[str] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """Raises `Refused` and `ProviderUnavailable` where a score would mean nothing."""
        comment = self.asked.comment
        detected = _detected(self.checked)
        return {
            "attributeScores": dict(self._attributes()),
            "languages": list(comment.languages) or detected,
            "detectedLanguages": detected,
            **comment.echo(),
        }

    def _attributes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, threshold in self.asked.thresholds.items():
            value = self._value(name)
            if value is None:
                self.missing.append(name)
                if name != FLIRTATION:
                    self._refuse_unless_dropped(name)
                    continue
            if (value or 0.0) >= threshold:
                yield name, self._told(name, value or 0.0)

    def _value(self, name: str) -> float | None:
        if self.checked.verdict.rule == BLOCKED_WORD:
            # Nobody was asked: the community's own word is the answer.
            return 1.0
        return self.checked.scores.get(CATEGORIES[name]) if name in CATEGORIES else None

    def _refuse_unless_dropped(self, name: str) -> None:
        if name in CATEGORIES and self._has_failed():
            raise ProviderUnavailable
        if self.asked.may_drop:
            return
        requested, detected = list(self.asked.comment.languages), _detected(self.checked)
        languages = requested or detected
        if not languages:
            raise Refused("Unable to detect language", "LANGUAGE_DETECTION_FAILED")
        raise Refused(
            f"Attribute {name} does not support request languages: {', '.join(languages)}",
            "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
            languageNotSupportedByAttributeError={
                "detectedLanguages": detected,
                "requestedLanguages": requested,
                "attribute": name,
            },
        )

    def _has_failed(self) -> bool:
        """Whether somebody might have judged it who did not answer."""
        answers = self.checked.answers
        return not answers or any(
            item.answer.outcome is Outcome.FAILED and not item.stood_in for item in answers
        )

    def _told(self, name: str, value: float) -> dict[str, Any]:
        score = {"value": value, "type": PROBABILITY}
        told: dict[str, Any] = {"summaryScore": score}
        if self.asked.with_spans:
            told["spanScores"] = [
                {"begin": begin, "end": end, "score": score} for begin, end in self._places(name)
            ]
        return told

    def _places(self, name: str) -> list[tuple[int, int]]:
        """Return what drove a score, in UTF-16 code units; the whole text where nobody says."""
        text = self.asked.comment.text
        category = CATEGORIES.get(name)
        found = _joined(
            (one.start, one.end) for one in self.checked.flagged if one.category in (category, None)
        )
        return [
            (_units(text[:start]), _units(text[:end])) for start, end in found or [(0, len(text))]
        ]


def _joined(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return places in order, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _detected(checked: Checked) -> list[str]:
    """Return the language that a judge took the text to be in, [] where nobody says so."""
    for item in checked.answers:
        language = item.answer.raw.get("language")
        if item.question.part.key == TEXT_KEY and isinstance(language, str) and language:
            return [language]
    return []


# --- errors --------------------------------------------------------------------------------------


def _error(status: int, message: str, details: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    name = _STATUS_NAMES.get(status, "INVALID_ARGUMENT")
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        error["details"] = list(details)
    return {"error": error}


def _details(problem: Problem) -> list[dict[str, object]]:
    if problem.code == "invalid_fields":
        violations = [
            {"field": wrong["field"], "description": wrong["message"]}
            for wrong in problem.extra["errors"]
        ]
        return [{"@type": f"{_RPC}.BadRequest", "fieldViolations": violations}]
    if problem.code == "rate_limited":
        delay = f"{problem.headers['Retry-After']}s"
        return [
            _reason("RATE_LIMIT_EXCEEDED"),
            {"@type": f"{_RPC}.RetryInfo", "retryDelay": delay},
        ]
    return [_reason("API_KEY_SERVICE_BLOCKED")] if problem.code == "not_allowed" else []


def _about_the_key(key: str) -> tuple[int, str, list[dict[str, object]]]:
    if not key:
        return 403, "The request has no API key: send it as `key` in the address.", []
    return 400, "API key not valid. Please pass a valid API key.", [_reason("API_KEY_INVALID")]


def _reason(reason: str) -> dict[str, object]:
    return {"@type": f"{_RPC}.ErrorInfo", "reason": reason, "domain": "gatehouse"}
