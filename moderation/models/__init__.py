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
from moderation.models.enforcement import Effect, Enforcement, RejectedContent
from moderation.models.experiments import Experiment, ExperimentOutcome
from moderation.models.labels import SuggestedScore
from moderation.models.outbox import DeliveryAttempt, OutboxMessage
from moderation.models.posts import Author, MediaItem, Post, PostRevision
from moderation.models.providers import (
    CallbackMessage,
    ProviderAccount,
    ProviderCall,
    ProviderDay,
    ProviderJob,
    Reevaluation,
)
from moderation.models.reviews import Decision, Review
from moderation.models.screening import (
    BankedHash,
    FilterRule,
    ProviderResult,
    Submission,
    VerdictRecord,
)
from moderation.models.webhooks import Endpoint

__all__ = [
    "ApiKey",
    "AuditEvent",
    "AuditSeal",
    "Author",
    "BankedHash",
    "CallbackMessage",
    "Community",
    "CommunityWord",
    "Decision",
    "DeliveryAttempt",
    "Effect",
    "Endpoint",
    "Enforcement",
    "Experiment",
    "ExperimentOutcome",
    "FilterRule",
    "IdempotencyRecord",
    "MediaItem",
    "Membership",
    "Organisation",
    "OutboxMessage",
    "PolicyRevision",
    "Post",
    "PostRevision",
    "ProviderAccount",
    "ProviderCall",
    "ProviderDay",
    "ProviderJob",
    "ProviderResult",
    "Reevaluation",
    "RejectedContent",
    "Review",
    "Submission",
    "SuggestedScore",
    "VerdictRecord",
]
