"""What the policy would say of a text or a picture that nobody posts. Stored only if asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import ApiView, caller_of
from moderation.api.callers import Caller
from moderation.api.check_bodies import CheckRequest, read_check
from moderation.api.limits import Bucket, spend
from moderation.api.parsers import BoundedFormParser, BoundedJSONParser
from moderation.api.serializers import check as shapes
from moderation.asking import Answered
from moderation.errors import ModerationError
from moderation.pipeline.judging.check import Checked, check, keep_checks
from moderation.vocabulary import Scope


class Check(ApiView):
    scope = Scope.CHECK
    parser_classes = [BoundedJSONParser, BoundedFormParser]

    @extend_schema(**shapes.CHECK)
    def post(self, request: Request) -> Response:
        """Say what the community's policy would say, of one draft or of up to 100.

        With `keep` the verdict, never the text, goes on record under an id.
        """
        began = time.perf_counter()
        caller = caller_of(request)
        asked = _read_and_spend(request, caller)
        checked = check(asked.drafts, deadline_seconds=asked.deadline_ms / 1000)
        results = [_answer(one) for one in checked]
        if asked.keep:
            kept = keep_checks(asked.drafts, checked, actor=caller.actor)
            for result, check_id in zip(results, kept, strict=True):
                result["id"] = check_id
        body: dict[str, Any] = {"results": results} if asked.is_batch else results[0]
        took_ms = (time.perf_counter() - began) * 1000
        return Response({**body, "took_ms": _milliseconds(took_ms)})


def _read_and_spend(request: Request, caller: Caller) -> CheckRequest:
    try:
        asked = read_check(request, caller)
    except (ModerationError, APIException, RequestDataTooBig):
        spend(request, check_bucket(caller))
        raise
    spend(request, check_bucket(caller), tokens=len(asked.drafts))
    return asked


def check_bucket(caller: Caller) -> Bucket:
    """Return tokens for checks alone: asking takes none from posting."""
    own = caller.bucket()
    return replace(own, whose=f"{own.whose}:check")


def _answer(checked: Checked) -> dict[str, Any]:
    verdict = checked.verdict
    return {
        "action": verdict.action,
        "rule": verdict.rule,
        "category": verdict.category,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "not_judged": list(verdict.not_judged),
        "flagged_spans": [
            {"field": one.field, "start": one.start, "end": one.end, "category": one.category}
            for one in checked.flagged
        ],
        "scores": {str(category): score for category, score in checked.scores.items()},
        "evidence": [_evidence(answered) for answered in checked.answers],
        "policy": {"revision": checked.policy_number},
    }


def _evidence(answered: Answered) -> dict[str, Any]:
    answer = answered.answer
    return {
        "provider": answered.provider,
        "model": answered.model_version,
        "part": answered.question.part.key,
        "outcome": answer.outcome,
        "scores": {str(category): score for category, score in answer.scores.items()},
        "error": answer.error,
        "stood_in": answered.stood_in,
        "cached": answered.cached,
        "latency_ms": _milliseconds(answered.latency_ms),
    }


def _milliseconds(value: float) -> float:
    return round(value, 2)
