"""Scores that clients suggest, kept as labels, and how often ours agree with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Avg, Case, Count, F, IntegerField, Q, Sum, Value, When
from django.db.models.functions import Abs, Now

from moderation.models import Community, SuggestedScore
from moderation.policy.agreement import Share
from moderation.providers.base import TextPart

# Where a yes ends and a no begins, for those who suggest by people's decisions: 0 or 1.
MIDDLE = 0.5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a client says that a text should have scored in each attribute, and what it scored.

    `ours` lacks the attributes that nobody judged; `model` names all that ours rest on.
    """

    community: Community
    text: str
    scores: Mapping[str, float]
    ours: Mapping[str, float]
    model: str
    client: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How our scores of one attribute stand to those that were suggested.

    `agreed` counts where both lie on the same side of the middle, among those that we scored.
    `mean_distance` is None where we scored none.
    """

    attribute: str
    suggested: int
    agreed: Share
    mean_distance: float | None


def keep_suggestions(suggestion: Suggestion) -> None:
    """Keep what a client suggests, in place of what it suggested before of the same text."""
    community = suggestion.community
    mark = TextPart("text", suggestion.text, community.language).fingerprint
    SuggestedScore.objects.bulk_create(
        [
            SuggestedScore(
                community=community,
                fingerprint=mark,
                attribute=attribute,
                score=score,
                our_score=suggestion.ours.get(attribute),
                model=suggestion.model,
                client=suggestion.client,
                created_at=Now(),
            )
            for attribute, score in suggestion.scores.items()
        ],
        update_conflicts=True,
        unique_fields=["community", "attribute", "fingerprint", "client"],
        update_fields=["score", "our_score", "model", "created_at"],
    )


def quality_figures(communities: Sequence[int]) -> list[Quality]:
    """Return figures for each attribute that clients of these communities suggested scores of."""
    both_high = Q(score__gte=MIDDLE, our_score__gte=MIDDLE)
    both_low = Q(score__lt=MIDDLE, our_score__lt=MIDDLE)
    rows = (
        SuggestedScore.objects.filter(community__in=communities)
        .values("attribute")
        .annotate(
            suggested=Count("pk"),
            scored=Count("our_score"),
            agreed=Sum(
                Case(When(both_high | both_low, then=1), default=Value(0)),
                output_field=IntegerField(),
            ),
            distance=Avg(Abs(F("score") - F("our_score"))),
        )
        .order_by("attribute")
    )
    return [
        Quality(
            attribute=row["attribute"],
            suggested=row["suggested"],
            agreed=Share(row["agreed"], row["scored"]),
            mean_distance=row["distance"],
        )
        for row in rows
    ]
