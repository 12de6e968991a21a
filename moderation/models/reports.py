"""What readers report, and what became of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models._encrypted import EncryptedField
from moderation.models.communities import Community
from moderation.models.posts import Author, Post
from moderation.models.reviews import Decision, Review
from moderation.vocabulary import Category, ReportSource, ReportState


class Report(models.Model):
    """One reader's objection to one post; those about one post wait in one review.

    `number` is what the reporter knows it by; nobody can guess it. `weight` is how much it counted
    when it came, by how the reporter's earlier ones ended. `notifier` holds name and e-mail of
    whoever gave notice without an account, encrypted; empty for others.
    """

    number = models.CharField(max_length=32, unique=True, editable=False)
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="reports")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="reports")
    revision = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    reporter = models.ForeignKey(
        Author, on_delete=models.SET_NULL, null=True, blank=True, related_name="reports_made"
    )
    source = models.CharField(max_length=16, choices=ReportSource)
    category = models.CharField(max_length=20, choices=Category, default=Category.OTHER)
    explanation = models.TextField(blank=True, default="")
    notifier = EncryptedField(blank=True, default=dict)
    good_faith = models.BooleanField(default=False)
    weight = models.FloatField(default=1.0)
    state = models.CharField(max_length=10, choices=ReportState, default=ReportState.OPEN)
    review = models.ForeignKey(
        Review, on_delete=models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    # What answered it.
    decision = models.ForeignKey(
        Decision, on_delete=models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("judge_reporter", "Can warn and mute who reports, and mark who is trusted")]
        constraints = [
            one_of("source", ReportSource, "report"),
            one_of("category", Category, "report"),
            one_of("state", ReportState, "report"),
            models.UniqueConstraint(
                fields=["post", "reporter", "content_hash"],
                condition=Q(reporter__isnull=False),
                name="report_once_a_reader_and_content",
            ),
        ]
        indexes = [
            models.Index(fields=["post", "state"], name="report_by_post"),
            models.Index(fields=["reporter", "-id"], name="report_by_reporter"),
            models.Index(fields=["community", "-id"], name="report_newest"),
        ]

    def __str__(self) -> str:
        return f"report {self.number}"

    @property
    def is_notice(self) -> bool:
        """Whether it is a notice of illegal content, with a notice's rights."""
        return self.source in (ReportSource.NOTICE, ReportSource.TRUSTED_FLAGGER)


class TrustedFlagger(models.Model):
    """An organisation whose notices come first in a community, known by whom it signs in as.

    Either a user of this site or a client's own id of a person: a name and an address that
    anybody can type prove nothing.
    """

    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, related_name="trusted_flaggers"
    )
    name = models.CharField(max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    external_id = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="trusted_flagger_is_one_person",
                condition=Q(user__isnull=True) & ~Q(external_id="")
                | Q(user__isnull=False, external_id=""),
            ),
            models.UniqueConstraint(
                fields=["community", "user"],
                condition=Q(user__isnull=False),
                name="trusted_flagger_once_a_user",
            ),
            models.UniqueConstraint(
                fields=["community", "external_id"],
                condition=~Q(external_id=""),
                name="trusted_flagger_once_a_person",
            ),
        ]

    def __str__(self) -> str:
        return self.name
