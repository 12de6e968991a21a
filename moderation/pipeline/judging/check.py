"""Say what a community's policy would say of drafts, at once; nothing is kept unless asked.

The same route, the same providers and the same judge as for a post; only who waits is another.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import transaction

from moderation import queries
from moderation.asking import Answered, Question, ask, parts_to_judge
from moderation.errors import FetchRefused, InvalidSubmission, MediaRefused
from moderation.media.decode import EXTENSIONS, PreparedMedia, prepare_media
from moderation.models import Community
from moderation.models.posts import TEXT_KEY, visible_text
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.pipeline.media import (
    FETCH_TIMEOUT_SECONDS,
    Laid,
    NewMedia,
    fetch_attachment,
    parts_of,
)
from moderation.policy.route import Circumstances
from moderation.policy.verdict import PartRef, Verdict, reach_verdict
from moderation.providers.base import AnyPart, TextPart
from moderation.text.community_words import find_words
from moderation.vocabulary import Action, Category, Outcome, Part, WordAction

# The rule of a draft that submit would refuse for a word of its community.
BLOCKED_WORD = "word.block"
# What is fetched must leave outside providers the other half of the time.
SHARE_FOR_FETCHING = 0.5
# Addresses are waited for, not computed; decoding takes turns in its own processes anyway.
MOST_FETCHES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Draft:
    """A post that nobody has sent yet. Without a `language` it has the community's."""

    community: Community
    title: str = ""
    body: str = ""
    media: tuple[NewMedia, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class Flagged:
    """Characters `start` to `end` (exclusive) of a field as it was sent that drove a score.

    `field` is `title`, `text` or `media.0.alt_text`; a word of the community has no category.
    """

    field: str
    start: int
    end: int
    category: Category | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What the policy would say, and what it would rest on.

    `policy_number` is None where a community has no policy of its own. Attachments are the parts
    `media.0`, `media.1` and so on.
    """

    verdict: Verdict
    answers: tuple[Answered, ...]
    flagged: tuple[Flagged, ...]
    policy_number: int | None

    @property
    def scores(self) -> dict[Category, float]:
        """The highest score of each category that anybody judged."""
        highest: dict[Category, float] = {}
        for item in self.answers:
            if item.answer.outcome is Outcome.JUDGED:
                for category, score in item.answer.scores.items():
                    highest[category] = max(score, highest.get(category, 0.0))
        return highest


def check(drafts: Sequence[Draft], *, deadline_seconds: float) -> list[Checked]:
    """Return what the policies of the drafts' communities would say of each, in order.

    After `deadline_seconds` nobody outside this machine is waited for: our own models answer in
    their place, and what was not sent by then was not judged. Nobody is asked about a draft with
    a word that its community blocks. Raises `InvalidSubmission` for a draft with nothing in it.
    """
    now = time.monotonic()
    rules = queries.rules_in_force({draft.community.pk for draft in drafts})
    with TemporaryDirectory(prefix="gatehouse-check-") as folder:
        bench = _Workbench(Path(folder), fetch_until=now + deadline_seconds * SHARE_FOR_FETCHING)
        cases = [
            _Case(draft, rules[draft.community.pk], pictures)
            for draft, pictures in zip(drafts, bench.prepare(drafts), strict=True)
        ]
        blocked = [case.blocked_words() for case in cases]
        questions = [
            Question(number, queries.policy_of(case.rules.policy_id), part, case.around)
            for number, case in enumerate(cases)
            if not blocked[number]
            for part in case.questions()
        ]
        answers = _by_subject(ask(questions, until=now + deadline_seconds))
    return [
        _refused(case, blocked[number])
        if blocked[number]
        else _judged(case, answers.get(number, []))
        for number, case in enumerate(cases)
    ]


def keep_checks(drafts: Sequence[Draft], checked: Sequence[Checked], *, actor: Actor) -> list[str]:
    """Put verdicts on the record, each under an id that is returned; never what was checked.

    What was checked can be recognised by the digest of its text by whoever still has it.
    """
    events = [
        Event(
            kind="check.kept",
            subject_kind="check",
            subject_id=str(uuid.uuid4()),
            actor=actor,
            community_id=draft.community.pk,
            facts=_facts(draft, one),
            is_first=True,
        )
        for draft, one in zip(drafts, checked, strict=True)
    ]
    with transaction.atomic():
        record_events(events)
    return [event.subject_id for event in events]


def _facts(draft: Draft, checked: Checked) -> dict[str, object]:
    verdict = checked.verdict
    text = visible_text(draft.title, draft.body, [item.alt_text for item in draft.media])
    return {
        "verdict": verdict.action,
        "rule": verdict.rule,
        "category": verdict.category,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "provider": verdict.provider,
        "not_judged": list(verdict.not_judged),
        "policy": checked.policy_number,
        "text_sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        "evidence": [
            {
                "provider": answered.provider,
                "model": answered.model_version,
                "part": answered.question.part.key,
                "outcome": answered.answer.outcome,
                "scores": {str(name): score for name, score in answered.answer.scores.items()},
            }
            for answered in checked.answers
        ],
    }


def _by_subject(answers: Iterable[Answered]) -> dict[int, list[Answered]]:
    found: dict[int, list[Answered]] = {}
    for answered in answers:
        found.setdefault(answered.question.subject, []).append(answered)
    return found


@dataclass(frozen=True, slots=True)
class _Picture:
    """An attachment: what providers can see and hear of it, nothing when it could not be used."""

    ref: PartRef
    parts: tuple[AnyPart, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """A draft with its community's rules and what became of its attachments."""

    draft: Draft
    rules: queries.RulesInForce
    pictures: Sequence[_Picture]

    def __post_init__(self) -> None:
        if not (self.text or self.pictures):
            raise InvalidSubmission("A post needs a text or an attachment.")

    @property
    def text(self) -> str:
        title, body, *alt_texts = (sent.strip() for _, sent in self._fields())
        return visible_text(title, body, alt_texts)

    def _fields(self) -> list[tuple[str, str]]:
        draft = self.draft
        alt_texts = [
            (f"{_key(number)}.alt_text", item.alt_text) for number, item in enumerate(draft.media)
        ]
        return [("title", draft.title), ("text", draft.body), *alt_texts]

    def parts(self) -> list[PartRef]:
        """Everything that the verdict must rest on, whether or not a provider can see it."""
        text = [PartRef(TEXT_KEY, Part.TEXT)] if self.text else []
        # What is heard in a video counts where a policy has it listened to at all.
        listens = bool(queries.policy_of(self.rules.policy_id).route.get(Part.AUDIO))
        heard = [
            PartRef(part.key, part.kind)
            for picture in self.pictures
            for part in picture.parts[1:]
            if listens
        ]
        return [*text, *(picture.ref for picture in self.pictures), *heard]

    @property
    def around(self) -> Circumstances:
        return Circumstances(language=self._language, has_media=bool(self.pictures))

    @property
    def _language(self) -> str:
        return self.draft.language or self.rules.language

    def questions(self) -> list[AnyPart]:
        asked = [part for item in self.pictures for part in item.parts]
        if self.text:
            scope = str(self.draft.community.pk)
            asked.append(TextPart(TEXT_KEY, self.text, self._language, scope=scope))
        return asked

    def blocked_words(self) -> list[tuple[int, int]]:
        """Return where words stand that would have the post refused."""
        matcher = queries.community_matcher(self.draft.community)
        return [(hit.start, hit.end) for hit in find_words(self.text, matcher, WordAction.BLOCK)]

    def locate(self, spans: Sequence[tuple[int, int, Category | None]]) -> tuple[Flagged, ...]:
        """Return places in the joined text as places in the fields that were sent.

        A span over two fields is told once for each of them.
        """
        found: set[Flagged] = set()
        at = 0
        for name, sent in self._fields():
            shown = sent.strip()
            if not shown:
                continue
            shift = sent.index(shown) - at
            for start, end, category in spans:
                first, last = max(start, at), min(end, at + len(shown))
                if first < last:
                    found.add(Flagged(name, first + shift, last + shift, category))
            at += len(shown) + 1
        return tuple(
            sorted(found, key=lambda one: (one.field, one.start, one.end, one.category or ""))
        )


def _key(number: int) -> str:
    return f"media.{number}"


def _judged(case: _Case, answers: Sequence[Answered]) -> Checked:
    verdict = reach_verdict(
        policy=queries.policy_of(case.rules.policy_id),
        parts=parts_to_judge(case.parts(), answers),
        evidence=[item.evidence() for item in answers],
        # Samples are taken of posts; whether this one would be has no bearing on its verdict.
        sample_key="",
        braked=queries.braked_in(case.draft.community.pk),
    )
    spans = [
        (span.start, span.end, span.category)
        for item in answers
        if item.question.part.key == TEXT_KEY and item.answer.outcome is Outcome.JUDGED
        for span in item.answer.spans
    ]
    return _checked(case, verdict, answers, case.locate(spans))


def _refused(case: _Case, words: Sequence[tuple[int, int]]) -> Checked:
    verdict = Verdict(
        action=Action.BLOCK,
        rule=BLOCKED_WORD,
        part=TEXT_KEY,
        not_judged=tuple(part.key for part in case.parts()),
    )
    return _checked(case, verdict, (), case.locate([(start, end, None) for start, end in words]))


def _checked(
    case: _Case, verdict: Verdict, answers: Sequence[Answered], flagged: tuple[Flagged, ...]
) -> Checked:
    number = queries.policy_number_of(case.rules.policy_id)
    return Checked(verdict, tuple(answers), flagged, number)


@dataclass(frozen=True, slots=True)
class _Attachment:
    """An attachment of draft `number`, and whose banks apply to it."""

    number: int
    key: str
    scope: str
    sent: NewMedia


@dataclass(frozen=True, slots=True)
class _Workbench:
    """Where attachments lie while they are looked at. Addresses are fetched until `fetch_until`."""

    folder: Path
    fetch_until: float

    def prepare(self, drafts: Sequence[Draft]) -> list[list[_Picture]]:
        """Return each draft's attachments as providers see them."""
        attachments = [
            _Attachment(number, _key(place), str(draft.community.pk), sent)
            for number, draft in enumerate(drafts)
            for place, sent in enumerate(draft.media)
        ]
        pictures: list[list[_Picture]] = [[] for _ in drafts]
        if not attachments:
            return pictures
        with ThreadPoolExecutor(MOST_FETCHES_AT_ONCE, thread_name_prefix="check-media") as pool:
            prepared = pool.map(self._prepare, attachments)
            for attachment, picture in zip(attachments, prepared, strict=True):
                pictures[attachment.number].append(picture)
        return pictures

    def _prepare(self, attachment: _Attachment) -> _Picture:
        """Lay an attachment down as files at once: a batch of them may not fit into memory."""
        sent = attachment.sent
        try:
            parts = self._lay_down(prepare_media(sent.data or self._fetch(sent.url)), attachment)
        except (FetchRefused, MediaRefused):
            return _Picture(PartRef(attachment.key, Part(sent.kind.value)))
        return _Picture(PartRef(attachment.key, parts[0].kind), parts)

    def _fetch(self, url: str) -> bytes:
        left = self.fetch_until - time.monotonic()
        return fetch_attachment(url, timeout_seconds=min(left, FETCH_TIMEOUT_SECONDS))

    def _lay_down(self, made: PreparedMedia, attachment: _Attachment) -> tuple[AnyPart, ...]:
        stem = f"{attachment.number}.{attachment.key}"
        laid = Laid(
            path=self._written(f"{stem}.{made.extension}", made.content),
            frames=tuple(
                self._written(f"{stem}.{place}.jpg", frame)
                for place, frame in enumerate(made.frames)
            ),
            audio=self._written(f"{stem}.sound.{EXTENSIONS[made.audio_type]}", made.audio)
            if made.audio
            else None,
        )
        return parts_of(made, laid, key=attachment.key, scope=attachment.scope)

    def _written(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path
