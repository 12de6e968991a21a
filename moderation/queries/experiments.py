"""What an experiment found: how its candidate agrees with the policy in force, and with people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum

from moderation.models import Decision, Experiment, ExperimentOutcome
from moderation.policy.agreement import Share
from moderation.vocabulary import Action

# A person decides between leaving a post and taking it down; so are machines' verdicts read.
_KEPT = (Action.ALLOW, Action.WARN)
_UNDECIDED = Action.REVIEW


@dataclass(frozen=True, slots=True)
class AgainstPeople:
    """One policy against the people who decided on the same revisions.

    `agreed` counts where it decided at all; `left_to_people` how often it did not. `wrongly_down`
    and `wrongly_up` are the disagreements.
    """

    agreed: Share
    wrongly_down: int
    wrongly_up: int
    left_to_people: int


@dataclass(frozen=True, slots=True)
class Findings:
    """`table` counts posts by (incumbent's action, candidate's action). Costs are in micros."""

    table: Mapping[tuple[Action, Action], int]
    agreed: Share
    incumbent: AgainstPeople
    candidate: AgainstPeople
    extra_cost_micros: int

    @property
    def total(self) -> int:
        return self.agreed.total


def findings_of(experiment: Experiment) -> Findings:
    """Return the counts of an experiment, running or ended."""
    outcomes = ExperimentOutcome.objects.filter(experiment=experiment)
    pairs = outcomes.values_list("incumbent_action", "candidate_action").annotate(count=Count("pk"))
    table = {(Action(one), Action(other)): count for one, other, count in pairs.order_by()}
    alike = sum(count for (one, other), count in table.items() if one == other)
    decided = _decided_by_people(outcomes)
    return Findings(
        table=table,
        agreed=Share(alike, sum(table.values())),
        incumbent=_against_people(decided, "incumbent_action"),
        candidate=_against_people(decided, "candidate_action"),
        extra_cost_micros=outcomes.aggregate(sum=Sum("extra_cost_micros"))["sum"] or 0,
    )


def _decided_by_people(outcomes: QuerySet[ExperimentOutcome]) -> QuerySet[ExperimentOutcome]:
    """Return the outcomes whose very revision a person has decided on, with what they said."""
    last = Decision.objects.filter(
        post_id=OuterRef("submission__post_id"), revision=OuterRef("submission__revision")
    ).order_by("-pk")
    return outcomes.annotate(people=Subquery(last.values("action")[:1])).filter(
        people__isnull=False
    )


def _against_people(decided: QuerySet[ExperimentOutcome], field: str) -> AgainstPeople:
    counts = decided.values_list(F(field), "people").annotate(count=Count("pk")).order_by()
    agreed = down = up = left = 0
    for machine, person, count in counts:
        if machine == _UNDECIDED:
            left += count
        elif (machine in _KEPT) == (person in _KEPT):
            agreed += count
        elif person in _KEPT:
            down += count
        else:
            up += count
    return AgainstPeople(Share(agreed, agreed + down + up), down, up, left)
