"""`/moderate` and `/moderate/batch`: one text, or up to 100, judged while the caller waits.

The document that this contract comes from calls a text safe when nobody could judge it. Here it
never is: such a text is an error, or waits for a person, as the setting `moderate_fallback` says.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import caller_of
from moderation.api.dialects.base import DialectView, answer, community_of, highest, judge
from moderation.api.errors import Problem
from moderation.conf import get_conf
from moderation.drafts import MAX_ID_CHARS
from moderation.errors import InvalidSubmission, NotAllowed, ProviderUnavailable
from moderation.fields import Fields
from moderation.models import Community
from moderation.pipeline.judging.check import Checked, Draft
from moderation.vocabulary import Action, Category, Dialect, Outcome, Scope

logger = logging.getLogger(__name__)

MAX_ITEMS = 100
# The contract's seven words, and what we judge that each of them covers.
COVERS: Mapping[str, tuple[Category, ...]] = {
    "hate_speech": (Category.HATE,),
    "violence": (Category.VIOLENCE, Category.GRAPHIC, Category.THREAT),
    "sexual_content": (Category.SEXUAL, Category.SEXUAL_MINORS),
    "self_harm": (Category.SELF_HARM,),
    "harassment": (Category.HARASSMENT, Category.TOXIC, Category.SEVERE_TOXIC),
    "spam": (Category.SPAM,),
    "sensitive_topics": (
        Category.EXTREMISM,
        Category.ILLICIT,
        Category.DRUGS,
        Category.WEAPONS,
        Category.MALWARE,
        Category.PERSONAL_INFO,
        Category.PROFANITY,
        Category.OTHER,
    ),
}
SAFE = frozenset({Action.ALLOW, Action.WARN})
_MOST_WORDS = 100


@dataclass(frozen=True, slots=True)
class _Item:
    """A text as it was sent. `shown` are the categories that the answer is to hold."""

    content: str
    content_id: str
    shown: tuple[str, ...]
    bypass: bool


class ModerateView(DialectView):
    dialect = Dialect.MODERATE

    def write_problem(self, problem: Problem) -> HttpResponse:
        """Return an error as the framework of the document's own service words it."""
        return JsonResponse(
            {"detail": _detail(problem)},
            status=422 if problem.code in _UNPROCESSABLE else problem.status,
            headers=dict(problem.headers),
        )


class Moderate(ModerateView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Judge one text; 503 when nobody could, unless a person is to look then."""
        began = time.perf_counter()
        fields = Fields(request.data)
        item = _read_item(fields)
        fields.finish()
        _refuse_bypass(request, [item])
        community = community_of(request, fields)
        if item.bypass:
            return Response(_bypassed(item))
        (checked,) = judge(request, [Draft(community, body=item.content)])
        if _nobody_judged(checked):
            _fall_back_or_fail()
        body = _result(item, checked, took_ms=_since(began))
        return answer(
            body, community=community, checked=[checked], not_judged=checked.verdict.not_judged
        )


class ModerateBatch(ModerateView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Judge up to 100 texts; those that nobody judged wait for a person, and are counted."""
        began = time.perf_counter()
        fields = Fields(request.data)
        items = _read_items(fields)
        fields.finish()
        _refuse_bypass(request, items)
        community = community_of(request, fields)
        judged = _judge_all(request, items, community)
        if judged and all(map(_nobody_judged, judged.values())):
            _fall_back_or_fail()
        results = [
            _result(item, judged[number], took_ms=_judging_took_ms(judged[number]))
            if number in judged
            else _bypassed(item)
            for number, item in enumerate(items)
        ]
        failed = [number for number, checked in judged.items() if checked.verdict.not_judged]
        body = {
            "results": results,
            "total_processing_time_ms": _since(began),
            "failed_items": len(failed),
        }
        if not judged:
            return Response(body)
        return answer(
            body,
            community=community,
            checked=list(judged.values()),
            not_judged=[f"items.{number}" for number in failed],
        )


# --- what was sent --------------------------------------------------------------------------------


def _read_items(fields: Fields) -> list[_Item]:
    if "items" not in fields:
        fields.note("items", "is required")
    sent = fields.items("items", most=sys.maxsize)
    if len(sent) > MAX_ITEMS:
        raise InvalidSubmission(f"A batch has at most {MAX_ITEMS} items, this has {len(sent)}.")
    return [
        _read_item(
            Fields(item, place=f"items.{number}.", wrong=fields.wrong), default=f"batch_{number}"
        )
        for number, item in enumerate(sent)
    ]


def _read_item(fields: Fields, *, default: str = "") -> _Item:
    content = fields.text("content", most=get_conf().max_body_chars, required=True)
    bypass = fields.flag("bypass_moderation")
    content_id = fields.text("content_id", most=MAX_ID_CHARS) or default
    wanted = fields.items("categories", most=_MOST_WORDS)
    if not all(isinstance(word, str) for word in wanted):
        fields.note("categories", "is a list of texts")
    # Words that are not the contract's count for nothing, as in the document.
    shown = tuple(word for word in COVERS if word in wanted) or tuple(COVERS)
    return _Item(content, content_id or _id_of(content, bypass=bypass), shown, bypass)


def _id_of(content: str, *, bypass: bool) -> str:
    if bypass:
        return "bypassed"
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _refuse_bypass(request: Request, items: Sequence[_Item]) -> None:
    """Let only keys that run the community vouch for texts. Raises `NotAllowed`."""
    vouched = sum(item.bypass for item in items)
    if not vouched:
        return
    caller = caller_of(request)
    if not caller.may(Scope.ADMIN):
        raise NotAllowed(f"bypass_moderation needs a key with the scope {Scope.ADMIN.value!r}.")
    logger.info("moderation_bypassed", extra={"client": caller.client, "texts": vouched})


# --- what is answered -----------------------------------------------------------------------------


def _judge_all(
    request: Request, items: Sequence[_Item], community: Community
) -> dict[int, Checked]:
    """Return what was said of each item that nobody vouched for, by its place."""
    places = [number for number, item in enumerate(items) if not item.bypass]
    if not places:
        return {}
    drafts = [Draft(community, body=items[number].content) for number in places]
    return dict(zip(places, judge(request, drafts), strict=True))


def _nobody_judged(checked: Checked) -> bool:
    """Whether an answer would rest on nothing. A blocked word is enough to rest on."""
    return checked.verdict.action is not Action.BLOCK and not any(
        item.answer.outcome is Outcome.JUDGED for item in checked.answers
    )


def _fall_back_or_fail() -> None:
    if get_conf().moderate_fallback != "review":
        raise ProviderUnavailable("Nobody could judge this now.")


def _result(item: _Item, checked: Checked, *, took_ms: float) -> dict[str, Any]:
    action = checked.verdict.action
    scores = {
        word: score
        for word in item.shown
        if (score := highest(checked.scores, COVERS[word])) is not None
    }
    return {
        "content_id": item.content_id,
        "is_safe": action in SAFE,
        "confidence": _confidence(checked),
        "action": action.value,
        "processing_time_ms": took_ms,
        "categories": scores,
    }


def _confidence(checked: Checked) -> float:
    """Return the highest score; a blocked word is certain, and what nobody judged has none."""
    blocked = checked.verdict.action is Action.BLOCK
    return max(checked.scores.values(), default=1.0 if blocked else 0.0)


def _bypassed(item: _Item) -> dict[str, Any]:
    return {
        "content_id": item.content_id,
        "is_safe": True,
        "confidence": 1.0,
        "action": Action.ALLOW.value,
        "processing_time_ms": 0.0,
        "categories": {},
    }


def _judging_took_ms(checked: Checked) -> float:
    return round(sum(item.latency_ms for item in checked.answers), 2)


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


# --- errors ---------------------------------------------------------------------------------------

_UNPROCESSABLE = ("invalid_fields", "malformed_request")
_DETAIL = {
    "not_authenticated": "Not authenticated",
    "provider_unavailable": "Content moderation service unavailable",
    "unavailable": "Content moderation service unavailable",
}


def _detail(problem: Problem) -> object:
    """Return one sentence, or for a body that is no good one entry a field."""
    if problem.code == "invalid_fields":
        return [
            _entry(wrong["field"].split("."), wrong["message"]) for wrong in problem.extra["errors"]
        ]
    if problem.code == "malformed_request":
        return [_entry([], problem.detail, kind="json_invalid")]
    return _DETAIL.get(problem.code, problem.detail)


def _entry(steps: Sequence[str], message: str, kind: str = "value_error") -> dict[str, Any]:
    place = [int(step) if step.isdecimal() else step for step in steps if step != "body"]
    return {"loc": ["body", *place], "msg": message, "type": kind}
