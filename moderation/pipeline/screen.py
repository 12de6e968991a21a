"""3 · Ask the policy's providers about every part, outside any transaction; keep every answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from moderation import queries
from moderation.errors import ProviderError
from moderation.models import MediaItem, ProviderResult, Submission
from moderation.models.posts import media_key
from moderation.pipeline.lease import Claim
from moderation.pipeline.media import image_part
from moderation.policy.document import Policy
from moderation.policy.verdict import PartRef
from moderation.providers import registry
from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.vocabulary import MediaState, Outcome, Part

logger = logging.getLogger(__name__)

TEXT_KEY = "text"
_MEDIA_PART = {"image": Part.IMAGE, "gif": Part.GIF, "video": Part.VIDEO}


@dataclass(frozen=True, slots=True)
class Screened:
    """A claim with what the verdict must rest on and what was answered about it.

    `policy_id` is the revision of the policy that chose the providers and will judge.
    """

    claim: Claim
    policy_id: int | None
    parts: tuple[PartRef, ...]
    results: tuple[ProviderResult, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """One part to be asked about, and the submission that it belongs to."""

    submission: Submission
    part: AnyPart


def screen(claims: Sequence[Claim]) -> list[Screened]:
    """Return every claim with its evidence, in order.

    A provider that fails is an answer too (`failed`); it never raises from here.
    """
    media = _media_of(claims)
    policies = _policy_ids(claims)
    parts = {item.submission.pk: _parts_of(item, media.get(item.post.pk, ())) for item in claims}
    results = _ask_all(claims, policies, media)
    return [
        Screened(
            claim=item,
            policy_id=policies[item.post.community_id],
            parts=parts[item.submission.pk],
            results=tuple(results.get(item.submission.pk, ())),
        )
        for item in claims
    ]


def unscreened(claims: Sequence[Claim]) -> list[Screened]:
    """Return claims that nobody will be asked about, so that nothing of them is judged."""
    media = _media_of(claims)
    policies = _policy_ids(claims)
    return [
        Screened(
            item,
            policies[item.post.community_id],
            _parts_of(item, media.get(item.post.pk, ())),
            (),
        )
        for item in claims
    ]


def _policy_ids(claims: Sequence[Claim]) -> dict[int, int | None]:
    return queries.active_policy_ids({item.post.community_id for item in claims})


def _media_of(claims: Sequence[Claim]) -> dict[object, list[MediaItem]]:
    """Return the attachments of each post's current revision."""
    # Posts with attachments have a lane of their own; the other lanes are spared the query,
    # except where an edit added or took away the attachment meanwhile.
    posts = {item.post.pk: item.post for item in claims}
    found: dict[object, list[MediaItem]] = {}
    for row in MediaItem.objects.filter(post_id__in=posts):
        if row.post_id and row.shows_in(posts[row.post_id].revision):
            found.setdefault(row.post_id, []).append(row)
    return found


def _parts_of(item: Claim, media: Sequence[MediaItem]) -> tuple[PartRef, ...]:
    refs = [PartRef(media_key(row.pk), _MEDIA_PART[row.kind]) for row in media]
    if _text_of(item):
        refs.insert(0, PartRef(TEXT_KEY, Part.TEXT))
    return tuple(refs)


def _text_of(item: Claim) -> str:
    return "\n".join(text for text in (item.post.title, item.post.body) if text)


def _ask_all(
    claims: Sequence[Claim],
    policies: Mapping[int, int | None],
    media: Mapping[object, Sequence[MediaItem]],
) -> dict[int, list[ProviderResult]]:
    """Ask each provider once for the whole batch, several providers at the same time."""
    questions: dict[str, list[_Question]] = {}
    for item in claims:
        policy = queries.policy_of(policies[item.post.community_id])
        for part in _questions_of(item, media.get(item.post.pk, ())):
            for name in _route(policy, part.kind):
                questions.setdefault(name, []).append(_Question(item.submission, part))
    found: dict[int, list[ProviderResult]] = {}
    for results in _in_parallel(questions):
        for row in results:
            found.setdefault(row.submission_id, []).append(row)
    return found


def _in_parallel(questions: Mapping[str, list[_Question]]) -> list[list[ProviderResult]]:
    if len(questions) <= 1:
        return [_ask(name, asked) for name, asked in questions.items()]
    with ThreadPoolExecutor(max_workers=len(questions), thread_name_prefix="ask") as pool:
        return list(pool.map(lambda pair: _ask(*pair), questions.items()))


def _route(policy: Policy, kind: Part) -> tuple[str, ...]:
    names = policy.route.get(kind, ())
    if (
        policy.overload_then == "local_only"
        and policy.overload_seconds is not None
        and queries.oldest_due_seconds() > policy.overload_seconds
    ):
        return tuple(name for name in names if registry.is_local(name))
    return names


def _questions_of(item: Claim, media: Sequence[MediaItem]) -> list[AnyPart]:
    parts: list[AnyPart] = [image_part(row) for row in media if row.state == MediaState.READY]
    text = _text_of(item)
    if text:
        parts.append(TextPart(TEXT_KEY, text))
    return parts


def _ask(name: str, questions: Sequence[_Question]) -> list[ProviderResult]:
    """Put all questions to one provider in one call; a failure answers every one of them."""
    started = time.perf_counter()
    model_version = ""
    try:
        provider = registry.get_provider(name)
        model_version = provider.model_version
        answers = provider.judge([question.part for question in questions])
    except ProviderError as error:
        answers = [Answer(Outcome.FAILED, error=error.code)] * len(questions)
    except Exception as error:
        # A provider's own fault must not stop the others: nothing was judged, and it says so.
        logger.exception("provider_crashed", extra={"provider": name})
        answers = [Answer(Outcome.FAILED, error=type(error).__name__)] * len(questions)
    latency_ms = (time.perf_counter() - started) * 1000 / max(len(questions), 1)
    return [
        _result(name, question, answer, latency_ms, answer.model_version or model_version)
        for question, answer in zip(questions, answers, strict=True)
    ]


def _result(
    name: str, question: _Question, answer: Answer, latency_ms: float, model_version: str
) -> ProviderResult:
    return ProviderResult(
        submission=question.submission,
        provider=name,
        model_version=model_version,
        part_kind=question.part.kind,
        part_key=question.part.key,
        outcome=answer.outcome,
        scores={str(category): score for category, score in answer.scores.items()},
        spans=[[span.start, span.end, str(span.category)] for span in answer.spans],
        regions=[list(region) for region in answer.regions],
        raw=dict(answer.raw),
        error=answer.error,
        latency_ms=latency_ms,
        cost_micros=answer.cost_micros,
    )
