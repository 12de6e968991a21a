"""What was concluded of a post, and on what it rested: for its community's programs alone."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.answers import time_of
from moderation.api.serializers import decisions as shapes
from moderation.api.views.keyed import KeyedView, spend_reading
from moderation.api.views.posts import find_post
from moderation.models import Decision, Enforcement, ProviderResult, VerdictRecord
from moderation.queries import history
from moderation.vocabulary import Scope


class ListDecisions(KeyedView):
    scope = Scope.READ

    @extend_schema(**shapes.LIST_DECISIONS)
    def get(self, request: Request, post_id: str) -> Response:
        """List a post's verdicts and decisions, the newest first, with their evidence."""
        post = find_post(spend_reading(request), post_id)
        concluded = [
            *((made.decided_at, _of_decision(made)) for made in history.decisions_of(post)),
            *((verdict.judged_at, _of_verdict(verdict)) for verdict in history.verdicts_of(post)),
        ]
        # Within one millisecond a person's word is the newer one: it stands first, and stays there.
        concluded.sort(key=lambda found: found[0], reverse=True)
        return Response({"results": [body for _, body in concluded]})


def _of_verdict(verdict: VerdictRecord) -> dict[str, Any]:
    return {
        "by": "policy",
        "revision": verdict.revision,
        "at": time_of(verdict.judged_at),
        "action": verdict.action,
        "category": verdict.category,
        "rule": verdict.rule,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "provider": verdict.provider,
        "part": verdict.part_key,
        "not_judged": verdict.not_judged,
        "policy": {"revision": verdict.policy.number if verdict.policy else None},
        "reason": "",
        "evidence": [_evidence(result) for result in verdict.submission.results.all()],
        **_caused(getattr(verdict, "enforcement", None)),
    }


def _of_decision(decision: Decision) -> dict[str, Any]:
    """Say what a person decided; not who."""
    return {
        "by": "person",
        "revision": decision.revision,
        "at": time_of(decision.decided_at),
        "action": decision.action,
        "category": decision.category,
        "rule": "",
        "score": None,
        "threshold": None,
        "provider": None,
        "part": None,
        "not_judged": [],
        "policy": None,
        "reason": decision.reason,
        "evidence": [],
        **_caused(getattr(decision, "enforcement", None)),
    }


def _caused(enforcement: Enforcement | None) -> dict[str, Any]:
    if enforcement is None:
        return {"effects": [], "reversed_at": None}
    return {
        "effects": [effect.kind for effect in enforcement.effects.all()],
        "reversed_at": time_of(enforcement.reversed_at),
    }


def _evidence(result: ProviderResult) -> dict[str, Any]:
    return {
        "provider": result.provider,
        "model": result.model_version,
        "part": result.part_key,
        "outcome": result.outcome,
        "scores": result.scores,
        "error": result.error,
        "stood_in": result.stood_in,
        "cached": result.cached,
        "latency_ms": result.latency_ms,
    }
