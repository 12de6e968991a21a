"""OpenAI's `POST /v1/moderations`: a text, a list of texts, or one list of parts with pictures."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.dialects.base import (
    FLAGGING,
    DialectView,
    answer,
    community_of,
    file_in,
    judge,
    model_id,
    policy_number,
    policy_of_number,
)
from moderation.api.errors import Problem
from moderation.api.limits import HEADERS_ATTRIBUTE
from moderation.conf import get_conf
from moderation.drafts import MAX_URL_CHARS
from moderation.errors import MediaRefused
from moderation.fields import Fields
from moderation.models import Community
from moderation.models.posts import TEXT_KEY
from moderation.pipeline.judging.check import Checked, Draft
from moderation.pipeline.media import NewMedia, check_upload
from moderation.policy.document import Policy
from moderation.vocabulary import Action, Category, Dialect, MediaKind, Outcome

# Of which of our categories a score is made: the highest of several ways, each the lowest of its
# categories. `hate/threatening` is hate and a threat at once. Nobody here tells an intent to harm
# oneself or instructions for it from other talk of it.
WAYS: Mapping[str, tuple[tuple[Category, ...], ...]] = {
    "harassment": ((Category.HARASSMENT,),),
    "harassment/threatening": ((Category.THREAT,),),
    "hate": ((Category.HATE,),),
    "hate/threatening": ((Category.HATE, Category.THREAT),),
    "illicit": ((Category.ILLICIT,), (Category.DRUGS,), (Category.WEAPONS,)),
    "illicit/violent": ((Category.WEAPONS,), (Category.ILLICIT, Category.VIOLENCE)),
    "self-harm": ((Category.SELF_HARM,),),
    "self-harm/intent": (),
    "self-harm/instructions": (),
    "sexual": ((Category.SEXUAL,),),
    "sexual/minors": ((Category.SEXUAL_MINORS,),),
    "violence": ((Category.VIOLENCE,), (Category.GRAPHIC,)),
    "violence/graphic": ((Category.GRAPHIC,),),
}
# The protocol knows no other for pictures, and its libraries hold answers to that.
SEEN_IN_IMAGES = frozenset(
    {
        "self-harm",
        "self-harm/intent",
        "self-harm/instructions",
        "sexual",
        "violence",
        "violence/graphic",
    }
)
_INVALID = "invalid_request_error"
# Code of a problem: type and code of the error. All others are plain invalid requests.
_ERRORS = {
    "invalid_fields": (_INVALID, "invalid_value"),
    "invalid_submission": (_INVALID, "invalid_value"),
    "media_refused": (_INVALID, "invalid_image"),
    "not_authenticated": (_INVALID, "invalid_api_key"),
    "not_allowed": (_INVALID, "insufficient_permissions"),
    "method_not_allowed": (_INVALID, "method_not_supported"),
    "rate_limited": ("requests", "rate_limit_exceeded"),
    "unavailable": ("service_unavailable_error", None),
    "provider_unavailable": ("service_unavailable_error", None),
}
_NUMBER = re.compile(r";([qrt])=(\d+)")


class Moderations(DialectView):
    dialect = Dialect.OPENAI

    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.began = time.perf_counter()

    def post(self, request: Request) -> Response:
        fields = Fields(request.data)
        fields.text("model", most=200)
        asked = _read_inputs(fields, request.data)
        fields.finish()
        community = community_of(request, fields)
        drafts = [one.draft(community) for one in asked if not one.is_blank]
        checked = judge(request, drafts) if drafts else []
        policy = policy_of_number(community, policy_number(community, checked))
        said = iter(checked)
        results = [_Result(policy, None if one.is_blank else next(said)) for one in asked]
        return answer(
            {
                "id": f"modr-{secrets.token_hex(16)}",
                "model": model_id(community, checked),
                "results": [result.body() for result in results],
            },
            community=community,
            checked=checked,
            not_judged=_once(name for result in results for name in result.not_judged()),
        )

    def write_problem(self, problem: Problem) -> HttpResponse:
        kind, code = _ERRORS.get(problem.code, (_INVALID, None))
        message, param = problem.detail, None
        if wrong := problem.extra.get("errors"):
            param, said = wrong[0]["field"], wrong[0]["message"]
            message = f"Invalid {param!r}: {said}."
        if problem.code == "not_authenticated":
            message, code = self._about_the_key()
        error = {"message": message, "type": kind, "param": param, "code": code}
        return JsonResponse({"error": error}, status=problem.status, headers=dict(problem.headers))

    def _about_the_key(self) -> tuple[str, str | None]:
        if self.sent_key(self.request):
            return (
                "Incorrect API key provided: it is unknown, revoked or expired.",
                "invalid_api_key",
            )
        return "You didn't provide an API key: send it as `Authorization: Bearer`.", None

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("x-request-id", f"req_{secrets.token_hex(16)}")
        took_ms = (time.perf_counter() - self.began) * 1000
        final.headers["openai-processing-ms"] = str(round(took_ms))
        for name, value in _limits(getattr(request, HEADERS_ATTRIBUTE, {})).items():
            final.headers[name] = value
        return final


# --- what is asked -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Input:
    """What one result is asked for."""

    text: str
    media: tuple[NewMedia, ...] = ()

    @property
    def is_blank(self) -> bool:
        return not (self.text.strip() or self.media)

    def draft(self, community: Community) -> Draft:
        return Draft(community, body=self.text, media=self.media)


def _read_inputs(fields: Fields, sent: object) -> list[_Input]:
    given = sent.get("input") if isinstance(sent, Mapping) else None
    if isinstance(given, str):
        return [_Input(_text(fields, "input"))]
    if not isinstance(given, list) or not given:
        wrong = "is required" if given is None else "is a text, or a list of texts or of parts"
        fields.note("input", wrong)
        return []
    if all(isinstance(one, str) for one in given):
        return _read_texts(fields, given)
    return [_read_parts(fields, given)]


def _text(fields: Fields, name: str) -> str:
    # An empty one is a text too, with nothing in it.
    return fields.text(name, most=get_conf().max_body_chars, keep_blanks=True)


def _read_texts(fields: Fields, given: Sequence[str]) -> list[_Input]:
    most = get_conf().max_bulk_items
    if len(given) > most:
        fields.note("input", f"has at most {most} texts, this has {len(given)}")
        return []
    numbered = Fields(
        {str(place): text for place, text in enumerate(given)}, place="input.", wrong=fields.wrong
    )
    return [_Input(_text(numbered, str(place))) for place in range(len(given))]


def _read_parts(fields: Fields, given: Sequence[object]) -> _Input:
    """Return one input of all parts: they are judged, and answered, together."""
    texts: list[str] = []
    media: list[NewMedia] = []
    for place, item in enumerate(given):
        part = Fields(item, place=f"input.{place}.", wrong=fields.wrong)
        kind = part.text("type", most=20, required=True)
        if kind == "text":
            texts.append(_text(part, "text"))
        elif kind == "image_url":
            media += _read_image(part)
        elif kind:
            part.note("type", "is `text` or `image_url`")
    most = get_conf().max_media_per_post
    if len(media) > most:
        fields.note("input", f"has at most {most} images, this has {len(media)}")
    return _Input(
        _text(Fields({"input": "\n".join(texts)}, wrong=fields.wrong), "input"), tuple(media)
    )


def _read_image(part: Fields) -> list[NewMedia]:
    image = part.nested("image_url")
    if image is None:
        part.note("image_url", "is required")
        return []
    # Four characters hold three bytes.
    url = image.text("url", most=get_conf().max_upload_bytes * 4 // 3 + 200, required=True)
    if not url:
        return []
    if not url.startswith("data:"):
        if len(url) > MAX_URL_CHARS or not url.startswith(("https://", "http://")):
            image.note("url", "is an address that begins with https://, or a data: URL")
            return []
        return [NewMedia(url=url)]
    made = NewMedia(data=file_in(url))
    if not made.data:
        image.note("url", "is an image as `data:image/png;base64,…`")
        return []
    return [made] if _is_picture(made, image) else []


def _is_picture(made: NewMedia, image: Fields) -> bool:
    try:
        check_upload(made)
    except MediaRefused as error:
        image.note("url", str(error))
        return False
    if made.kind not in (MediaKind.IMAGE, MediaKind.GIF):
        image.note("url", "is an image")
        return False
    return True


# --- what is answered ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Result:
    """What is said of one input. `checked` is None for one with nothing in it."""

    policy: Policy
    checked: Checked | None

    def body(self) -> dict[str, Any]:
        scores = self._scores()
        return {
            "flagged": self.checked is not None and self.checked.verdict.action in FLAGGING,
            "categories": {name: self._is_reached(name) for name in WAYS},
            "category_scores": {name: scores[name] or 0.0 for name in WAYS},
            "category_applied_input_types": {name: self._seen_in(name) for name in WAYS},
            "gatehouse": {
                "action": self.checked.verdict.action if self.checked else Action.ALLOW,
                "rule": self.checked.verdict.rule if self.checked else "nothing_sent",
                "not_judged": self.not_judged(),
            },
        }

    def not_judged(self) -> list[str]:
        """Return the categories whose 0 means nothing; of nothing, every 0 is true."""
        if self.checked is None:
            return []
        return [name for name, score in self._scores().items() if score is None]

    def _scores(self) -> dict[str, float | None]:
        judged = self.checked.scores if self.checked else {}
        return {name: _score(judged, ways) for name, ways in WAYS.items()}

    def _is_reached(self, name: str) -> bool:
        """Whether the policy would have acted on this category alone."""
        judged = self.checked.scores if self.checked else {}
        return any(
            all(
                category in judged and judged[category] >= _threshold(self.policy, category)
                for category in way
            )
            for way in WAYS[name]
        )

    def _seen_in(self, name: str) -> list[str]:
        kinds = ["text", "image"] if name in SEEN_IN_IMAGES else ["text"]
        return [
            kind
            for kind in kinds
            if any(self._judged_in(kind).issuperset(way) for way in WAYS[name])
        ]

    def _judged_in(self, kind: str) -> set[Category]:
        """Return what was judged in the text, or in any picture with what was read there."""
        return {
            category
            for item in (self.checked.answers if self.checked else ())
            if (item.question.part.key == TEXT_KEY) is (kind == "text")
            and item.answer.outcome is Outcome.JUDGED
            for category in item.answer.scores
        }


def _score(judged: Mapping[Category, float], ways: Iterable[tuple[Category, ...]]) -> float | None:
    """Return None where nobody judged all categories of any way."""
    return max(
        (
            min(judged[category] for category in way)
            for way in ways
            if all(category in judged for category in way)
        ),
        default=None,
    )


def _threshold(policy: Policy, category: Category) -> float:
    """Return from which score on the policy asks for more than a warning."""
    steps = policy.thresholds[category]
    return min((steps[action] for action in FLAGGING if action in steps), default=float("inf"))


def _once(names: Iterable[str]) -> list[str]:
    found = set(names)
    return [name for name in WAYS if name in found]


def _limits(headers: Mapping[str, str]) -> dict[str, str]:
    """Return where the caller stands, as OpenAI says it."""
    known = dict(_NUMBER.findall(";".join(headers.values())))
    if not {"q", "r", "t"} <= known.keys():
        return {}
    minutes, seconds = divmod(int(known["t"]), 60)
    return {
        "x-ratelimit-limit-requests": known["q"],
        "x-ratelimit-remaining-requests": known["r"],
        "x-ratelimit-reset-requests": f"{minutes}m{seconds}s" if minutes else f"{seconds}s",
    }
