"""Every error that Gatehouse raises on purpose.

ModerationError
├── InvalidSubmission          what was sent cannot become a post; says what to change
│   ├── InvalidFields            fields are missing or malformed; names each
│   ├── BlockedWords             the community refuses these words
│   ├── MediaRefused             an attachment is not an image we accept, or too large
│   │   └── MediaStoreAway         it cannot be stored now; nothing was, try again
│   └── InvalidPolicy            a policy document breaks its schema
├── NotFound                   no such thing, or not for this viewer
├── NotAllowed                 the caller may not do this
│   ├── NotImpartial             whoever decided first never answers the appeal
│   └── AuthorBarred             a sanction keeps the author from it; says until when, how to object
│       ├── AuthorSilenced         they may read and delete, not post
│       └── AuthorSuspended        they may not take part at all
├── Conflict                   the post has moved on; reload and decide again
│   ├── StaleRevision            an edit or a decision names an older revision
│   ├── IdempotencyRunning       the first request with this key has not ended
│   ├── ReviewTaken              another moderator holds the item
│   ├── CannotAppeal             there is nothing, or nothing more, to object to
│   │   └── TooLateToAppeal        the time for it is over; says since when
│   ├── AppealClosed             the appeal was answered or withdrawn
│   └── UndoTooLate              others have been told of the decision; reverse it instead
├── IdempotencyMismatch        the key was used with another payload
├── RateLimited                too many requests; says when to come back
├── FetchRefused               an outbound address or answer that we do not touch
├── CallbackRefused            a provider's message that is not authentic, or about nothing here
└── ProviderError
    ├── ProviderUnavailable      try again later; counts against the breaker
    │   ├── ProviderRateLimited    the provider asks us to wait
    │   └── ProviderMalformed      it answered something that means nothing
    ├── ProviderRejected         this part cannot be judged by it; trying again cannot help
    └── ProviderShut             it answers nobody until a person acts; opens the breaker
        ├── ProviderAuthFailed     the key is wrong or may not do this
        ├── ProviderQuotaExhausted what was paid for is used up
        └── ProviderGone           the service has ended
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


class ModerationError(Exception):
    """Base. `code` is public and stable; the message is for people and holds no post's text."""

    code = "error"

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message or self.__class__.__doc__ or self.code)
        self.details = details


class InvalidSubmission(ModerationError):
    """What was sent cannot become a post."""

    code = "invalid_submission"


class InvalidFields(InvalidSubmission):
    """Fields are missing or malformed."""

    code = "invalid_fields"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        """`errors` holds (field, what is wrong with it); nested fields as `author.id`."""
        super().__init__("; ".join(f"{field}: {wrong}" for field, wrong in errors))
        self.errors = tuple(errors)

    @classmethod
    def of(cls, field: str, wrong: str) -> InvalidFields:
        return cls([(field, wrong)])


class BlockedWords(InvalidSubmission):
    """The community refuses words that this text uses."""

    code = "blocked_words"


class MediaRefused(InvalidSubmission):
    """The attachment cannot be used."""

    code = "media_refused"


class MediaStoreAway(MediaRefused):
    """The attachment cannot be stored now."""

    code = "media_store_unavailable"


class InvalidPolicy(InvalidSubmission):
    """The policy document breaks its schema."""

    code = "invalid_policy"


class NotFound(ModerationError):
    """There is no such thing here."""

    code = "not_found"


class NotAllowed(ModerationError):
    """You may not do this."""

    code = "not_allowed"


class AuthorBarred(NotAllowed):
    """A sanction keeps the author from this."""

    def __init__(self, message: str, *, until: datetime | None, statement: str = "") -> None:
        """`until` None: the sanction has no end. `statement` is the number of its reasons."""
        super().__init__(message)
        self.until = until
        self.statement = statement


class AuthorSilenced(AuthorBarred):
    """The author may read and delete, not post."""

    code = "author_silenced"


class AuthorSuspended(AuthorBarred):
    """The author may not take part."""

    code = "author_suspended"


class NotImpartial(NotAllowed):
    """You had a part in what this appeal is about: somebody else answers it."""

    code = "not_impartial"


class Conflict(ModerationError):
    """The post has moved on; reload and try again."""

    code = "conflict"


class StaleRevision(Conflict):
    """The post was edited meanwhile; read it again first."""

    code = "stale_revision"


class IdempotencyRunning(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code = "idempotency_running"


class ReviewTaken(Conflict):
    """Another moderator holds or has decided this item."""

    code = "review_taken"


class UndoTooLate(Conflict):
    """Others have been told of this decision; reverse it instead."""

    code = "undo_too_late"


class CannotAppeal(Conflict):
    """There is nothing to object to."""

    code = "cannot_appeal"


class TooLateToAppeal(CannotAppeal):
    """The time to object is over."""

    code = "too_late_to_appeal"


class AppealClosed(Conflict):
    """The appeal was answered or withdrawn."""

    code = "appeal_closed"


class IdempotencyMismatch(ModerationError):
    """This Idempotency-Key was used with another payload."""

    code = "idempotency_mismatch"


class RateLimited(ModerationError):
    """Too many requests."""

    code = "rate_limited"

    def __init__(self, message: str = "", *, retry_after_seconds: float, **details: object) -> None:
        super().__init__(message, **details)
        self.retry_after_seconds = retry_after_seconds


class FetchRefused(ModerationError):
    """This address cannot be fetched."""

    code = "fetch_refused"

    def __init__(self, message: str = "", *, reason: str = "refused", **details: object) -> None:
        super().__init__(message, **details)
        # For logs and retries only: told to the caller, it would map our network for them.
        self.reason = reason


class CallbackRefused(ModerationError):
    """This message is not authentic."""

    code = "callback_refused"


class ProviderError(ModerationError):
    """A provider did not judge."""

    code = "provider_error"


class ProviderUnavailable(ProviderError):
    """The provider did not answer; trying later may help."""

    code = "provider_unavailable"


class ProviderRateLimited(ProviderUnavailable):
    """The provider asks us to wait."""

    code = "provider_rate_limited"

    def __init__(self, message: str = "", *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ProviderMalformed(ProviderUnavailable):
    """The provider's answer means nothing."""

    code = "provider_malformed"


class ProviderRejected(ProviderError):
    """The provider cannot judge this; trying again cannot help."""

    code = "provider_rejected"


class ProviderShut(ProviderError):
    """The provider answers nobody until a person acts."""

    code = "provider_shut"


class ProviderAuthFailed(ProviderShut):
    """The provider refuses the key."""

    code = "provider_auth_failed"


class ProviderQuotaExhausted(ProviderShut):
    """What was paid for is used up."""

    code = "provider_quota_exhausted"


class ProviderGone(ProviderShut):
    """The service has ended."""

    code = "provider_gone"
