"""What is kept, and the constraints that keep it true."""

from moderation.models._encrypted import Ciphertext, EncryptedField
from moderation.models._operations import AddIndexWhileWriting
from moderation.models.access import ApiKey, IdempotencyRecord
from moderation.models.appeals import Appeal, AppealMessage
from moderation.models.audit import AuditCheckpoint, AuditEvent, AuditSeal
from moderation.models.banks import BankedHash, HashBank
from moderation.models.brakes import BlockTally, Brake, TallyMark
from moderation.models.communities import (
    Community,
    CommunityWord,
    Membership,
    Organisation,
    PolicyRevision,
)
from moderation.models.counters import CountingMark, RunningTotal
from moderation.models.desk import CannedReason, DeskPreferences, ExposureDay, SkippedReview
from moderation.models.enforcement import Effect, Enforcement, RejectedContent
from moderation.models.experiments import Experiment, ExperimentOutcome
from moderation.models.labels import SuggestedScore
from moderation.models.outbox import DeliveryAttempt, OutboxMessage
from moderation.models.posts import INDEFINITELY, Author, MediaItem, Post, PostRevision
from moderation.models.processes import AdminInvitation, Heartbeat, LanePause
from moderation.models.providers import (
    CallbackMessage,
    ProviderAccount,
    ProviderCall,
    ProviderDay,
    ProviderJob,
    Reevaluation,
)
from moderation.models.quality import BlindCheck, DrawMark, GoldenItem
from moderation.models.register import RegisterEntry
from moderation.models.reports import Report, TrustedFlagger
from moderation.models.retention import RetentionMark
from moderation.models.reviews import Decision, DecisionBatch, Review
from moderation.models.saved_views import SavedView
from moderation.models.screening import (
    FilterRule,
    ProviderResult,
    Submission,
    VerdictRecord,
)
from moderation.models.statements import Statement
from moderation.models.studio import PolicyDraft, Replay, ReplayFlip
from moderation.models.webhooks import Endpoint

__all__ = [
    "INDEFINITELY",
    "AddIndexWhileWriting",
    "AdminInvitation",
    "ApiKey",
    "Appeal",
    "AppealMessage",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditSeal",
    "Author",
    "BankedHash",
    "BlindCheck",
    "BlockTally",
    "Brake",
    "CallbackMessage",
    "CannedReason",
    "Ciphertext",
    "Community",
    "CommunityWord",
    "CountingMark",
    "Decision",
    "DecisionBatch",
    "DeliveryAttempt",
    "DeskPreferences",
    "DrawMark",
    "Effect",
    "EncryptedField",
    "Endpoint",
    "Enforcement",
    "Experiment",
    "ExperimentOutcome",
    "ExposureDay",
    "FilterRule",
    "GoldenItem",
    "HashBank",
    "Heartbeat",
    "IdempotencyRecord",
    "LanePause",
    "MediaItem",
    "Membership",
    "Organisation",
    "OutboxMessage",
    "PolicyDraft",
    "PolicyRevision",
    "Post",
    "PostRevision",
    "ProviderAccount",
    "ProviderCall",
    "ProviderDay",
    "ProviderJob",
    "ProviderResult",
    "Reevaluation",
    "RegisterEntry",
    "RejectedContent",
    "Replay",
    "ReplayFlip",
    "Report",
    "RetentionMark",
    "Review",
    "RunningTotal",
    "SavedView",
    "SkippedReview",
    "Statement",
    "Submission",
    "SuggestedScore",
    "TallyMark",
    "TrustedFlagger",
    "VerdictRecord",
]
