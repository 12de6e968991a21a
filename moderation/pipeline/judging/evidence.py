"""3b · Answers as rows and rows as answers: what was said once about a revision counts again.

A post that waited for a service goes on with what it had. A post that is looked at again rests on
the answers that were kept, wherever the same model would say the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from moderation.asking import Answered, Question, read_text
from moderation.errors import ProviderRejected
from moderation.models import ProviderResult, Submission
from moderation.pipeline.judging.jobs import outstanding_answers
from moderation.pipeline.judging.lease import Claim
from moderation.pipeline.known.banks import ASKED
from moderation.policy.verdict import Evidence, PartRef
from moderation.providers import registry
from moderation.providers.base import Answer, Span
from moderation.vocabulary import Category, Outcome, Part, Reason

# Under this name `raw` keeps what a provider read or heard in an attachment.
_TEXT = "read_text"
# New text, and a second opinion that is to owe nothing to the first.
_ASKED_AFRESH = (Reason.NEW, Reason.EDIT, Reason.APPEAL)


def result_row(
    submission: Submission, answered: Answered, *, shadow: bool = False
) -> ProviderResult:
    """Return an answer as evidence of a submission, unsaved."""
    part, answer = answered.question.part, answered.answer
    return ProviderResult(
        submission=submission,
        provider=answered.provider,
        model_version=answered.model_version,
        part_kind=part.kind,
        part_key=part.key,
        outcome=answer.outcome,
        scores={str(category): score for category, score in answer.scores.items()},
        spans=[[span.start, span.end, str(span.category)] for span in answer.spans],
        regions=[list(region) for region in answer.regions],
        raw={**answer.raw, _TEXT: answer.text} if answer.text else dict(answer.raw),
        error=answer.error,
        stood_in=answered.stood_in,
        shadow=shadow,
        latency_ms=answered.latency_ms,
        cost_micros=answer.cost_micros,
        cached=answered.cached,
    )


def evidence_of(row: ProviderResult) -> Evidence:
    """Return a kept answer as the policy reads it; so a replay reads what the judge read."""
    return Evidence(
        provider=row.provider,
        part=PartRef(row.part_key, Part(row.part_kind)),
        outcome=Outcome(row.outcome),
        scores={Category(name): score for name, score in row.scores.items()},
        spans=[(start, end, category) for start, end, category in row.spans],
        stood_in=row.stood_in,
        in_doubt=doubted(row.provider, row.raw),
    )


def doubted(provider: str, raw: Mapping[str, Any]) -> Category | None:
    """Return what an entry of a bank that is in quarantine knows it as, None for most answers."""
    if provider in ASKED:
        for match in raw.get("matches", ()):
            if match.get("in_doubt"):
                return Category(match["category"])
    return None


def known_answers(claims: Sequence[Claim], questions: Sequence[Question]) -> list[Answered]:
    """Return what need not be asked: `questions` name a claim by its place, or by -1 less it."""
    rows = _kept_rows(claims)
    jobs = outstanding_answers([claim for claim in claims if claim.was_asked_before])
    if not rows and not jobs:
        return []
    found: list[Answered] = []
    waiting = list(questions)
    while waiting:
        question = waiting.pop()
        claim = claims[question.subject if question.subject >= 0 else -1 - question.subject]
        wanted = question.policy.providers()
        place = (claim.submission.pk, question.part.key)
        known = [_answered(question, row) for row in rows.get(place, ()) if row.provider in wanted]
        known += [
            Answered(
                question,
                job.provider,
                job.answer.model_version,
                job.answer,
                again_in_seconds=job.again_in_seconds,
            )
            for job in jobs.get(place, ())
            if job.provider in wanted
        ]
        found += known
        # What was read in a picture was asked about as a text of its own.
        waiting += {
            further.part.key: further for further in map(read_text, known) if further is not None
        }.values()
    return found


def _answered(question: Question, row: ProviderResult) -> Answered:
    answer = Answer(
        outcome=Outcome(row.outcome),
        scores={Category(name): score for name, score in row.scores.items()},
        spans=[Span(start, end, Category(name)) for start, end, name in row.spans],
        regions=[(*box, label) for *box, label in row.regions],
        raw={name: value for name, value in row.raw.items() if name != _TEXT},
        model_version=row.model_version,
        error=row.error,
        cost_micros=row.cost_micros,
        text=row.raw.get(_TEXT, ""),
    )
    return Answered(
        question,
        row.provider,
        row.model_version,
        answer,
        row.latency_ms or 0.0,
        cached=row.cached,
    )


def _kept_rows(claims: Sequence[Claim]) -> dict[tuple[int, str], list[ProviderResult]]:
    """Return rows by the submission that they count for, and their part."""
    found: dict[tuple[int, str], list[ProviderResult]] = defaultdict(list)
    parked = [claim.submission.pk for claim in claims if claim.was_asked_before]
    if parked:
        for row in ProviderResult.objects.filter(submission_id__in=parked):
            found[row.submission_id, row.part_key].append(row)
    again = [
        claim
        for claim in claims
        if claim.submission.reason not in _ASKED_AFRESH and not claim.was_asked_before
    ]
    for claim, row in _rows_of_before(again):
        found[claim.submission.pk, row.part_key].append(row)
    return found


def _rows_of_before(claims: Sequence[Claim]) -> Iterable[tuple[Claim, ProviderResult]]:
    """Yield the newest answers about the very revisions of these claims that still hold good."""
    if not claims:
        return
    by_post: dict[UUID, Claim] = {claim.post.pk: claim for claim in claims}
    rows = (
        ProviderResult.objects.filter(
            submission__post_id__in=by_post, outcome__in=(Outcome.JUDGED, Outcome.NOT_JUDGED)
        )
        .select_related("submission")
        .order_by("-pk")
    )
    taken: set[tuple[UUID, str, str]] = set()
    for row in rows:
        claim = by_post[row.submission.post_id]
        place = (claim.post.pk, row.provider, row.part_key)
        is_same = (
            row.submission.revision == claim.submission.revision
            and row.submission.content_hash == claim.submission.content_hash
        )
        if is_same and place not in taken and _holds_good(row):
            taken.add(place)
            row.cached, row.cost_micros, row.latency_ms = True, 0, 0.0
            yield claim, row


def _holds_good(row: ProviderResult) -> bool:
    """Whether the same provider would say the same today: only services are spared the question.

    A failure to judge is asked about again.
    """
    if row.error or registry.is_local(row.provider):
        return False
    try:
        return registry.get_service(row.provider).provider.model_version == row.model_version
    except ProviderRejected:
        return False
