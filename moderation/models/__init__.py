"""What is kept, and the constraints that keep it true."""

from moderation.models.access import ApiKey, IdempotencyRecord
from moderation.models.audit import AuditEvent, AuditSeal
from moderation.models.communities import (
    Community,
    CommunityWord,
    Membership,
    Organisation,
    PolicyRevision,
)
from moderation.models.enforcement import Effect, Enforcement
from moderation.models.posts import Author, MediaItem, Post, PostRevision
from moderation.models.reviews import Decision, Review
from moderation.models.screening import BankedHash, ProviderResult, Submission, VerdictRecord

__all__ = [
    "ApiKey",
    "AuditEvent",
    "AuditSeal",
    "Author",
    "BankedHash",
    "Community",
    "CommunityWord",
    "Decision",
    "Effect",
    "Enforcement",
    "IdempotencyRecord",
    "MediaItem",
    "Membership",
    "Organisation",
    "PolicyRevision",
    "Post",
    "PostRevision",
    "ProviderResult",
    "Review",
    "Submission",
    "VerdictRecord",
]
