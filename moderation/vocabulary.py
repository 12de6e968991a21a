"""The field's words, as enums. A word used anywhere in Gatehouse stands here first."""

from django.db.models import IntegerChoices, TextChoices


class Category(TextChoices):
    """What a post may violate. One taxonomy for policies, providers, models and dialects."""

    TOXIC = "toxic", "Toxic"
    SEVERE_TOXIC = "severe_toxic", "Severely toxic"
    HATE = "hate", "Hate against a protected group"
    HARASSMENT = "harassment", "Harassment or insult"
    THREAT = "threat", "Threat"
    VIOLENCE = "violence", "Violence"
    GRAPHIC = "graphic", "Graphic violence"
    SEXUAL = "sexual", "Sexual content"
    SEXUAL_MINORS = "sexual_minors", "Sexual content with minors"
    SELF_HARM = "self_harm", "Self-harm"
    ILLICIT = "illicit", "Illicit goods or acts"
    EXTREMISM = "extremism", "Extremism"
    DRUGS = "drugs", "Drugs"
    WEAPONS = "weapons", "Weapons"
    PROFANITY = "profanity", "Profanity"
    SPAM = "spam", "Spam"
    MALWARE = "malware", "Malware"
    PERSONAL_INFO = "personal_info", "Personal information"
    OTHER = "other", "Other"


class Action(TextChoices):
    """What a verdict or a decision asks for, mildest first."""

    ALLOW = "allow", "Allow"
    WARN = "warn", "Allow with a warning"
    REVIEW = "review", "Send to a person"
    BLOCK = "block", "Block"


# The mildest first: the severest of several rules wins.
SEVERITY_OF_ACTION = {action: rank for rank, action in enumerate(Action)}


class Status(TextChoices):
    """Where a post's current revision stands."""

    PENDING = "pending", "Being checked"
    IN_REVIEW = "in_review", "With a moderator"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Visibility(TextChoices):
    """Who can read a post now. A fact apart from its status."""

    PUBLIC = "public", "Everyone"
    HELD = "held", "Its author, until it is judged"
    HIDDEN = "hidden", "Its author, with the reason"
    DELETED = "deleted", "Nobody"


class PublishingMode(TextChoices):
    """What readers see before the verdict on a revision."""

    PUBLISH_THEN_VERIFY = "publish_then_verify", "Publish at once, verify behind"
    HOLD = "hold", "Hold until judged"
    HOLD_IF_RISKY = "hold_if_risky", "Hold when the author is new or was rejected"


class PostKind(TextChoices):
    TOPIC = "topic", "Topic"
    REPLY = "reply", "Reply"


class MediaKind(TextChoices):
    IMAGE = "image", "Image"
    GIF = "gif", "Animated image"
    VIDEO = "video", "Video"
    AUDIO = "audio", "Sound"


class MediaState(TextChoices):
    """How far an attachment has come from what was sent to what may be shown."""

    WAITING = "waiting", "To be fetched"
    READY = "ready", "Stored, re-encoded"
    REFUSED = "refused", "Could not be used"


class Standing(TextChoices):
    """How far an author is trusted; decides the lane a submission waits in."""

    WATCHED = "watched", "Recently rejected"
    NEW = "new", "New"
    KNOWN = "known", "Known"
    TRUSTED = "trusted", "Trusted"


class Reason(TextChoices):
    """Why a revision was sent for screening."""

    NEW = "new", "New post"
    EDIT = "edit", "Edited"
    RESCAN = "rescan", "Looked at again"
    APPEAL = "appeal", "Appealed"
    REPORT = "report", "Reported"


class SubmissionState(TextChoices):
    DUE = "due", "Waiting or being screened"
    DECIDED = "decided", "Has its verdict"
    SUPERSEDED = "superseded", "The post moved on"


class Lane(TextChoices):
    """The queues of Celery, each named as its queue."""

    SCREEN_HIGH = "screen.high", "New and watched authors"
    SCREEN = "screen", "Known authors"
    SCREEN_LOW = "screen.low", "Trusted authors"
    MEDIA = "media", "Posts with attachments"
    DELIVER = "deliver", "What goes out"
    RESCAN = "rescan", "Old posts looked at again"


class ProcessRole(TextChoices):
    """What a process of Gatehouse is for, of those that have no address to ask."""

    WORKER = "worker", "Worker"
    SWEEPER = "sweeper", "Sweeper"
    SCHEDULER = "scheduler", "Scheduler"
    READER = "reader", "Reader of a stream"


class Part(TextChoices):
    """Which kind of part of a post a provider can judge."""

    TEXT = "text", "Text"
    IMAGE = "image", "Image"
    GIF = "gif", "Animated image"
    VIDEO = "video", "Video"
    AUDIO = "audio", "Sound"


class Outcome(TextChoices):
    """What became of asking one provider about one part. Never mixed up."""

    JUDGED = "judged", "Judged"
    NOT_JUDGED = "not_judged", "Cannot judge this part"
    FAILED = "failed", "Failed to answer"
    PENDING = "pending", "Answers later"


class JobState(TextChoices):
    """How far a provider is that answers later."""

    WAITING = "waiting", "Waiting for its answer"
    SETTLED = "settled", "Answered"
    EXPIRED = "expired", "Never answered"


class FilterKind(TextChoices):
    """How a community's own filter finds what it looks for."""

    WORD = "word", "Word or phrase, disguised or not"
    REGEX = "regex", "Regular expression (RE2)"
    LINK = "link", "Link to this domain"
    LINK_ELSEWHERE = "link_elsewhere", "Link to any domain but these"
    LANGUAGE = "language", "Written in another language than these"
    PERSONAL_DATA = "personal_data", "Personal data of this kind"


class BankKind(TextChoices):
    """What a bank knows again."""

    IMAGE = "image", "Pictures"
    TEXT = "text", "Texts"


class ExperimentMode(TextChoices):
    """What a candidate policy may do in an experiment."""

    SHADOW = "shadow", "Recorded, without effect"
    LIVE = "live", "Judges its share of authors"


class BrakeKind(TextChoices):
    """What may only ask a person while its brake is pulled."""

    RULE = "rule", "Rule"
    PROVIDER = "provider", "Provider"


class EffectKind(TextChoices):
    """One change that an enforcement owns."""

    PUBLISH = "publish", "Show to everyone"
    HOLD = "hold", "Hold until a person decides"
    HIDE = "hide", "Hide from readers"
    QUEUE = "queue", "Put before a moderator"
    STRIKE = "strike", "Strike against the author"
    NOTICE = "notice", "Tell the author"
    WARNING = "warning", "Warn the author"
    POST_HOLD = "post_hold", "Hold the author's posts until they are judged"
    SILENCE = "silence", "Let the author read, not post"
    SUSPENSION = "suspension", "Suspend the author"
    BANK = "bank", "Bank what was posted, to know it again"


class Sanction(TextChoices):
    """What an author's conduct brings them, mildest first. Each is the effect of that name."""

    NONE = "none", "None"
    WARNING = "warning", "Warning"
    STRIKE = "strike", "Strike"
    POST_HOLD = "post_hold", "Posts held until judged"
    SILENCE = "silence", "Silence"
    SUSPENSION = "suspension", "Suspension"


class DeskAction(TextChoices):
    """What a moderator does with an item, for a reason that they state."""

    ALLOW = "allow", "Approve"
    WARN = "warn", "Approve with a warning"
    BLOCK = "block", "Reject"
    ESCALATE = "escalate", "Put before a lead"


class Veil(TextChoices):
    """What keeps a picture, a video or a sound from being met all at once."""

    BLUR = "blur", "Blurred"
    GREY = "grey", "Without colours"
    SMALL = "small", "Small"
    MUTE = "mute", "Without sound"


class ReviewLane(TextChoices):
    NEW = "new", "New"
    ESCALATED = "escalated", "Escalated"
    APPEAL = "appeal", "Appeals"
    REPORT = "report", "Reports"
    SAMPLE = "sample", "Quality samples"


class ReviewState(TextChoices):
    OPEN = "open", "Open"
    DECIDED = "decided", "Decided"
    SUPERSEDED = "superseded", "The post moved on"


class ReportState(TextChoices):
    """What became of one reader's report."""

    OPEN = "open", "To be looked at"
    ACTED_ON = "acted_on", "Acted on"
    REFUSED = "refused", "No reason to act"
    MUTED = "muted", "Answered by a decision before"


class ReportSource(TextChoices):
    """Who reported; the words are those of the law on illegal content."""

    READER = "reader", "Reader of the community"
    NOTICE = "notice", "Notice of illegal content"
    TRUSTED_FLAGGER = "trusted_flagger", "Trusted flagger"
    CLIENT = "client", "API client"


class AppealState(TextChoices):
    OPEN = "open", "Waiting for an answer"
    UPHELD = "upheld", "The decision stands"
    OVERTURNED = "overturned", "The decision was reversed"
    WITHDRAWN = "withdrawn", "Withdrawn"


class RegisterState(TextChoices):
    """How far a statement of reasons is on its way into the public register."""

    DUE = "due", "To be filed"
    FILED = "filed", "In the register"
    SKIPPED = "skipped", "Nothing to file"
    INVALID = "invalid", "Refused as it is"


class Severity(IntegerChoices):
    """How much harm an item may do; each step is worth a fixed head start in the queue."""

    LOW = 1, "Low"
    MEDIUM = 2, "Medium"
    HIGH = 3, "High"
    CRITICAL = 4, "Critical"


class ActorKind(TextChoices):
    """Who or what took a step."""

    AUTHOR = "author", "Author"
    MODERATOR = "moderator", "Moderator"
    API_KEY = "api_key", "API client"
    MACHINE = "machine", "Policy and providers"
    SYSTEM = "system", "Gatehouse"


class Scope(TextChoices):
    """What an API key may do."""

    SUBMIT = "submit", "Submit, edit and delete posts"
    READ = "read", "Read posts, status and history"
    CHECK = "check", "Ask for a verdict without posting"
    REVIEW = "review", "Decide reviews"
    ADMIN = "admin", "Manage communities, policies and keys"


class Priority(TextChoices):
    """How soon a key's posts are looked at while many wait."""

    HIGH = "high", "Before others"
    NORMAL = "normal", "In turn"
    LOW = "low", "After others"


class Dialect(TextChoices):
    """Another service's way of asking, which Gatehouse answers too."""

    OPENAI = "openai", "OpenAI moderations"
    PERSPECTIVE = "perspective", "Perspective"
    DISCUSE = "discuse", "Discuse"
    MODERATE = "moderate", "/moderate"
    AKISMET = "akismet", "Akismet"
    CORAL = "coral", "Coral's external moderation phase"


class WordAction(TextChoices):
    """What a community's word does while its author is still composing."""

    ADVISE = "advise", "Warn the author"
    BLOCK = "block", "Refuse at submit"


class EndpointKind(TextChoices):
    """Whom a community has told what happens."""

    WEBHOOK = "webhook", "Webhook"
    EMAIL = "email", "E-mail to authors"
    CDN = "cdn", "Media cache"
    STREAM = "stream", "Stream of events"


class DeliveryState(TextChoices):
    """How far a message to an endpoint is."""

    DUE = "due", "To be delivered"
    DELIVERED = "delivered", "Delivered"
    SKIPPED = "skipped", "Nothing to deliver"
    FAILED = "failed", "Given up"
    CANCELLED = "cancelled", "The endpoint was disabled"


class DisabledBecause(TextChoices):
    """Why nothing goes to an endpoint."""

    PERSON = "person", "A person disabled it"
    GONE = "gone", "It answered that it is gone"
    FAILING = "failing", "It failed for days"
