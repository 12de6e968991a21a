"""Everything that can be set, with defaults that suit one small machine.

The embedded role and production run this same file; they differ in environment variables only.
"""

import sys
from pathlib import Path
from typing import Any

import structlog
from csp.constants import NONE, SELF
from kombu import Exchange, Queue

from moderation.tracing import add_to_log
from moderation.vocabulary import Dialect, Lane
from platform_site import env
from platform_site.log_errors import without_content

# --- Where things are -----------------------------------------------------------------------------

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = env.read_folder("GATEHOUSE_DATA", default=BASE_DIR / "var")

ROOT_URLCONF = "platform_site.urls"
WSGI_APPLICATION = "platform_site.wsgi.application"
ASGI_APPLICATION = "platform_site.asgi.application"

# --- Traces: what OpenTelemetry's own variables say; without a collector nothing is imported ------

TRACING = env.read_tracing(
    env.read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or env.read("OTEL_EXPORTER_OTLP_ENDPOINT")
)
# What becomes of a `traceparent` that a client sends.
CLIENT_TRACEPARENT = env.read_choice(
    "GATEHOUSE_CLIENT_TRACEPARENT", choices=("link", "parent", "ignore"), default="link"
)

# --- Who may reach the site, and as what ----------------------------------------------------------

PORT = env.read_int("PORT", default=8000, low=1, high=65535)
SITE_URL = env.read_site_url("GATEHOUSE_URL", default=f"http://localhost:{PORT}")

DEBUG = env.read_debug("DEBUG", site=SITE_URL)
SECRET_KEY = env.read_secret_key(DATA)
SECRET_KEY_FALLBACKS = env.read_former_keys("SECRET_KEY_FALLBACKS")

ALLOWED_HOSTS = [*SITE_URL.hosts, *env.read_list("ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [SITE_URL.origin]

# Only a proxy that sets X-Forwarded-Proto itself may be believed; anyone can send the header.
BEHIND_PROXY = env.read_bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.read_bool("SSL_REDIRECT", default=SITE_URL.is_https)
# Health checks come from the machine itself, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SITE_URL.is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.read_bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.read_bool("HSTS_PRELOAD", default=False)
# W005 and W021 ask for the two above, which bind hosts that are not ours to speak for.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.is_https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        # data: and blob: hold previews of a picture that is not sent yet.
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# --- Parts ----------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # before the admin, whose templates it replaces
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "platform_site.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "moderation.apps.ModerationConfig",
    "platform_site.forum.apps.ForumConfig",
    "platform_site.upkeep.apps.UpkeepConfig",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
    "channels",
    "django_celery_results",
    "django_celery_beat",
    "django_structlog",
]

MIDDLEWARE = [
    "platform_site.request_ids.RequestIds",
    *(["platform_site.tracing.TracedRequests"] if TRACING else []),
    "platform_site.keyed.KeyedRequests",  # early: spares programs all that pages need
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "platform_site.request_logs.RequestLogs",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    # Innermost, because it is synchronous only: under ASGI all others then run with it in one
    # thread, where each would otherwise hop there and back.
    "platform_site.csp.AdminScriptPolicy",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

# --- Database -------------------------------------------------------------------------------------

STATEMENT_TIMEOUT_MS = 30_000
# Nobody idles in a transaction: a process that does so is frozen, and others wait for its rows.
IDLE_TIMEOUT_MS = 10_000
# Whoever waits longer for such a row gives its thread back, and is answered "try again".
LOCK_TIMEOUT_MS = 5_000

DATABASES = {
    "default": env.read_database(
        "DATABASE_URL",
        default=DATA / "gatehouse.sqlite3",
        sqlite_options={
            # A deferred transaction that turns into a writer fails at once when another one writes
            # (102 of 501 writes were lost in a measurement); an immediate one waits its turn.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL;"
                "PRAGMA synchronous=NORMAL;"
                "PRAGMA foreign_keys=ON;"
                "PRAGMA temp_store=MEMORY;"
                "PRAGMA mmap_size=134217728;"
                "PRAGMA cache_size=-16000;"
            ),
        },
        postgres_options={
            "connect_timeout": 5,
            "options": (
                f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT_MS}"
                f" -c lock_timeout={LOCK_TIMEOUT_MS}"
            ),
        },
        pool={
            "min_size": env.read_int("DATABASE_POOL_MIN", default=1, low=0, high=1000),
            "max_size": env.read_int("DATABASE_POOL_MAX", default=16, low=1, high=1000),
            "timeout": env.read_float("DATABASE_POOL_TIMEOUT", default=10, low=0.1, high=300),
        },
    ),
}

# --- Redis: broker, cache, channel layer and limits, each in a database of its own ----------------

REDIS = env.read_redis("REDIS_URL", default_socket=env.socket_of(DATA))
REDIS_BROKER_URL = REDIS.kombu(0)
REDIS_CACHE_URL = REDIS.plain(1)
REDIS_LAYER_URL = REDIS.plain(2)
REDIS_LIMITS_URL = REDIS.plain(3)
# Published messages know no databases, so instances that share a server differ by this.
REDIS_PREFIX = env.read("REDIS_PREFIX", "gatehouse")

# A frozen server would otherwise hold a caller for minutes.
REDIS_TIMEOUT_SECONDS = 2.0
# Limits, breakers and the cache stand in every request's way, and can go on without the server.
REDIS_LIMITS_TIMEOUT_SECONDS = 0.25
# redis-py stops at 100; two hundred sockets that close together need more.
REDIS_MAX_CONNECTIONS = env.read_int("REDIS_MAX_CONNECTIONS", default=10_000, low=10)


def _redis_options(timeout: float) -> dict[str, Any]:
    options: dict[str, Any] = {"socket_timeout": timeout, "max_connections": REDIS_MAX_CONNECTIONS}
    if not REDIS.is_socket:
        options["socket_connect_timeout"] = timeout
    return options


CACHES = {
    "default": {
        "BACKEND": "platform_site.cache.ForgivingCache",
        "LOCATION": REDIS_CACHE_URL,
        "KEY_PREFIX": REDIS_PREFIX,
        "OPTIONS": _redis_options(REDIS_LIMITS_TIMEOUT_SECONDS),
    },
}

CHANNEL_LAYERS = {
    "default": {
        # The core layer drops messages beyond 100 a channel: 356 of 501 arrived, all 501 here.
        "BACKEND": "moderation.live.layer.TellingLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_LAYER_URL, **_redis_options(REDIS_TIMEOUT_SECONDS)}],
            "prefix": REDIS_PREFIX,
        },
    },
}

# --- Celery: the doorbell, and the few long operations that people start --------------------------

CELERY_BROKER_URL = env.read("CELERY_BROKER_URL", REDIS_BROKER_URL)
if CELERY_BROKER_URL.startswith(("amqp://", "amqps://")):
    # Without confirmation a killed RabbitMQ forgets what publishers believe it holds.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "confirm_publish": True,
        "connect_timeout": REDIS_TIMEOUT_SECONDS,
        "read_timeout": REDIS_TIMEOUT_SECONDS,
        "write_timeout": REDIS_TIMEOUT_SECONDS,
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        **_redis_options(REDIS_TIMEOUT_SECONDS),
        "global_keyprefix": f"{REDIS_PREFIX}:",
        # Longer than any task; what a killed worker held comes back after this.
        "visibility_timeout": 300,
        # The defaults look for such messages every 100 s only.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
CELERY_BROKER_CONNECTION_TIMEOUT = REDIS_TIMEOUT_SECONDS
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker for ever

# RabbitMQ only: quorum queues outlive the node they were made on, classic ones cost less.
_QUEUE_TYPE = env.read_choice("CELERY_QUEUE_TYPE", choices=("classic", "quorum"), default="classic")
# A ring that nobody heard for a minute has been repeated since. What people start has no repeat.
_RING_SECONDS = 60
CELERY_TASK_QUEUES = [
    Queue(
        lane.value,
        Exchange(lane.value),
        routing_key=lane.value,
        queue_arguments={"x-queue-type": _QUEUE_TYPE},
        message_ttl=None if lane is Lane.RESCAN else _RING_SECONDS,
    )
    for lane in Lane
]
CELERY_TASK_DEFAULT_QUEUE = Lane.SCREEN.value
CELERY_TASK_CREATE_MISSING_QUEUES = False

CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
# Rows carry the state. Only rescan, export and the like set ignore_result=False.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TRACK_STARTED = True
# A message says "look" and nothing else: a lost one is rung again by the sweeper, so late
# acknowledgement would only add redeliveries.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 3
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BEAT_SCHEDULER = "platform_site.scheduler:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "tidy": {
        "task": "moderation.tidy",
        "schedule": 3600.0,
        "options": {"queue": Lane.RESCAN.value},
    },
    "sign_checkpoint": {
        "task": "moderation.sign_checkpoint",
        "schedule": 3600.0,
        "options": {"queue": Lane.RESCAN.value, "expires": 3600},
    },
    "file_statements": {
        "task": "moderation.file_statements",
        "schedule": 60.0,
        "options": {"queue": Lane.DELIVER.value, "expires": 60.0},
    },
    "draw_checks": {
        "task": "moderation.draw_checks",
        "schedule": 120.0,
        "options": {"queue": Lane.RESCAN.value, "expires": 120},
    },
    "start_scheduled_rescans": {
        "task": "moderation.start_scheduled_rescans",
        "schedule": 3600.0,
        "options": {"queue": Lane.RESCAN.value, "expires": 3600},
    },
    "ring_for_silent_operations": {
        "task": "moderation.ring_for_silent_operations",
        "schedule": 60.0,
        "options": {"queue": Lane.RESCAN.value, "expires": 60},
    },
}
CELERY_TIMEZONE = TIME_ZONE

# --- Accounts -------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: refuses before a password is compared
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

SIGNUP_OPEN = env.read_bool("SIGNUP_OPEN", default=True)
ACCOUNT_ADAPTER = "platform_site.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_LOGOUT_ON_GET = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Gatehouse"
# Wrong passwords are counted once, by axes, in the database.
ACCOUNT_RATE_LIMITS = {"login_failed": None}

# Made once, where there is nobody who may do everything; see `manage.py first_admin`.
FIRST_ADMIN_USERNAME = env.read("GATEHOUSE_ADMIN_USERNAME", "admin")
FIRST_ADMIN_EMAIL = env.read("GATEHOUSE_ADMIN_EMAIL")
FIRST_ADMIN_PASSWORD = env.secret("GATEHOUSE_ADMIN_PASSWORD")

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# --- Files ----------------------------------------------------------------------------------------

# Made by `collectstatic`; part of an installation, not of its data, where an image brings it along.
STATIC_ROOT = env.read_folder("STATIC_ROOT", default=DATA / "static")
STATIC_URL = "/static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
# Attachments have no address of their own: a view checks visibility before each byte.
MEDIA_ROOT = env.read_folder("MEDIA_ROOT", default=DATA / "media")
MEDIA_URL = ""
MEDIA_BUCKET = env.read_bucket()
STORAGES = {
    "default": MEDIA_BUCKET or {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
# Bodies beside files: a hundred posts of a bulk request fit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- API ------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "moderation.api.errors.problem_handler",
    "DEFAULT_VERSIONING_CLASS": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gatehouse",
    "DESCRIPTION": "Submit posts, and learn what became of them.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "moderation.api.openapi.complete.complete",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "PostStatus": "moderation.vocabulary.Status.choices",
        "ContentStatus": ["PENDING", "APPROVED", "REJECTED"],
        "PublishingMode": "moderation.vocabulary.PublishingMode.choices",
        "ConcludedBy": ["policy", "person"],
        "MediaState": "moderation.vocabulary.MediaState.choices",
        "ReportState": "moderation.vocabulary.ReportState.choices",
        "AppealState": "moderation.vocabulary.AppealState.choices",
        "DeliveryState": "moderation.vocabulary.DeliveryState.choices",
    },
    # Served from this machine: the docs page works without the internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Back office ----------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Gatehouse",
    "SITE_HEADER": "Gatehouse",
    "SITE_SYMBOL": "shield",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": f"{STATIC_URL}forum/icon.svg"}
    ],
    "ENVIRONMENT": "moderation.admin.surroundings.environment_label",
    "STYLES": ["moderation.admin.surroundings.style_sheet"],
    "SIDEBAR": {"navigation": "moderation.admin.surroundings.navigation"},
}

# --- Mail -----------------------------------------------------------------------------------------

EMAIL_BACKEND = env.read("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = str(DATA / "mail")
EMAIL_HOST = env.read("EMAIL_HOST", "localhost")
EMAIL_PORT = env.read_int("EMAIL_PORT", default=25, low=1, high=65535)
EMAIL_HOST_USER = env.read("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.read_bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.read("DEFAULT_FROM_EMAIL", f"gatehouse@{SITE_URL.host}")

# --- Logs: one JSON object a line, with ids and never a post's text -------------------------------

LOG_LEVEL = env.read_choice(
    "LOG_LEVEL", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO"
)
# A line for each request is the proxy's business; ours begins with what went wrong.
REQUEST_LOG_LEVEL = env.read_choice(
    "REQUEST_LOG_LEVEL",
    choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    default="WARNING",
)
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_CELERY_ENABLED = False
# RequestIds has made it sane; otherwise the lines of pages would have an id of their own.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True

_add_extra = structlog.stdlib.ExtraAdder()


def _add_our_extra(logger: Any, method: str, event: Any) -> Any:
    """Keep `extra={…}` of our own loggers: ids and numbers. Others put whole requests there."""
    is_ours = event["logger"].startswith(("moderation.", "platform_site."))
    return _add_extra(logger, method, event) if is_ours else event


_LOG_STEPS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    *([add_to_log] if TRACING else []),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": [*_LOG_STEPS, _add_our_extra],
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                without_content,
                structlog.processors.JSONRenderer(),
            ],
        },
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": sys.stderr},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "django_structlog": {"level": REQUEST_LOG_LEVEL},
        "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
        "uvicorn.access": {"handlers": [], "level": REQUEST_LOG_LEVEL, "propagate": True},
        "axes": {"level": "WARNING"},
        # A worker's pool: billiard lets none of its lines go further up.
        "multiprocessing": {"handlers": ["stderr"], "level": "WARNING"},
        # Two lines for each ring of the bell would be most of the log.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_LOG_STEPS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

# --- Error reports: nothing is sent, nor imported, without an address -----------------------------

SENTRY_DSN = env.secret("SENTRY_DSN")
SENTRY_ENVIRONMENT = env.read("SENTRY_ENVIRONMENT", "production")

# --- Moderation: what moderation/conf.py has defaults for, and says what each is for --------------

MODERATION = {
    # Services call back where readers find the site.
    "public_url": SITE_URL.origin,
    "post_page": f"{SITE_URL.origin}/p/{{post}}/",
    "audit_key_file": str(DATA / "audit.key"),
    "erasures_file": str(DATA / "erasures.jsonl"),
    "appeal_page": f"{SITE_URL.origin}/appeals/by-mail/{{token}}/",
    "reports_page": f"{SITE_URL.origin}/me/reports/",
    "notice_page": f"{SITE_URL.origin}/notice/{{report}}/",
    "appeal_status_page": f"{SITE_URL.origin}/appeals/{{appeal}}/",
    "dialects": env.read_names("GATEHOUSE_DIALECTS", choices=tuple(Dialect.values)),
} | env.read_given(
    "GATEHOUSE_",
    {
        "lease_seconds": env.positive,
        "lease_renew_seconds": env.positive,
        "batch_size": env.count,
        "media_batch_size": env.count,
        "max_attempts": env.count,
        "retry_backoff_seconds": env.positive,
        "drain_seconds": env.positive,
        "sweep_interval_seconds": env.positive,
        "heartbeat_seconds": env.positive,
        "silent_after_seconds": env.positive,
        "late_after_seconds": env.positive,
        "max_upload_bytes": env.count,
        "rate_burst": env.count,
        "rate_per_second": env.positive,
        "key_rate_burst": env.count,
        "key_rate_per_second": env.positive,
        "idempotency_days": env.count,
        "keep_evidence_days": env.days,
        "keep_removed_media_days": env.days,
        "keep_deliveries_days": env.days,
        "keep_calls_days": env.days,
        "keep_jobs_days": env.days,
        "known_after_approved": env.count,
        "trusted_after_approved": env.count,
        "watch_days": env.count,
        "undo_seconds": env.seconds,
        "appeal_period_days": env.count,
        "appeal_answer_hours": env.positive,
        "open_content_service": env.switch,
        "open_content_community": env.text,
        "dialect_deadline_seconds": env.positive,
        "moderate_fallback": env.fallback,
        "coral_secrets": env.words,
        "metrics_token": env.secret,
        "trace_page": env.trace_page,
        "fetch_allowed_hosts": env.words,
        "providers": env.words,
        "provider_allowed_hosts": env.words,
        "delivery_allowed_hosts": env.words,
        "delivery_timeout_seconds": env.positive,
        "kafka_servers": env.text,
        "kafka_options": env.text,
        "stream_redis_url": env.text,
        "stream_communities": env.words,
        "dsa_url": env.text,
        "dsa_token": env.secret,
        "dsa_territory": env.words,
        "dsa_exempt_categories": env.words,
        "provider_wait_seconds": env.positive,
        "provider_turn_seconds": env.positive,
        "bank_flood_matches": env.count,
        "bank_flood_share": env.positive,
        "bank_flood_seconds": env.count,
        "audit_key": env.secret,
        "audit_checkpoint_file": env.text,
        "erasures_file": env.text,
    },
)
