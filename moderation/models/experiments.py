"""A candidate policy beside the one in force, and how far the two agree."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community, PolicyRevision
from moderation.models.screening import Submission
from moderation.vocabulary import Action, Category, ExperimentMode


class Experiment(models.Model):
    """A share of a community's authors judged by a candidate policy, with or without effect.

    Which authors is decided by a stable hash of the author, so that one person always meets the
    same rules.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="experiments")
    name = models.CharField(max_length=100)
    mode = models.CharField(max_length=10, choices=ExperimentMode, default=ExperimentMode.SHADOW)
    share = models.FloatField(validators=[MinValueValidator(0), MaxValueValidator(1)])
    candidate = models.ForeignKey(
        PolicyRevision, on_delete=models.PROTECT, related_name="experiments"
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            one_of("mode", ExperimentMode, "experiment"),
            models.UniqueConstraint(
                fields=["community"],
                condition=Q(ended_at__isnull=True),
                name="experiment_one_running_a_community",
            ),
            models.CheckConstraint(
                name="experiment_share_is_a_share", condition=Q(share__gte=0, share__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExperimentOutcome(models.Model):
    """What both policies concluded of one submission; `effective` says which of them counted."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="outcomes")
    submission = models.OneToOneField(
        Submission, on_delete=models.CASCADE, related_name="experiment_outcome"
    )
    incumbent_action = models.CharField(max_length=10, choices=Action)
    incumbent_rule = models.CharField(max_length=60)
    candidate_action = models.CharField(max_length=10, choices=Action)
    candidate_rule = models.CharField(max_length=60)
    candidate_category = models.CharField(max_length=20, choices=Category, null=True)
    candidate_score = models.FloatField(null=True)
    # What only the candidate asked cost: one entry a provider, in millionths of a dollar.
    extra_cost_micros = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("incumbent_action", Action, "experiment_outcome"),
            one_of("candidate_action", Action, "experiment_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.incumbent_action} or {self.candidate_action}"
