"""Discuse's one method: a text, pictures and animations in one question, answered in sections.

A section that nobody could judge is a hit: its status says so, and numbers that nobody gave are
absent.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import caller_of
from moderation.api.callers import KeyCaller
from moderation.api.dialects.base import (
    COMMUNITY_HEADER,
    FLAGGING,
    DialectView,
    answer,
    highest,
    judge,
    policy_of_number,
)
from moderation.api.errors import Problem
from moderation.asking import Answered
from moderation.conf import get_conf
from moderation.drafts import MAX_ID_CHARS, MAX_URL_CHARS
from moderation.errors import NotFound
from moderation.fields import Fields
from moderation.models import ApiKey, Community
from moderation.models.posts import TEXT_KEY
from moderation.pipeline.judging.check import BLOCKED_WORD, Checked, Draft
from moderation.pipeline.media import NewMedia
from moderation.policy.document import Policy
from moderation.policy.verdict import reach_verdict
from moderation.providers.own.filters.languages import (
    KNOWN,
    MIN_SURENESS,
    group_of,
    guess_language,
)
from moderation.vocabulary import Category, Dialect, FilterKind, Outcome

# The document names no limit. Each is fetched and decoded while the caller waits.
MAX_URLS = 20
MAX_TRACE_CHARS = 200

OK, NOT_JUDGED, NOT_LOOKED_FOR = "ok", "not_judged", ""
SENTIMENT: Mapping[str, tuple[Category, ...]] = {
    "toxic": (Category.TOXIC, Category.SEVERE_TOXIC),
    "profanity": (Category.PROFANITY,),
    "threat": (Category.THREAT,),
    "insult": (Category.HARASSMENT,),
}
# What a picture is called from which score on; what counts as a hit is the policy's to say.
SEXUAL_FROM, PORNOGRAPHIC_FROM = 0.5, 0.85
_SEXUAL = (Category.SEXUAL, Category.SEXUAL_MINORS)
# In which section a community's own filter shows that it fired.
_SECTION_OF_FILTER: Mapping[str, str] = {
    FilterKind.LINK: "links",
    FilterKind.LINK_ELSEWHERE: "links",
    FilterKind.WORD: "badwords",
    FilterKind.REGEX: "badwords",
    FilterKind.LANGUAGE: "language",
}
_LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was sent, to be judged by the rules of `community`."""

    community: Community
    text: str
    image_urls: tuple[str, ...]
    gif_urls: tuple[str, ...]
    trace: str | None

    def draft(self) -> Draft:
        media = tuple(NewMedia(url=url) for url in self.image_urls + self.gif_urls)
        return Draft(self.community, body=self.text, media=media)

    @property
    def names(self) -> dict[str, str]:
        """How the dialect names each part of the draft: `image_url.0` for `media.0`."""
        sent = [
            *(f"image_url.{number}" for number in range(len(self.image_urls))),
            *(f"gif_url.{number}" for number in range(len(self.gif_urls))),
        ]
        return {TEXT_KEY: TEXT_KEY} | {f"media.{place}": name for place, name in enumerate(sent)}


class Check(DialectView):
    dialect = Dialect.DISCUSE

    def sent_key(self, request: Request) -> str:
        return request.headers.get("x-client-secret", "")

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        caller = request.auth
        if isinstance(caller, KeyCaller) and not _is_owner(caller.key, request):
            raise AuthenticationFailed("x-client-id is not that of this secret's organisation.")

    def write_problem(self, problem: Problem) -> HttpResponse:
        """Return an error. The document shows none: their body is ours."""
        return JsonResponse(
            {"detail": problem.detail}, status=problem.status, headers=dict(problem.headers)
        )

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Judge a text, pictures and animations at once."""
        asked = _read(request)
        (checked,) = judge(request, [asked.draft()])
        names = asked.names
        return answer(
            _found(asked, checked),
            community=asked.community,
            checked=[checked],
            not_judged=dict.fromkeys(names[_root(key)] for key in checked.verdict.not_judged),
        )


def _is_owner(key: ApiKey, request: Request) -> bool:
    owner = key.owner
    organisation = owner.organisation if isinstance(owner, Community) else owner
    sent = request.headers.get("x-client-id", "")
    return hmac.compare_digest(sent.encode(), organisation.client_id.encode())


# --- what was sent --------------------------------------------------------------------------------


def _read(request: Request) -> _Asked:
    """Raises `InvalidFields`, and `NotFound` for a project that is not the key's."""
    fields = Fields(request.data)
    asked = _nested(fields, "request", place="request")
    media = _nested(asked, "media", place="request.media")
    text = media.text("text", most=get_conf().max_body_chars)
    image_urls, gif_urls = _read_urls(media, "image_url"), _read_urls(media, "gif_url")
    if len(image_urls) + len(gif_urls) > MAX_URLS:
        media.note("", f"has at most {MAX_URLS} addresses")
    if not (text or image_urls or gif_urls or fields.wrong):
        media.note("text", "is required where there is neither a picture nor an animation")
    # A verdict is on content alone: whose it is is not kept.
    asked.text("user_id", most=MAX_ID_CHARS)
    trace = fields.text("trace_context", most=MAX_TRACE_CHARS) or None
    settings = fields.nested("settings")
    number = 0
    if settings is not None:
        number = settings.number("project_id", least=1, most=_LARGEST_NUMBER, default=0)
    fields.finish()
    return _Asked(_community(request, number), text, image_urls, gif_urls, trace)


def _nested(fields: Fields, name: str, *, place: str) -> Fields:
    """Return what must be there; all that is missing in it is told with its place as well."""
    found = fields.nested(name)
    if found is None:
        fields.note(name, "is required")
        return Fields({}, place=f"{place}.", wrong=fields.wrong)
    return found


def _read_urls(media: Fields, name: str) -> tuple[str, ...]:
    found = []
    for number, item in enumerate(media.items(name, most=MAX_URLS)):
        one = Fields({name: item}, place=f"request.media.{number}.", wrong=media.wrong)
        url = one.text(name, most=MAX_URL_CHARS, required=True)
        if url and not url.startswith(("https://", "http://")):
            one.note(name, "begins with https:// or http://")
        found.append(url)
    return tuple(found)


def _community(request: Request, number: int) -> Community:
    """Return the community of the key, or the one that an organisation's key names by its number.

    A project's own secret says already which project is meant.
    """
    caller = caller_of(request)
    assert isinstance(caller, KeyCaller)  # nobody else comes this far
    organisation = caller.key.organisation
    if organisation is None or not number:
        return caller.community(request.headers.get(COMMUNITY_HEADER, ""))
    found = organisation.communities.filter(pk=number).first()
    if found is None:
        raise NotFound(f"This key does not open a project {number}.")
    return found


# --- what is answered -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Section:
    """What was said of some of the parts."""

    is_missing: bool
    is_hit: bool
    scores: Mapping[Category, float]

    @property
    def status(self) -> str:
        return NOT_JUDGED if self.is_missing else OK


def _found(asked: _Asked, checked: Checked) -> dict[str, Any]:
    policy = policy_of_number(asked.community, checked.policy_number)
    fired = frozenset(_sections_of_filters(checked, policy))
    images = _section("image_url.", asked, checked, policy)
    gifs = _section("gif_url.", asked, checked, policy)
    return {
        "trace_context": asked.trace,
        "links": _looked_for("links" in fired),
        "badwords": _looked_for("badwords" in fired or checked.verdict.rule == BLOCKED_WORD),
        "antivirus": _antivirus(checked, policy),
        "language": {
            "expected": asked.community.language or None,
            "detected": _detected(asked.text, expected=asked.community.language),
            "hit": "language" in fired,
        },
        # What was not sent looks as the document shows it.
        "images": _pictures(images) if asked.image_urls else {"result": {}},
        "gifs": _pictures(gifs) if asked.gif_urls else {"result": {}},
        "sentiment": _sentiment(_section(TEXT_KEY, asked, checked, policy))
        if asked.text
        else {"status": "", "hit": False},
        "hits": checked.verdict.action in FLAGGING,
    }


def _section(start: str, asked: _Asked, checked: Checked, policy: Policy) -> _Section:
    """Return what was said of the parts that the dialect names so."""
    parts = {key for key, name in asked.names.items() if name.startswith(start)}
    said = [item for item in checked.answers if _root(item.question.part.key) in parts]
    verdict = reach_verdict(
        policy=policy, parts=(), evidence=[item.evidence() for item in said], sample_key=""
    )
    is_missing = any(_root(key) in parts for key in checked.verdict.not_judged)
    return _Section(is_missing, is_missing or verdict.action in FLAGGING, _highest_of(said))


def _highest_of(answers: list[Answered]) -> dict[Category, float]:
    scores: dict[Category, float] = {}
    for item in answers:
        if item.answer.outcome is Outcome.JUDGED:
            for category, score in item.answer.scores.items():
                scores[category] = max(score, scores.get(category, 0.0))
    return scores


def _root(key: str) -> str:
    """Return the part as it was sent: words that were read in it are parts of their own."""
    return key.partition("#")[0]


def _sentiment(section: _Section) -> dict[str, Any]:
    numbers = {
        name: score
        for name, categories in SENTIMENT.items()
        if (score := highest(section.scores, categories)) is not None
    }
    return {**numbers, "status": section.status, "hit": section.is_hit}


def _pictures(section: _Section) -> dict[str, Any]:
    """Return what was said of all pictures together: the likeliest violation decides."""
    said: dict[str, Any] = {"result": {}, "status": section.status, "hit": section.is_hit}
    sexual = highest(section.scores, _SEXUAL)
    if sexual is None:
        return said
    neutral = round(1 - sexual, 6)
    category, confidence = "neutral", neutral
    if sexual >= SEXUAL_FROM:
        confidence = sexual
        category = "pornographic" if sexual >= PORNOGRAPHIC_FROM else "sexual"
    # One score of ours stands for both of the document's.
    numbers = {"porn": sexual, "sexual": sexual, "neutral": neutral}
    return {**said, **numbers, "result": {"category": category, "confidence": confidence}}


def _antivirus(checked: Checked, policy: Policy) -> dict[str, Any]:
    score = checked.scores.get(Category.MALWARE)
    if score is None:
        return _looked_for(False)
    return {"status": OK, "hit": _is_flagged(policy, Category.MALWARE, score)}


def _looked_for(found: bool) -> dict[str, Any]:
    """Return a section that only ever finds something: to have found nothing clears nothing."""
    return {"status": OK if found else NOT_LOOKED_FOR, "hit": found}


def _sections_of_filters(checked: Checked, policy: Policy) -> Iterator[str]:
    """Yield where the community's filters show, those whose score the policy acts on."""
    for item in checked.answers:
        rules = item.answer.raw.get("rules") if item.provider == "filters" else None
        for rule in rules if isinstance(rules, list) else ():
            section = _SECTION_OF_FILTER.get(rule["kind"])
            if section and _is_flagged(policy, Category(rule["category"]), rule["score"]):
                yield section


def _is_flagged(policy: Policy, category: Category, score: float) -> bool:
    steps = policy.thresholds[category]
    return any(action in FLAGGING and score >= threshold for action, threshold in steps.items())


def _detected(text: str, *, expected: str) -> str | None:
    """Return the language of a text (ISO 639-1), None for one that is too short or in none."""
    guess = guess_language(text)
    if guess is None:
        return None
    best = max(guess.shares, key=lambda code: guess.shares[code])
    if best not in KNOWN or guess.shares[best] < MIN_SURENESS:
        return None
    return expected if group_of(expected) == best else best
