"""Several items decided as one, each by its own decision, and taken back as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db.models.functions import Now

from moderation.errors import Conflict, InvalidSubmission, NotAllowed, NotFound
from moderation.models import Decision, DecisionBatch, Enforcement, Review
from moderation.pipeline.review.reversal import Reversal, reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category

# As many as somebody can have looked at.
MOST_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Picked:
    """An item that was picked, at the revision that was seen."""

    review_id: int
    revision: int


@dataclass(frozen=True, slots=True)
class DecidedTogether:
    """What became of each picked item. `left_out` says of those that were not decided why."""

    batch: DecisionBatch | None
    decisions: list[Decision] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What each reversal changed, with its proof. `already` had been reversed before; `left_out`
    says of the others why they still stand.
    """

    reversed: list[Reversal] = field(default_factory=list)
    already: list[Enforcement] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)


def decide_together(
    *,
    picked: Sequence[Picked],
    moderator: User,
    action: Action,
    reason: str,
    category: Category | None = None,
) -> DecidedTogether:
    """Decide each item as `decide_review` does, all under one batch.

    Whatever has been edited, decided or taken by somebody else meanwhile is left out, as is what
    the moderator may not decide. Each item is a transaction of its own: if the work is cut short,
    what was decided is whole and in the batch.
    """
    community_id = _one_community(picked)
    if not reason.strip():
        raise InvalidSubmission("State the reason: the authors will read it.")
    batch = DecisionBatch.objects.create(
        community_id=community_id, moderator=moderator, action=action, reason=reason.strip()
    )
    done = DecidedTogether(batch)
    for one in picked:
        try:
            decision = decide_review(
                review_id=one.review_id,
                moderator=moderator,
                action=action,
                reason=reason,
                seen_revision=one.revision,
                category=category,
                batch=batch,
            )
        except (Conflict, NotAllowed, NotFound) as error:
            done.left_out[one.review_id] = str(error)
        except InvalidSubmission:
            # Refused before anything was written, and so would all others be.
            _drop_if_empty(batch)
            raise
        else:
            done.decisions.append(decision)
    if _drop_if_empty(batch):
        return DecidedTogether(None, [], done.left_out)
    return done


def reverse_together(*, batch_id: int, moderator: User, reason: str) -> TakenBack:
    """Reverse each enforcement that a batch caused: exactly its own effects, whatever came since.

    Raises `NotFound` for a batch that does not exist, `NotAllowed` where the moderator may reverse
    none of it.
    """
    batch = DecisionBatch.objects.filter(pk=batch_id).first()
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}.")
    if not reason.strip():
        raise InvalidSubmission("State why it is reversed.")
    found = TakenBack()
    caused = Enforcement.objects.filter(decision__batch=batch).order_by("post_id", "pk")
    for enforcement in caused:
        if enforcement.reversed_at is not None:
            found.already.append(enforcement)
            continue
        try:
            found.reversed.append(
                reverse_enforcement(
                    enforcement_id=enforcement.pk, moderator=moderator, reason=reason
                )
            )
        except NotFound:
            # Somebody was faster.
            found.already.append(enforcement)
        except NotAllowed as error:
            found.left_out[enforcement.pk] = str(error)
    if found.left_out and not found.reversed:
        raise NotAllowed()
    if not found.left_out:
        DecisionBatch.objects.filter(pk=batch.pk, reversed_at__isnull=True).update(
            reversed_at=Now()
        )
    return found


def _one_community(picked: Sequence[Picked]) -> int:
    if not picked:
        raise InvalidSubmission("Pick at least one item.")
    if len(picked) > MOST_TOGETHER:
        raise InvalidSubmission(f"Decide at most {MOST_TOGETHER} items at once.")
    ids = {one.review_id for one in picked}
    if len(ids) < len(picked):
        raise InvalidSubmission("Each item can be picked once.")
    communities = set(Review.objects.filter(pk__in=ids).values_list("community_id", flat=True))
    if not communities:
        raise NotFound("There are no such items.")
    if len(communities) > 1:
        raise InvalidSubmission("These items are of several communities: decide one at a time.")
    return communities.pop()


def _drop_if_empty(batch: DecisionBatch) -> bool:
    if batch.decisions.exists():
        return False
    batch.delete()
    return True
