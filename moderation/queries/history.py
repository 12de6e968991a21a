"""What was concluded of a post over time, by policies and by people."""

from __future__ import annotations

from django.db.models import Prefetch

from moderation.models import Decision, Post, ProviderResult, VerdictRecord

# Rescans add verdicts for as long as a post lives.
MOST_TOLD = 100


def verdicts_of(post: Post) -> list[VerdictRecord]:
    """Return the newest verdicts with what they rested on and what they caused.

    Evidence that was asked for a candidate policy only is left out.
    """
    evidence = ProviderResult.objects.filter(shadow=False).defer("raw", "spans", "regions")
    found = (
        VerdictRecord.objects.filter(post=post)
        .select_related("policy", "submission", "enforcement")
        .prefetch_related(
            "enforcement__effects",
            Prefetch("submission__results", queryset=evidence.order_by("pk")),
        )
    )
    return list(found.order_by("-pk")[:MOST_TOLD])


def decisions_of(post: Post) -> list[Decision]:
    """Return the newest decisions with what they caused."""
    found = (
        Decision.objects.filter(post=post)
        .select_related("enforcement")
        .prefetch_related("enforcement__effects")
    )
    return list(found.order_by("-pk")[:MOST_TOLD])
