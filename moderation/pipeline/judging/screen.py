"""3 · Ask the policy's providers about every part, outside any transaction; keep every answer.

Some answer later: then the claim is parked with what is known (see `park`), and goes on from there
when it is claimed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moderation import queries
from moderation.asking import Answered, Question, ask, parts_to_judge
from moderation.models import MediaItem, ProviderResult
from moderation.models.posts import NAME_KEY, TEXT_KEY, media_key, visible_text
from moderation.pipeline.judging.evidence import known_answers, result_row
from moderation.pipeline.judging.lease import Claim
from moderation.pipeline.media import OnDisk, media_parts, named
from moderation.policy.document import Policy
from moderation.policy.route import Circumstances
from moderation.policy.verdict import PartRef
from moderation.providers.base import AnyPart, AudioPart, TextPart
from moderation.vocabulary import MediaState, Outcome, Part, Reason, Standing

# Names never change once an author exists: after a few approved posts they need no second look.
_NAMES_ASKED_OF = (Standing.NEW, Standing.WATCHED)
_MEDIA_PART = {
    "image": Part.IMAGE,
    "gif": Part.GIF,
    "video": Part.VIDEO,
    "audio": Part.AUDIO,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What a policy that is being tried out beside the one in force would judge by."""

    experiment_id: int
    policy_id: int | None
    parts: tuple[PartRef, ...]
    results: tuple[ProviderResult, ...]
    # Whether it is the candidate that the trial is of; in a live experiment it judges already.
    is_candidate: bool


@dataclass(frozen=True, slots=True)
class Screened:
    """A claim with what the verdict must rest on and what was answered about it.

    `policy_id` is the revision of the policy that chose the providers and will judge. `waiting`
    holds the answers that are still to come: while there are any, nothing is judged.
    `review_minutes` are the community's own times for people to decide, by lane.
    """

    claim: Claim
    policy_id: int | None
    parts: tuple[PartRef, ...]
    results: tuple[ProviderResult, ...]
    waiting: tuple[Answered, ...] = ()
    # ISO 639-1 of what the community expected, "" for nothing: a route's conditions read it.
    language: str = ""
    trial: Trial | None = None
    review_minutes: Mapping[str, object] = field(default_factory=dict)


def screen(claims: Sequence[Claim]) -> list[Screened]:
    """Return every claim with its evidence, in order.

    A provider that fails is an answer too (`failed`); it never raises from here.
    """
    answers: dict[int, list[Answered]] = defaultdict(list)
    with OnDisk() as disk:
        cases = _read_cases(claims, disk.path)
        questions, known = _asked_about(cases)
        for answered in ask(questions, known=known):
            answers[answered.question.subject].append(answered)
    return [_screened(case, number, answers) for number, case in enumerate(cases)]


def foresee(claims: Sequence[Claim]) -> tuple[list[Question], list[Answered]]:
    """Return what would be asked about claims, and what is known of it already. Asks nobody."""
    return _asked_about(_read_cases(claims))


def _asked_about(cases: Sequence[_Case]) -> tuple[list[Question], list[Answered]]:
    questions = [
        question for number, case in enumerate(cases) for question in case.questions(number)
    ]
    return questions, known_answers([case.claim for case in cases], questions)


def unscreened(claims: Sequence[Claim]) -> list[Screened]:
    """Return claims that nobody will be asked about, so that nothing of them is judged."""
    return [
        Screened(
            case.claim,
            case.policy_id,
            case.parts(case.policy),
            (),
            review_minutes=case.rules.review_minutes,
        )
        for case in _read_cases(claims)
    ]


@dataclass(frozen=True, slots=True)
class _Case:
    """A claim with its community's rules and the attachments that its revision shows."""

    claim: Claim
    rules: queries.RulesInForce
    media: Sequence[MediaItem]
    media_asked: Sequence[AnyPart] = field(default_factory=tuple)

    @property
    def is_on_trial(self) -> bool:
        trial = self.rules.trial
        return (
            trial is not None
            and trial.includes(self.claim.post.author_id)
            and not self.claim.is_for_appeal
        )

    @property
    def policy_id(self) -> int | None:
        trial = self.rules.trial
        if trial is not None and trial.is_live and self.is_on_trial:
            return trial.candidate_id
        return self.rules.policy_id

    @property
    def other_policy_id(self) -> int | None:
        """The policy that only looks on, of a case on trial."""
        trial = self.rules.trial
        assert trial is not None
        return self.rules.policy_id if trial.is_live else trial.candidate_id

    @property
    def policy(self) -> Policy:
        policy = queries.policy_of(self.policy_id)
        return policy.for_appeal() if self.claim.is_for_appeal else policy

    @property
    def text(self) -> str:
        post = self.claim.post
        return visible_text(post.title, post.body, [item.alt_text for item in self.media])

    def parts(self, policy: Policy) -> tuple[PartRef, ...]:
        """Everything that the verdict must rest on, whether or not a provider can see it."""
        text = [PartRef(TEXT_KEY, Part.TEXT)] if self.text else []
        media = [PartRef(media_key(row.pk), _MEDIA_PART[row.kind]) for row in self.media]
        # What is heard in a video counts where a policy has it listened to at all.
        heard = [
            PartRef(part.key, part.kind)
            for part in self.media_asked
            if isinstance(part, AudioPart)
            and all(part.key != ref.key for ref in media)
            and policy.route.get(Part.AUDIO)
        ]
        return (*text, *media, *heard)

    def questions(self, number: int) -> list[Question]:
        """What is asked under the policy that judges and, on trial, under the one that looks on."""
        asked = self._questions(number, self.policy)
        if self.is_on_trial:
            asked += self._questions(_onlooker(number), queries.policy_of(self.other_policy_id))
        return asked

    def _questions(self, number: int, policy: Policy) -> list[Question]:
        claim, post = self.claim, self.claim.post
        around = Circumstances(
            language=self.rules.language,
            standing=Standing(post.author.standing),
            reason=Reason(claim.submission.reason),
            has_media=bool(self.media),
            share_key=str(post.pk),
        )
        waited = claim.waited_seconds
        return [Question(number, policy, part, around, waited) for part in self._asked()]

    def _asked(self) -> list[AnyPart]:
        """What providers can be asked about: the text, and the attachments that are ready.

        A new author's name is asked about too, although no verdict needs an answer: most names
        are words of no language.
        """
        scope = str(self.claim.post.community_id)
        asked = list(self.media_asked)
        if self.text:
            asked.append(TextPart(TEXT_KEY, self.text, self.rules.language, scope=scope))
        author = self.claim.post.author
        if author.name and author.standing in _NAMES_ASKED_OF:
            asked.append(TextPart(NAME_KEY, author.name, self.rules.language, scope=scope))
        return asked


def _onlooker(number: int) -> int:
    """Return the number under which a case is asked about once more, for the policy on trial."""
    return -1 - number


def _read_cases(claims: Sequence[Claim], path: Callable[[str], Path] = named) -> list[_Case]:
    rules = queries.rules_in_force({item.post.community_id for item in claims})
    media = queries.media_of([item.post for item in claims])
    cases = []
    for claim in claims:
        shown = media.get(claim.post.pk, ())
        scope = str(claim.post.community_id)
        asked = tuple(
            part
            for row in shown
            if row.state == MediaState.READY
            for part in media_parts(row, scope=scope, path=path)
        )
        cases.append(_Case(claim, rules[claim.post.community_id], shown, asked))
    return cases


def _screened(case: _Case, number: int, answers: dict[int, list[Answered]]) -> Screened:
    said = answers.get(number, [])
    seen = answers.get(_onlooker(number), [])
    judged_by = {(item.provider, item.question.part.key) for item in said}
    submission = case.claim.submission
    results = tuple(result_row(submission, item) for item in said if not _is_waiting(item))
    extra = [item for item in seen if not _is_waiting(item)]
    return Screened(
        claim=case.claim,
        policy_id=case.policy_id,
        parts=parts_to_judge(case.parts(case.policy), said),
        results=results
        + tuple(
            result_row(submission, item, shadow=True)
            for item in extra
            if (item.provider, item.question.part.key) not in judged_by
        ),
        waiting=tuple(item for item in said if _is_waiting(item)),
        language=case.rules.language,
        trial=_trial(case, seen),
        review_minutes=case.rules.review_minutes,
    )


def _trial(case: _Case, seen: Sequence[Answered]) -> Trial | None:
    """Return what the policy that looks on rests on; None while it is not on trial, or waits."""
    trial = case.rules.trial
    if trial is None or not case.is_on_trial or any(map(_is_waiting, seen)):
        return None
    policy_id = case.other_policy_id
    return Trial(
        experiment_id=trial.experiment_id,
        policy_id=policy_id,
        parts=parts_to_judge(case.parts(queries.policy_of(policy_id)), seen),
        results=tuple(result_row(case.claim.submission, item) for item in seen),
        is_candidate=not trial.is_live,
    )


def _is_waiting(item: Answered) -> bool:
    return item.answer.outcome is Outcome.PENDING
