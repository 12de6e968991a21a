"""Objections to an enforcement, or to the refusal of a report, and how they were answered."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.models.enforcement import Enforcement
from moderation.models.posts import Author, Post
from moderation.models.reports import Report
from moderation.models.reviews import Review
from moderation.models.screening import Submission
from moderation.vocabulary import ActorKind, AppealState, ReviewLane


class Appeal(models.Model):
    """An author objects to an enforcement, or a reporter to the refusal of their report.

    `number` is what the appellant knows it by; nobody can guess it. `due_at` is when it should be
    answered by. `answer` is the reasoned answer that the appellant reads. `first_decider` made the
    decision that is objected to, None for a machine: they never answer it.
    """

    number = models.CharField(max_length=32, unique=True, editable=False)
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="appeals")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="appeals")
    enforcement = models.ForeignKey(
        Enforcement, on_delete=models.CASCADE, null=True, blank=True, related_name="appeals"
    )
    report = models.ForeignKey(
        Report, on_delete=models.CASCADE, null=True, blank=True, related_name="appeals"
    )
    appellant = models.ForeignKey(
        Author, on_delete=models.SET_NULL, null=True, blank=True, related_name="appeals"
    )
    state = models.CharField(max_length=10, choices=AppealState, default=AppealState.OPEN)
    review = models.ForeignKey(
        Review, on_delete=models.SET_NULL, null=True, blank=True, related_name="appeals"
    )
    # Why the review was open before, "" when the appeal opened it.
    lane_before = models.CharField(max_length=10, choices=ReviewLane, blank=True, default="")
    first_decider = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Its verdict is shown to whoever answers, and changes nothing. None: nothing could be judged.
    second_opinion = models.ForeignKey(
        Submission, on_delete=models.SET_NULL, null=True, blank=True, related_name="appeals"
    )
    answer = models.TextField(blank=True, default="")
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("state", AppealState, "appeal"),
            models.CheckConstraint(
                name="appeal_has_one_subject",
                condition=Q(enforcement__isnull=True, report__isnull=False)
                | Q(enforcement__isnull=False, report__isnull=True),
            ),
            # One objection to each; a second one is answered with the first.
            models.UniqueConstraint(
                fields=["enforcement"],
                condition=Q(enforcement__isnull=False) & ~Q(state=AppealState.WITHDRAWN),
                name="appeal_once_an_enforcement",
            ),
            models.UniqueConstraint(
                fields=["report"],
                condition=Q(report__isnull=False) & ~Q(state=AppealState.WITHDRAWN),
                name="appeal_once_a_report",
            ),
            models.CheckConstraint(
                name="appeal_answer_is_reasoned",
                condition=~Q(state__in=[AppealState.UPHELD, AppealState.OVERTURNED])
                | (~Q(answer="") & Q(closed_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["community", "due_at"],
                condition=Q(state=AppealState.OPEN),
                name="appeal_open_by_due",
            ),
            models.Index(fields=["appellant", "-id"], name="appeal_by_appellant"),
            models.Index(fields=["community", "-id"], name="appeal_newest"),
        ]

    def __str__(self) -> str:
        return f"appeal {self.number}"


class AppealMessage(models.Model):
    """One contribution to the conversation about an appeal; the first one is the objection."""

    appeal = models.ForeignKey(Appeal, on_delete=models.CASCADE, related_name="messages")
    written_by = models.CharField(max_length=10, choices=ActorKind)
    moderator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [one_of("written_by", ActorKind, "appeal_message")]

    def __str__(self) -> str:
        return f"message {self.pk} of {self.appeal_id}"
