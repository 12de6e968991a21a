"""Who moderates whom: organisations, their communities, their people and their policies."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from moderation.errors import InvalidPolicy
from moderation.models._constraints import one_of
from moderation.policy.document import DEFAULT_DOCUMENT, Policy, parse_policy
from moderation.vocabulary import Category, PublishingMode, WordAction


def new_client_id() -> str:
    return f"org_{secrets.token_hex(12)}"


def validate_policy(document: object) -> None:
    if not isinstance(document, dict):
        raise ValidationError("A policy is a JSON object.")
    try:
        parse_policy(document)
    except InvalidPolicy as error:
        raise ValidationError(str(error)) from error


def default_policy_document() -> dict[str, object]:
    return dict(DEFAULT_DOCUMENT)


class Organisation(models.Model):
    """Owns communities. Its keys open all of them; they rotate apart from a community's own."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    client_id = models.CharField(max_length=40, unique=True, default=new_client_id, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class Community(models.Model):
    """One place with its own rules: what is shown before the verdict, and which policy judges."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="communities"
    )
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    # ISO 639-1 of the language that its members write, "" when there is no such one.
    language = models.CharField(max_length=8, blank=True, default="")
    text_mode = models.CharField(
        max_length=20, choices=PublishingMode, default=PublishingMode.PUBLISH_THEN_VERIFY
    )
    image_mode = models.CharField(
        max_length=20, choices=PublishingMode, default=PublishingMode.HOLD
    )
    gif_mode = models.CharField(max_length=20, choices=PublishingMode, default=PublishingMode.HOLD)
    video_mode = models.CharField(
        max_length=20, choices=PublishingMode, default=PublishingMode.HOLD
    )
    policy = models.ForeignKey(
        "PolicyRevision", on_delete=models.PROTECT, null=True, related_name="active_in"
    )
    # Minutes within which an item of a lane should be decided, where it is not the usual time.
    review_minutes = models.JSONField(default=dict, blank=True)
    # Days that its evidence and the media of its removed posts are kept, where not the usual time.
    keep_days = models.JSONField(default=dict, db_default=Value({}, models.JSONField()), blank=True)
    # Whether users of this site read and post here; a client's community has people of its own.
    open_to_site_users = models.BooleanField(default=False)
    # Grows with every change of its words, so that each process knows when to read them again.
    words_version = models.PositiveIntegerField(default=0, editable=False)
    # No number is known to be right for people; a lead changes it, 0 asks nobody.
    break_after = models.PositiveSmallIntegerField(
        "Suggest a break after",
        default=40,
        help_text="Items of graphic categories that a moderator opens in a day; 0 suggests none.",
    )
    second_look_share = models.FloatField(
        "Share of decisions for a second look",
        default=0.05,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="From 0 (none) to 1 (all): another moderator answers them blind.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "communities"
        constraints = [
            one_of("text_mode", PublishingMode, "community"),
            one_of("image_mode", PublishingMode, "community"),
            one_of("gif_mode", PublishingMode, "community"),
            one_of("video_mode", PublishingMode, "community"),
            models.CheckConstraint(
                name="community_second_look_share_is_a_share",
                condition=Q(second_look_share__gte=0, second_look_share__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyRevision(models.Model):
    """One version of a community's policy. Never changed once made: an edit makes the next one."""

    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, related_name="policy_revisions"
    )
    number = models.PositiveIntegerField()
    document = models.JSONField(default=default_policy_document, validators=[validate_policy])
    note = models.CharField(max_length=300, blank=True, default="")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["community", "number"], name="policy_number_once_a_community"
            )
        ]

    def __str__(self) -> str:
        return f"{self.community} · policy {self.number}"

    def parsed(self) -> Policy:
        return parse_policy(self.document)


class CommunityWord(models.Model):
    """A word that a community warns of or refuses while its author is still composing."""

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="words")
    term = models.CharField(max_length=100)
    action = models.CharField(max_length=10, choices=WordAction, default=WordAction.ADVISE)
    category = models.CharField(max_length=20, choices=Category, default=Category.PROFANITY)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "term"], name="word_once_a_community"),
            one_of("action", WordAction, "community_word"),
        ]

    def __str__(self) -> str:
        return self.term


class Membership(models.Model):
    """Which communities a member of staff moderates. Superusers moderate all."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="moderates"
    )
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="staff")
    # Of the vocabulary's categories; empty: all of them.
    categories = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "community"], name="membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.community}"
