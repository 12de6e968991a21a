"""Which events others are told of, and which facts of each go out: ids, words and numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

# Sent when somebody asks for it, to see whether an endpoint is set up as it should be.
PING: Final = "endpoint.ping"


@dataclass(frozen=True, slots=True)
class EventType:
    """What happened, for people; `facts` of the audit event go out under their own names."""

    title: str
    facts: tuple[str, ...] = ()


_VERDICT = (
    "verdict",
    "action",
    "rule",
    "category",
    "score",
    "threshold",
    "provider",
    "not_judged",
    "effects",
)

_APPEAL = ("appeal", "enforcement", "report", "of_revision")

EVENT_TYPES: Final[Mapping[str, EventType]] = {
    "post.submitted": EventType("A post was accepted and waits to be checked."),
    "post.edited": EventType("The author changed a post: a new revision waits to be checked."),
    "post.deleted": EventType("The author took a post away."),
    "post.approved": EventType("The policy approved a post.", _VERDICT),
    "post.queued": EventType("The policy put a post before a moderator.", _VERDICT),
    "post.rejected": EventType("The policy rejected a post.", _VERDICT),
    "post.rescanned": EventType("Somebody asked for another look at a post."),
    "decision.approved": EventType("A moderator approved a post.", ("decision",)),
    "decision.rejected": EventType("A moderator rejected a post.", ("decision",)),
    "decision.undone": EventType(
        "A moderator took a decision back before anybody was told of it.", ("decision",)
    ),
    "review.escalated": EventType("A moderator put a post before a lead.", ("review",)),
    "enforcement.reversed": EventType(
        "What a verdict or a decision had caused was undone.", ("enforcement", "of_revision")
    ),
    "report.created": EventType(
        "Somebody reported a post.", ("report", "category", "source", "state")
    ),
    "report.settled": EventType(
        "A report was answered.", ("report", "category", "source", "state")
    ),
    "report.reopened": EventType(
        "The answer to a report was taken back.", ("report", "category", "source", "state")
    ),
    "appeal.opened": EventType(
        "Somebody objects to a decision, or to the refusal of their report.", _APPEAL
    ),
    "appeal.asked": EventType("A moderator wrote to whoever objects.", ("appeal",)),
    "appeal.replied": EventType("Whoever objects wrote once more.", ("appeal",)),
    "appeal.upheld": EventType("What was objected to stands.", ("appeal",)),
    "appeal.overturned": EventType(
        "What was objected to was undone.", ("appeal", "decision", "reversed")
    ),
    "appeal.withdrawn": EventType("Whoever objected no longer does.", ("appeal",)),
    "person.erased": EventType("A person was erased, and all that they wrote.", ("author",)),
    "policy.activated": EventType("Another policy is in force.", ("number", "replaced")),
    "experiment.started": EventType("A candidate policy is tried out.", ("mode", "share")),
    "experiment.ended": EventType("A candidate policy is no longer tried out.", ("mode", "share")),
}

# Whoever follows the live stream saw the decision; nobody else was ever told of it.
NEVER_SENT: Final = frozenset({"decision.undone"})


def wants(wanted: Collection[str], event_type: str) -> bool:
    """Whether an endpoint that wants these types, or groups as `post.*`, is told of this one."""
    return not wanted or event_type in wanted or f"{group_of(event_type)}.*" in wanted


def group_of(event_type: str) -> str:
    return event_type.partition(".")[0]


def groups() -> list[str]:
    """Return each group of types, as it can be wanted."""
    return list(dict.fromkeys(f"{group_of(name)}.*" for name in EVENT_TYPES))
