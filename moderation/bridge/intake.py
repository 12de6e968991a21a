"""A batch of messages on its way into the pipeline: at least once, and each post once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from moderation.bridge.messages import Message, read_message
from moderation.errors import ModerationError
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.submit import Accepted, Call, Reply, Result, submit_all
from moderation.vocabulary import ActorKind

# As many posts share a transaction: more would hold others up, fewer cost more each.
MOST_AT_ONCE = 64
_ACTOR = Actor(ActorKind.SYSTEM, "stream")


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that cannot become a post, and why; trying again would not help."""

    message: Message
    code: str
    detail: str


@dataclass(slots=True)
class Taken:
    """What came of a batch. `repeated` were known already."""

    accepted: int = 0
    repeated: int = 0
    refused: list[Refused] = field(default_factory=list)


def take_in(messages: Sequence[Message]) -> Taken:
    """Store the posts of a batch.

    Raises `OperationalError` or `InterfaceError` when the database is away; the batch is then to
    be read again: what of it was stored is known.
    """
    taken = Taken()
    for run in _runs(_read(messages, taken)):
        for (message, _), reply in zip(run, submit_all([call for _, call in run]), strict=True):
            if isinstance(reply, ModerationError):
                taken.refused.append(_refused(message, reply))
            elif reply.replayed:
                taken.repeated += 1
            else:
                taken.accepted += 1
    return taken


Read = tuple[Message, Call]


def _read(messages: Sequence[Message], taken: Taken) -> Iterator[Read]:
    for message in messages:
        try:
            one = read_message(message)
        except ModerationError as error:
            taken.refused.append(_refused(message, error))
        else:
            yield message, Call((one.post,), _ACTOR, _answer, one.idempotency)


def _runs(read: Iterable[Read]) -> Iterator[list[Read]]:
    """Part messages so that none has an id that is also another's of its run."""
    run: list[Read] = []
    keys: set[object] = set()
    for message, call in read:
        if _id_of(call) in keys or len(run) == MOST_AT_ONCE:
            yield run
            run, keys = [], set()
        run.append((message, call))
        keys.add(_id_of(call))
    if run:
        yield run


def _answer(results: Sequence[Result]) -> Reply:
    (result,) = results
    assert isinstance(result, Accepted)  # a refusal alone in its call is returned as it is
    return Reply(202, {"id": str(result.post.pk)})


def _refused(message: Message, error: ModerationError) -> Refused:
    return Refused(message, error.code, str(error))


def _id_of(call: Call) -> tuple[str, str]:
    assert call.idempotency is not None  # every message has an id
    return call.idempotency.client, call.idempotency.key
