"""Whether a rule or provider enforces so much more than usual that a person should look. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moderation.policy.agreement import Share

# Fewer blocks, or fewer verdicts, tell chance from change badly.
LEAST_HITS: Final = 20
LEAST_RECENT: Final = 40
# Before so many verdicts nobody knows what is usual.
LEAST_USUAL: Final = 400
# A busy evening doubles a rate; three times as much, beyond both intervals, is no evening.
TIMES: Final = 3.0


@dataclass(frozen=True, slots=True)
class Braked:
    """The rules (as `threat.block`) and providers whose blocks a person must look at first."""

    rules: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()

    def holds(self, rule: str, provider: str) -> bool:
        return rule in self.rules or provider in self.providers


NOT_BRAKED: Final = Braked()


def exceeds_usual(recent: Share, usual: Share) -> bool:
    """Whether the share of blocks lately lies surely above `TIMES` the usual one.

    Both are shares of all verdicts; sure is what 95 % intervals leave between them.
    """
    if recent.hits < LEAST_HITS or recent.total < LEAST_RECENT or usual.total < LEAST_USUAL:
        return False
    return recent.interval[0] > TIMES * usual.interval[1]
