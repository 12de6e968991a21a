"""What clients say that a text should have scored."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models.communities import Community


class SuggestedScore(models.Model):
    """One client's opinion of one text in one attribute, beside our own score of then.

    The text itself is not kept: whoever has it finds it by its fingerprint. A client that changes
    its mind replaces what it said. `our_score` is None where nobody here judged the attribute;
    `model` names all that our score rested on.
    """

    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, related_name="suggested_scores"
    )
    fingerprint = models.CharField(max_length=64)
    attribute = models.CharField(max_length=40)
    score = models.FloatField()
    our_score = models.FloatField(null=True, blank=True)
    model = models.CharField(max_length=60)
    client = models.CharField(max_length=60)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community", "attribute", "fingerprint", "client"],
                name="suggestion_once_a_client",
            ),
            models.CheckConstraint(
                name="suggested_score_in_range", condition=Q(score__gte=0, score__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.attribute} {self.score} for {self.fingerprint[:12]}"
