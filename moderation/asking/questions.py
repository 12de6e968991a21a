"""What is asked, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from moderation import tracing
from moderation.policy.document import Policy
from moderation.policy.route import Circumstances
from moderation.policy.verdict import Evidence, PartRef
from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.vocabulary import Part

# Ends the key of a text that somebody read or heard in an attachment.
READ_SUFFIX = "#text"
# What a service failed with that had not answered when the time was over.
LATE = "late"


@dataclass(frozen=True, slots=True)
class Question:
    """One part to be asked about under a policy. `subject` is the asker's own number of a post.

    `waited_seconds` is how long it has waited for services before.
    """

    subject: int
    policy: Policy
    part: AnyPart
    around: Circumstances = field(default_factory=Circumstances)
    waited_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What one provider said of one question; `latency_ms` is its share of the batch's time.

    `stood_in` names who judged in its place when it failed. A pending answer is asked for again
    after `again_in_seconds`.
    """

    question: Question
    provider: str
    model_version: str
    answer: Answer
    latency_ms: float = 0.0
    cached: bool = False
    stood_in: str = ""
    again_in_seconds: float = 0.0

    @property
    def place(self) -> tuple[int, str, str]:
        """What there is one answer for."""
        return self.question.subject, self.question.part.key, self.provider

    def evidence(self) -> Evidence:
        """Return the answer as the policy reads it."""
        part = self.question.part
        return Evidence(
            provider=self.provider,
            part=PartRef(part.key, part.kind),
            outcome=self.answer.outcome,
            scores=self.answer.scores,
            spans=[(span.start, span.end, str(span.category)) for span in self.answer.spans],
            stood_in=self.stood_in,
        )


def posts_of(questions: Iterable[Question]) -> frozenset[str]:
    """Return the posts that are asked about, for whoever traces them: none while nobody does."""
    if not tracing.is_on():
        return frozenset()
    return frozenset(question.around.share_key for question in questions)


def read_text(answered: Answered) -> Question | None:
    """Return the question about what was read or heard in an attachment, None without words."""
    question, text = answered.question, answered.answer.text.strip()
    if not text:
        return None
    part = question.part
    language = question.around.language
    heard = TextPart(f"{part.key}{READ_SUFFIX}", text, language, scope=part.scope)
    return Question(question.subject, question.policy, heard, question.around)


def parts_to_judge(parts: Sequence[PartRef], answers: Iterable[Answered]) -> tuple[PartRef, ...]:
    """Return the parts that a verdict must rest on once it is known what was read in them.

    Words in a picture are one part more; of a sound, its words are all that is judged.
    """
    heard = {item.question.part.key for item in answers if item.answer.text.strip()}
    found: list[PartRef] = []
    for part in parts:
        if part.kind is not Part.AUDIO or part.key not in heard:
            found.append(part)
        if part.key in heard:
            found.append(PartRef(f"{part.key}{READ_SUFFIX}", Part.TEXT))
    return tuple(found)
