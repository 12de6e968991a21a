"""What a lead tries out before it judges: drafts of a policy, and what they would have changed."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community, PolicyRevision
from moderation.models.posts import Post
from moderation.vocabulary import Action, Category


class PolicyDraft(models.Model):
    """A policy in the making: it judges nothing.

    `version` grows with each save, so that nobody overwrites what they have not seen. `made` is
    the revision that was last made of it, as long as that says the same.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="drafts")
    name = models.CharField(max_length=100)
    document = models.JSONField()
    based_on = models.ForeignKey(
        PolicyRevision, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made = models.ForeignKey(
        PolicyRevision, on_delete=models.SET_NULL, null=True, blank=True, related_name="drafts"
    )
    version = models.PositiveIntegerField(default=1)
    editor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    edited_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-edited_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class Replay(models.Model):
    """Stored verdicts judged anew by a draft, from the evidence that was kept with them.

    `document` is the draft as it was then. `summary` holds the counts so far; the verdicts from
    `first_verdict` to `last_verdict` are walked through, of which `at_verdict` was the last.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="replays")
    draft = models.ForeignKey(
        PolicyDraft, on_delete=models.SET_NULL, null=True, blank=True, related_name="replays"
    )
    draft_version = models.PositiveIntegerField(default=1)
    operation = models.CharField(max_length=40, blank=True, default="")
    document = models.JSONField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    share = models.FloatField(validators=[MinValueValidator(0), MaxValueValidator(1)])
    first_verdict = models.BigIntegerField(null=True, blank=True)
    last_verdict = models.BigIntegerField(null=True, blank=True)
    at_verdict = models.BigIntegerField(null=True, blank=True)
    summary = models.JSONField(default=dict)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="replay_share_is_a_share", condition=Q(share__gt=0, share__lte=1)
            )
        ]

    def __str__(self) -> str:
        return f"replay {self.pk} of draft {self.draft_id}"


class ReplayFlip(models.Model):
    """A post that the draft would have judged otherwise. `person` is what a person said, if any."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="flips")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()
    was = models.CharField(max_length=10, choices=Action)
    was_rule = models.CharField(max_length=60)
    now = models.CharField(max_length=10, choices=Action)
    now_rule = models.CharField(max_length=60)
    category = models.CharField(max_length=20, choices=Category, null=True)
    score = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    provider = models.CharField(max_length=50, null=True)
    person = models.CharField(max_length=10, blank=True, default="")
    judged_at = models.DateTimeField()

    class Meta:
        constraints = [one_of("was", Action, "flip"), one_of("now", Action, "flip")]
        indexes = [models.Index(fields=["replay", "was", "now", "id"], name="flip_by_kind")]

    def __str__(self) -> str:
        return f"{self.was} to {self.now}"
