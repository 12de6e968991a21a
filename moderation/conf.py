"""This app's settings: one `MODERATION` dict, read once into a frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.core.signals import setting_changed

from moderation.vocabulary import Dialect


@dataclass(frozen=True, slots=True)
class Conf:
    """Every number with its unit in its name and its reason beside it."""

    # A worker renews its lease while it screens; the lease only has to outlive a missed renewal.
    lease_seconds: float = 12.0
    lease_renew_seconds: float = 4.0
    # 256 texts are judged in about 60 ms, and share one commit.
    batch_size: int = 256
    # Images take tens of milliseconds each: a smaller batch keeps the lease short.
    media_batch_size: int = 16
    # Measured under constant faults: no post needed more than four.
    max_attempts: int = 5
    # Doubles with each attempt. Orderly failures wait; a crash only waits for its lease to end.
    retry_backoff_seconds: float = 1.0
    # A drain ends after this time so that a worker can be stopped and lanes alternate: with 20 s,
    # two busy lanes kept both children of a worker, and new authors' posts waited 9 s (median).
    drain_seconds: float = 1.0
    sweep_interval_seconds: float = 1.0
    # How often a process tells that it lives: two short statements each time.
    heartbeat_seconds: float = 5.0
    # One that has told nothing for so long has missed six beats.
    silent_after_seconds: float = 30.0
    # A free row that was due for so long is late. The slowest recovery from a killed part that was
    # measured took 8 s.
    late_after_seconds: float = 60.0

    max_title_chars: int = 300
    max_body_chars: int = 40_000
    max_media_per_post: int = 8
    max_upload_bytes: int = 10 * 1024 * 1024
    max_bulk_items: int = 100

    # Per author: what a person types, and what a script on their behalf may burst.
    rate_burst: int = 60
    rate_per_second: float = 1.0
    # Per API key: a whole site's traffic.
    key_rate_burst: int = 5_000
    key_rate_per_second: float = 2_000.0
    idempotency_days: int = 30

    # How long rows are kept, 0 for good. What authors may still object to is kept at least so long.
    # A year's report and the time machine look back on all of the year before.
    keep_evidence_days: int = 400
    # Six months in which their authors may object, and some days for whoever does on the last one.
    keep_removed_media_days: int = 190
    # For looking into what went wrong lately; days' totals are kept.
    keep_deliveries_days: int = 30
    keep_calls_days: int = 30
    keep_jobs_days: int = 30

    # Promotions are counted on approved posts without a standing strike.
    known_after_approved: int = 5
    trusted_after_approved: int = 50
    # A strike keeps its author watched for this long.
    watch_days: int = 30

    # How long a moderator can undo a decision before anybody outside is told of it; 0: not at all.
    undo_seconds: float = 10.0

    # The keyless content-service endpoints: off unless an operator opens them.
    open_content_service: bool = False
    # Which community those endpoints post to when no key says so.
    open_content_community: str = "demo"
    # Other services' ways of asking that are answered here.
    dialects: frozenset[str] = frozenset(Dialect.values)
    # How long a dialect's caller waits for services: its clients have time-outs of a few seconds.
    dialect_deadline_seconds: float = 2.0
    # What /moderate answers when nobody could judge a text: an error, or "review". Never "safe".
    moderate_fallback: str = "error"
    # Coral's signing secrets, each as community:secret; a community has two while one is replaced.
    coral_secrets: frozenset[str] = frozenset()
    # host:port pairs that media may come from although they are private, as on an intranet.
    fetch_allowed_hosts: frozenset[str] = frozenset()

    # Adapters that are switched on by the environment alone, each under its own name.
    providers: frozenset[str] = frozenset()
    # host:port pairs of services that may be asked although they are private: model servers.
    provider_allowed_hosts: frozenset[str] = frozenset()
    # Whoever brings it may read /metrics; "" and the page is not there.
    metrics_token: str = ""
    # Where people look at a trace, an address with {trace} in it; "" for nowhere.
    trace_page: str = ""
    # Where services reach this site to call it back, "" where they cannot.
    public_url: str = ""
    # Where readers find a post, an address with {post} in it, "" where only clients show posts.
    post_page: str = ""
    # host:port pairs of webhooks and media caches that may be told although they are private.
    delivery_allowed_hosts: frozenset[str] = frozenset()
    # How long a receiver may take to answer. Standard Webhooks asks for 15 to 30 s.
    delivery_timeout_seconds: float = 15.0
    # Where streams of events are kept, as librdkafka and redis-py take it; "" for nowhere.
    kafka_servers: str = ""
    stream_redis_url: str = ""
    # Further settings of librdkafka as JSON: how to log in, which certificates.
    kafka_options: str = ""
    # Which communities what comes in by a stream may be for; all when there are none.
    stream_communities: frozenset[str] = frozenset()
    # Where statements of reasons are filed, and with which token; "" for nowhere.
    dsa_url: str = ""
    dsa_token: str = ""
    # Where the platform is offered, as codes of countries; the European Union when it is empty.
    dsa_territory: frozenset[str] = frozenset()
    # Categories that need no statement there, such as deceptive mass advertising.
    dsa_exempt_categories: frozenset[str] = frozenset()
    # A post that still waits for a service after this time goes on without it.
    provider_wait_seconds: float = 900.0
    # How long a worker itself waits for its turn with a service; longer waits are the row's.
    provider_turn_seconds: float = 1.0

    # An entry of a bank that matches more than so many posts within so many seconds, and more than
    # this share of all, was likely banked by mistake: it only asks for people then.
    bank_flood_matches: int = 50
    bank_flood_share: float = 0.1
    bank_flood_seconds: int = 600

    # The Ed25519 key that signs checkpoints of the record, in hex; "": one is made and kept in
    # `audit_key_file`.
    audit_key: str = ""
    audit_key_file: str = ""
    # Each checkpoint is added to this file too, as a line of JSON; "" for no file.
    audit_checkpoint_file: str = ""
    # Who was erased, as lines of JSON that name nobody: a restored backup is erased by it again. ""
    # for no list.
    erasures_file: str = ""
    # Where authors object by a mail's link, an address with {token} in it, "" where they cannot.
    appeal_page: str = ""
    # Where they see what became of it, an address with {appeal} in it.
    appeal_status_page: str = ""
    # Where readers see what became of their reports, "" where they cannot.
    reports_page: str = ""
    # Where whoever gave notice sees that, an address with {report} in it.
    notice_page: str = ""
    # At least six months from the day on which the author was told (EU 2022/2065, Article 20): the
    # longest six months have 184 days.
    appeal_period_days: int = 184
    # Within which an appeal should be answered.
    appeal_answer_hours: float = 72.0


@cache
def get_conf() -> Conf:
    return Conf(**getattr(settings, "MODERATION", {}))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "MODERATION":
        get_conf.cache_clear()


setting_changed.connect(_forget)
