"""How sure decisions are: second answers to the same question, and items with a known answer."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.models.reviews import Decision
from moderation.vocabulary import Action, Category


class GoldenItem(models.Model):
    """A question whose answer the leads have agreed on, asked of each moderator once.

    One made of a decision keeps no text of its own: it shows the post as it was decided, so that
    whoever erases the author erases it too. `explanation` is shown once it is answered.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="golden_items")
    decision = models.OneToOneField(
        Decision, on_delete=models.CASCADE, null=True, blank=True, related_name="golden_item"
    )
    title = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField(blank=True, default="")
    action = models.CharField(max_length=10, choices=Action)
    category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    explanation = models.TextField(max_length=2000)
    active = models.BooleanField(default=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("action", Action, "golden_item"),
            models.CheckConstraint(
                name="golden_item_shows_something",
                condition=Q(decision__isnull=False, title="", body="")
                | (Q(decision__isnull=True) & ~Q(title="", body="")),
            ),
            models.CheckConstraint(name="golden_item_is_explained", condition=~Q(explanation="")),
        ]

    def __str__(self) -> str:
        return f"golden item {self.pk}"


class BlindCheck(models.Model):
    """One question asked again: a decision that a second person answers without knowing the first.

    Or a golden item before one moderator. `category` is its subject's, by which it is found whose
    it is to answer; `answer` and `answer_category` are what was said. Nothing follows for a post.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="blind_checks")
    decision = models.OneToOneField(
        Decision, on_delete=models.CASCADE, null=True, blank=True, related_name="blind_check"
    )
    golden = models.ForeignKey(
        GoldenItem, on_delete=models.CASCADE, null=True, blank=True, related_name="checks"
    )
    category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    # Who has it in hand until the lease ends; once it is answered, who answered.
    moderator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="blind_checks",
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    passed_by = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    opened_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    # What the answer was compared with, as it was then.
    expected = models.CharField(max_length=10, choices=Action, null=True, blank=True)
    answer = models.CharField(max_length=10, choices=Action, null=True, blank=True)
    answer_category = models.CharField(max_length=20, choices=Category, null=True, blank=True)
    agrees = models.BooleanField(null=True, blank=True)
    seconds_spent = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("expected", Action, "blind_check"),
            one_of("answer", Action, "blind_check"),
            models.CheckConstraint(
                name="blind_check_has_one_subject",
                condition=Q(decision__isnull=True, golden__isnull=False)
                | Q(decision__isnull=False, golden__isnull=True),
            ),
            models.CheckConstraint(
                name="blind_check_answer_is_whole",
                condition=Q(answered_at__isnull=True, answer__isnull=True, agrees__isnull=True)
                | Q(
                    answered_at__isnull=False,
                    answer__isnull=False,
                    agrees__isnull=False,
                    moderator__isnull=False,
                ),
            ),
            models.UniqueConstraint(
                fields=["golden", "moderator"],
                condition=Q(golden__isnull=False),
                name="golden_item_once_a_moderator",
            ),
        ]
        indexes = [
            models.Index(
                fields=["community", "id"],
                condition=Q(answered_at__isnull=True, decision__isnull=False),
                name="blind_check_waiting",
            ),
            models.Index(
                fields=["moderator"],
                condition=Q(answered_at__isnull=True),
                name="blind_check_in_hand",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(answered_at__isnull=True),
                name="blind_check_waiting_by_age",
            ),
            models.Index(
                fields=["community", "answered_at"],
                condition=Q(answered_at__isnull=False),
                name="blind_check_answered",
            ),
            models.Index(
                fields=["community", "-answered_at"],
                condition=Q(agrees=False, decision__isnull=False),
                name="blind_check_disagreed",
            ),
        ]

    def __str__(self) -> str:
        return f"blind check {self.pk}"


class DrawMark(models.Model):
    """Up to which decision samples have been drawn: one row, whose lock drawers take turns by."""

    last_decision = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last_decision)
