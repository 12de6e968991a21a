"""3 · Ask the policy's providers about every part, outside any transaction; keep every answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moderation import queries
from moderation.models import MediaItem, ProviderResult, Submission
from moderation.models.posts import media_key
from moderation.pipeline.asking import NAME_KEY, TEXT_KEY, Answered, Question, ask, visible_text
from moderation.pipeline.lease import Claim
from moderation.pipeline.media import image_part
from moderation.policy.verdict import PartRef
from moderation.providers.base import AnyPart, TextPart
from moderation.vocabulary import MediaState, Part, Standing

# Names never change once an author exists: after a few approved posts they need no second look.
_NAMES_ASKED_OF = (Standing.NEW, Standing.WATCHED)
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


def screen(claims: Sequence[Claim]) -> list[Screened]:
    """Return every claim with its evidence, in order.

    A provider that fails is an answer too (`failed`); it never raises from here.
    """
    cases = _read_cases(claims)
    results = _ask_all(cases)
    return [
        Screened(
            claim=case.claim,
            policy_id=case.rules.policy_id,
            parts=case.parts(),
            results=tuple(results.get(case.claim.submission.pk, ())),
        )
        for case in cases
    ]


def unscreened(claims: Sequence[Claim]) -> list[Screened]:
    """Return claims that nobody will be asked about, so that nothing of them is judged."""
    return [
        Screened(case.claim, case.rules.policy_id, case.parts(), ()) for case in _read_cases(claims)
    ]


@dataclass(frozen=True, slots=True)
class _Case:
    """A claim with its community's rules and the attachments that its revision shows."""

    claim: Claim
    rules: queries.RulesInForce
    media: Sequence[MediaItem]

    @property
    def text(self) -> str:
        post = self.claim.post
        return visible_text(post.title, post.body, [item.alt_text for item in self.media])

    def parts(self) -> tuple[PartRef, ...]:
        """Everything that the verdict must rest on, whether or not a provider can see it."""
        text = [PartRef(TEXT_KEY, Part.TEXT)] if self.text else []
        return (*text, *(PartRef(media_key(row.pk), _MEDIA_PART[row.kind]) for row in self.media))

    def questions(self) -> list[AnyPart]:
        """What providers can be asked about: the text, and the attachments that are ready.

        A new author's name is asked about too, although no verdict needs an answer: most names
        are words of no language.
        """
        scope = str(self.claim.post.community_id)
        asked: list[AnyPart] = [
            image_part(row, scope=scope) for row in self.media if row.state == MediaState.READY
        ]
        if self.text:
            asked.append(TextPart(TEXT_KEY, self.text, self.rules.language, scope=scope))
        author = self.claim.post.author
        if author.name and author.standing in _NAMES_ASKED_OF:
            asked.append(TextPart(NAME_KEY, author.name, self.rules.language, scope=scope))
        return asked


def _read_cases(claims: Sequence[Claim]) -> list[_Case]:
    rules = queries.rules_in_force({item.post.community_id for item in claims})
    media = queries.media_of([item.post for item in claims])
    return [
        _Case(item, rules[item.post.community_id], media.get(item.post.pk, ())) for item in claims
    ]


def _ask_all(cases: Sequence[_Case]) -> dict[int, list[ProviderResult]]:
    """Return every answer as a row, by submission."""
    questions = []
    for number, case in enumerate(cases):
        policy = queries.policy_of(case.rules.policy_id)
        questions += [Question(number, policy, part) for part in case.questions()]
    found: dict[int, list[ProviderResult]] = {}
    for answered in ask(questions):
        row = _result(cases[answered.question.subject].claim.submission, answered)
        found.setdefault(row.submission_id, []).append(row)
    return found


def _result(submission: Submission, answered: Answered) -> ProviderResult:
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
        raw=dict(answer.raw),
        error=answer.error,
        latency_ms=answered.latency_ms,
        cost_micros=answer.cost_micros,
    )
