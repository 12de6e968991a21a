"""4a · Judge stored evidence anew, under another policy, without asking anyone.

What a service never said is not guessed: a verdict whose evidence lacks an answer that the other
policy would ask for is counted as one that cannot be judged anew.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, cast
from uuid import UUID

from django.db.models import Case, F, Q, TextField, When
from django.db.models.functions import Cast

from moderation import queries
from moderation.asking.ask import OVERLOAD
from moderation.asking.board import POST_BUDGET, Board, Wanted
from moderation.asking.questions import READ_SUFFIX, Answered, Question, parts_to_judge
from moderation.models import Decision, PolicyRevision, ProviderResult, VerdictRecord
from moderation.models.posts import NAME_KEY
from moderation.pipeline.judging.evidence import doubted
from moderation.pipeline.known.banks import ASKED
from moderation.pipeline.media import SOUND_SUFFIX
from moderation.policy.document import Policy
from moderation.policy.route import Circumstances
from moderation.policy.verdict import Evidence, PartRef, Verdict, asks_for, reach_verdict
from moderation.providers import registry
from moderation.providers.base import Answer, AnyPart
from moderation.vocabulary import Category, Outcome, Part, Reason, Standing

_CATEGORIES: Final = {str(category): category for category in Category}
_OUTCOMES: Final = {str(outcome): outcome for outcome in Outcome}
_PARTS: Final = {str(part): part for part in Part}
# A service that was spared the question has said nothing.
_NEVER_ASKED: Final = (POST_BUDGET, OVERLOAD)
# Named where a part's own evidence would be missing.
SOUND_OF_VIDEOS: Final = "the sound of videos"
OLD_EVIDENCE: Final = "what older versions did not keep"


# What was said of a part by a provider, and how many milliseconds it took.
_Answers = Mapping[tuple[str, str], tuple[Answer, float]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A verdict as it was reached, with what was known then. `parts` None: nobody kept them."""

    verdict_id: int
    submission_id: int
    post_id: UUID
    revision: int
    policy_id: int | None
    action: str
    rule: str
    category: str | None
    judged_at: datetime
    parts: tuple[PartRef, ...] | None
    around: Circumstances
    answers: _Answers = field(default_factory=dict)

    @property
    def is_text_alone(self) -> bool:
        """Whether there is nothing else that anyone was asked about, its author's name included."""
        return (
            self.parts is not None
            and len(self.parts) == 1
            and self.parts[0].kind is Part.TEXT
            and all(key == self.parts[0].key for key, _ in self.answers)
        )


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What the other policy concludes, or, where `verdict` is None, whose answers are missing."""

    verdict: Verdict | None
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Mark:
    """A part by its name alone: its content is not asked about any more."""

    key: str
    kind: Part
    scope: str = ""


# --- reading ------------------------------------------------------------------------------------


def kept_verdicts(
    community_id: int, *, after: int, up_to: int, since: datetime, until: datetime
) -> list[Kept]:
    """Return the first verdicts on a community's revisions, with their evidence, in key order.

    `after` and `up_to` are keys of verdicts. What was looked at again is left out, so that every
    revision counts once.
    """
    policies = PolicyRevision.objects.filter(community_id=community_id)
    rows = (
        VerdictRecord.objects.filter(
            Q(policy_id__in=list(policies.values_list("pk", flat=True)))
            | Q(policy_id__isnull=True, post__community_id=community_id),
            pk__gt=after,
            pk__lte=up_to,
            judged_at__gte=since,
            judged_at__lt=until,
            submission__reason__in=(Reason.NEW, Reason.EDIT),
        )
        .order_by("pk")
        # As text: nearly all are alike, and read once.
        .annotate(written=Cast("parts", TextField()))
        .values_list(
            "pk",
            "submission_id",
            "post_id",
            "revision",
            "policy_id",
            "action",
            "rule",
            "category",
            "judged_at",
            "written",
            "standing",
            "language",
            "submission__reason",
        )
    )
    found = list(rows)
    answers = _answers_of([row[1] for row in found])
    return [_kept(row, answers.get(row[1], {})) for row in found]


@lru_cache(maxsize=1_000)
def _read_parts(written: str) -> tuple[PartRef, ...]:
    return tuple(PartRef(key, _PARTS[kind]) for key, kind in json.loads(written))


def _kept(row: Sequence[Any], answers: _Answers) -> Kept:
    verdict, submission, post, revision, policy, action, rule, category, at, *around = row
    parts, standing, language, reason = around
    refs = None if parts is None else _read_parts(parts)
    return Kept(
        verdict_id=verdict,
        submission_id=submission,
        post_id=post,
        revision=revision,
        policy_id=policy,
        action=action,
        rule=rule,
        category=category,
        judged_at=at,
        parts=refs,
        around=Circumstances(
            language=language,
            standing=Standing(standing),
            reason=Reason(reason),
            has_media=refs is not None and any(ref.key.startswith("media:") for ref in refs),
            share_key=str(post),
        ),
        answers=answers,
    )


def _answers_of(
    submissions: Sequence[int],
) -> dict[int, dict[tuple[str, str], tuple[Answer, float]]]:
    """Return what was said of each submission, by part and provider."""
    rows = ProviderResult.objects.filter(submission_id__in=submissions)
    fields = (
        "submission_id",
        "part_key",
        "provider",
        "outcome",
        "scores",
        "error",
        "cost_micros",
        "latency_ms",
    )
    found: dict[int, dict[tuple[str, str], tuple[Answer, float]]] = defaultdict(dict)
    # What else is kept of an answer may be long: words are only read in what is no text, and only
    # banks are in doubt of what they know.
    is_more = ~Q(part_kind=Part.TEXT) | Q(provider__in=ASKED)
    more = {
        "words": Case(When(is_more, then=F("raw__read_text"))),
        "matches": Case(When(is_more, then=F("raw__matches"))),
    }
    for said in rows.annotate(**more).values_list(*fields, *more):
        submission, key, provider, outcome, scores, error, cost, took_ms, words, matches = said
        if error in _NEVER_ASKED:
            continue
        answer = Answer(
            outcome=_OUTCOMES[outcome],
            scores={_CATEGORIES[name]: score for name, score in scores.items()},
            error=error,
            cost_micros=cost,
            text=words or "",
            raw={"matches": matches} if matches else {},
        )
        found[submission][key, provider] = answer, took_ms or 0.0
    return found


def decided_by_people(kept: Sequence[Kept]) -> dict[tuple[UUID, int], str]:
    """Return what a person last said of each post's revision, unless it was reversed since."""
    rows = (
        Decision.objects.filter(post_id__in={one.post_id for one in kept})
        .exclude(enforcement__reversed_at__isnull=False)
        .order_by("pk")
    )
    return {
        (post, revision): action
        for post, revision, action in rows.values_list("post_id", "revision", "action")
    }


# --- judging anew -------------------------------------------------------------------------------


def rejudge(kept: Iterable[Kept], policy: Policy) -> Iterator[tuple[Kept, Rejudged]]:
    """Yield each kept verdict with what `policy` concludes from the same evidence."""
    prices, is_plain = _prices(policy), _is_plain(policy)
    for one in kept:
        if one.parts is None:
            yield one, Rejudged(None, frozenset({OLD_EVIDENCE}))
        elif is_plain and one.is_text_alone:
            yield one, _rejudge_text(one, policy)
        else:
            yield one, _rejudge(one, policy, prices)


def _rejudge(one: Kept, policy: Policy, prices: dict[str, int]) -> Rejudged:
    assert one.parts is not None
    judged_under = queries.policy_of(one.policy_id)
    if _listens_to_more(one.parts, policy, judged_under):
        return Rejudged(None, frozenset({SOUND_OF_VIDEOS}))
    parts = _parts_before(one.parts, policy)
    walk = _Walk(one, policy, parts)
    board = Board(walk.questions, (), prices)
    while wanted := board.wanted():
        answered = [walk.answer(item) for item in wanted]
        if walk.missing:
            return Rejudged(None, frozenset(walk.missing))
        board.take([item for item in answered if item is not None])
    said = [item for item in board.answers() if item.answer is not _SILENT]
    verdict = reach_verdict(
        policy=policy,
        parts=parts_to_judge(parts, said),
        evidence=[
            replace(item.evidence(), in_doubt=doubted(item.provider, item.answer.raw))
            for item in said
        ],
        sample_key=str(one.submission_id),
    )
    return Rejudged(verdict)


def _is_plain(policy: Policy) -> bool:
    """Whether a text's route asks everyone once, nobody in another's place, without a budget."""
    asks = [ask for stage in policy.route.get(Part.TEXT, ()) for ask in stage.asks]
    return (
        policy.budget_seconds is None
        and policy.budget_micros is None
        and len({ask.provider for ask in asks}) == len(asks)
        and not any(ask.otherwise for ask in asks)
    )


def _rejudge_text(one: Kept, policy: Policy) -> Rejudged:
    """Go the way of the board, without its bookkeeping: most posts are one text."""
    (part,) = one.parts or ()
    walk = _Walk(one, policy, (part,))
    said: list[Evidence] = []
    highest: dict[Category, float] = {}
    for number, stage in enumerate(policy.route.get(Part.TEXT, ())):
        if not stage.when.holds(highest, one.around):
            continue
        if number and policy.stop_at and asks_for(policy, said, policy.stop_at):
            continue
        answers = [(ask.provider, walk.look_up(part, ask.provider)) for ask in stage.asks]
        if walk.missing:
            return Rejudged(None, frozenset(walk.missing))
        for name, found in answers:
            answer = found[0] if found else _SILENT
            if answer is not _SILENT:
                doubt = doubted(name, answer.raw)
                said.append(Evidence(name, part, answer.outcome, answer.scores, in_doubt=doubt))
            if answer.outcome is Outcome.JUDGED:
                for category, score in answer.scores.items():
                    highest[category] = max(score, highest.get(category, 0.0))
    verdict = reach_verdict(
        policy=policy, parts=(part,), evidence=said, sample_key=str(one.submission_id)
    )
    return Rejudged(verdict)


# One of our own judges that knew nothing of a part left no row.
_SILENT: Final = Answer(Outcome.NOT_JUDGED)


@dataclass(slots=True)
class _Walk:
    """One revision on a policy's route, answered from what was kept."""

    kept: Kept
    policy: Policy
    parts: Sequence[PartRef]
    missing: set[str] = field(default_factory=set)
    _asked_then: set[tuple[str, str]] | None = None

    @property
    def questions(self) -> list[Question]:
        marks = [_Mark(part.key, part.kind) for part in self.parts]
        if any(key == NAME_KEY for key, _ in self.kept.answers):
            marks.append(_Mark(NAME_KEY, Part.TEXT))
        return [Question(0, self.policy, cast(AnyPart, mark), self.kept.around) for mark in marks]

    def answer(self, wanted: Wanted) -> Answered | None:
        part = wanted.question.part
        found = self.look_up(PartRef(part.key, part.kind), wanted.provider)
        if found is None:
            return None
        return Answered(wanted.question, wanted.provider, "", *found)

    def look_up(self, part: PartRef, name: str) -> tuple[Answer, float] | None:
        """Return what a provider said of a part; None, and it is missing, if nobody asked it."""
        found = self.kept.answers.get((part.key, name))
        if found is None and registry.is_local(name) and self._was_asked(part, name):
            # Its silence is an answer too.
            found = _SILENT, 0.0
        if found is None:
            self.missing.add(name)
        return found

    def _was_asked(self, part: PartRef, name: str) -> bool:
        judged_under = queries.policy_of(self.kept.policy_id)
        stages = judged_under.route.get(part.kind, ())
        if stages and any(ask.provider == name for ask in stages[0].asks):
            # Before the first stage nobody has scored anything.
            return stages[0].when.holds({}, self.kept.around)
        if len(stages) < 2 and not any(ask.otherwise for stage in stages for ask in stage.asks):
            return False
        if self._asked_then is None:
            self._asked_then = _asked_under(judged_under, self.kept)
        return (part.key, name) in self._asked_then


def _asked_under(policy: Policy, kept: Kept) -> set[tuple[str, str]]:
    """Return who was asked about which part when the verdict was reached."""
    walk = _Walk(kept, policy, _parts_before(kept.parts or (), policy))
    board = Board(walk.questions, (), {})
    asked: set[tuple[str, str]] = set()
    while wanted := board.wanted():
        for item in wanted:
            place = item.question.part.key, item.provider
            asked.add(place)
            unknown = _SILENT if registry.is_local(item.provider) else Answer(Outcome.PENDING)
            said, took_ms = kept.answers.get(place, (unknown, 0.0))
            board.take([Answered(item.question, item.provider, "", said, took_ms)])
    return asked


def _parts_before(parts: Sequence[PartRef], policy: Policy) -> tuple[PartRef, ...]:
    """Return the parts before any words were read in them, as the policy counts them."""
    found = {part.key: part for part in parts if not part.key.endswith(READ_SUFFIX)}
    for part in parts:
        # Of a sound whose words were heard, only these are judged: it was left out.
        base = part.key.removesuffix(READ_SUFFIX)
        if base != part.key and base not in found:
            found[base] = PartRef(base, Part.AUDIO)
    if not policy.route.get(Part.AUDIO):
        return tuple(part for key, part in found.items() if not key.endswith(SOUND_SUFFIX))
    return tuple(found.values())


def _listens_to_more(parts: Sequence[PartRef], policy: Policy, judged_under: Policy) -> bool:
    """Whether videos would be listened to whose sound nobody took note of."""
    return (
        bool(policy.route.get(Part.AUDIO))
        and not judged_under.route.get(Part.AUDIO)
        and any(part.kind is Part.VIDEO for part in parts)
    )


def _prices(policy: Policy) -> dict[str, int]:
    if policy.budget_micros is None:
        return {}
    services = {name: registry.find_service(name) for name in policy.providers()}
    return {name: one.terms.cost_micros for name, one in services.items() if one is not None}
