"""What is known already: banks of pictures and texts, each entry by what it is known again by."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.models.enforcement import Enforcement
from moderation.vocabulary import BankKind, Category

# The distance at which PDQ's authors call two images the same, of 256 bits.
IMAGE_DISTANCE = 31
# Of 64 bits; docs/hash-banks.md has what was measured.
TEXT_DISTANCE = 6


class HashBank(models.Model):
    """A list of known-bad pictures or texts, with how near is near enough.

    Null for a community: it applies in all of them. `version` grows with every change of the bank
    or of its entries, under the bank's row lock: an entry's own `version` is the bank's when it
    was changed last, so that whoever remembers a version reads only what came after it.
    """

    community = models.ForeignKey(
        Community, on_delete=models.CASCADE, null=True, blank=True, related_name="hash_banks"
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=BankKind, default=BankKind.IMAGE)
    category = models.CharField(max_length=20, choices=Category, default=Category.OTHER)
    max_distance = models.PositiveSmallIntegerField(default=IMAGE_DISTANCE)
    active = models.BooleanField(default=True)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            one_of("kind", BankKind, "hash_bank"),
            one_of("category", Category, "hash_bank"),
            models.UniqueConstraint(fields=["community", "name"], name="hash_bank_name_once"),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(community__isnull=True),
                name="hash_bank_name_once_for_all",
            ),
            models.CheckConstraint(
                name="hash_bank_distance_fits",
                condition=Q(kind=BankKind.IMAGE, max_distance__lte=128)
                | Q(kind=BankKind.TEXT, max_distance__lte=16),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BankedHash(models.Model):
    """One known picture or text; of either only what it is known again by is kept.

    A picture has its PDQ hash (256 bits as 64 hex digits). A text has the fingerprint of its
    letters and, when it is long enough, a similarity hash (64 bits as 16 hex digits). An entry
    that came of an enforcement holds while that one stands. `quarantined_at` is since when its
    matches only ask for a person, because it matched too much.
    """

    bank = models.ForeignKey(HashBank, on_delete=models.CASCADE, related_name="entries")
    perceptual_hash = models.CharField(max_length=64, blank=True, default="")
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    simhash = models.CharField(max_length=16, blank=True, default="")
    category = models.CharField(max_length=20, choices=Category, default=Category.OTHER)
    label = models.CharField(max_length=200, blank=True, default="")
    # Null: as its bank says.
    max_distance = models.PositiveSmallIntegerField(null=True, blank=True)
    active = models.BooleanField(default=True)
    enforcement = models.ForeignKey(
        Enforcement, on_delete=models.CASCADE, null=True, blank=True, related_name="banked_hashes"
    )
    quarantined_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "banked hashes"
        constraints = [
            # What several enforcements banked is known until the last of them is reversed.
            models.UniqueConstraint(
                fields=["bank", "perceptual_hash", "fingerprint", "enforcement"],
                name="banked_hash_once_an_enforcement",
            ),
            models.UniqueConstraint(
                fields=["bank", "perceptual_hash", "fingerprint"],
                condition=Q(enforcement__isnull=True),
                name="banked_hash_once_by_hand",
            ),
            models.CheckConstraint(
                name="banked_hash_is_one_thing",
                condition=(~Q(perceptual_hash="") & Q(fingerprint="", simhash=""))
                | (Q(perceptual_hash="") & ~Q(fingerprint="")),
            ),
            models.CheckConstraint(
                name="banked_hash_distance_fits", condition=Q(max_distance__lte=128)
            ),
        ]
        indexes = [
            models.Index(fields=["bank", "version"], name="banked_hash_changes"),
            models.Index(
                fields=["-quarantined_at"],
                condition=Q(quarantined_at__isnull=False),
                name="banked_hash_quarantined",
            ),
        ]

    def __str__(self) -> str:
        return self.label or (self.perceptual_hash or self.fingerprint)[:12]
