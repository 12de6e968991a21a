"""Reports errors to Sentry, or to what speaks its protocol: when SENTRY_DSN is set, and only then.

What is sent is built from a list of what may be: where in the code an error arose, its kind, the
names and ids of our own log lines. No request, no variable, no text of a post, no person: not by
taking away, but by never taking over. Like every other way out it goes through the guarded client.
"""

from __future__ import annotations

import gzip
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from moderation import VERSION
from moderation.errors import FetchRefused
from moderation.outbound.client import GuardedClient
from moderation.outbound.targets import host_and_port
from moderation.outbound.waits import retry_after_seconds
from platform_site.log_errors import said_by

try:
    import sentry_sdk
    from sentry_sdk.consts import EndpointType
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
    from sentry_sdk.transport import Transport
except ImportError as error:
    raise ImproperlyConfigured(
        "SENTRY_DSN needs what requirements-sentry.txt lists: "
        "pip install --no-deps -r requirements-sentry.txt"
    ) from error

if TYPE_CHECKING:
    from sentry_sdk.types import Event

logger = logging.getLogger(__name__)

_OURS: Final = ("moderation.", "platform_site.")
_TIMEOUT_SECONDS: Final = 5.0
_AWAY_SECONDS: Final = 60.0
_ANSWER_BYTES: Final = 64 * 1024
# Errors come in storms: what does not fit is dropped, since the first ones say it all.
_MOST_WAITING: Final = 100
_MOST_FRAMES: Final = 100
_PORTS: Final = {"http": 80, "https": 443}
# Ids and codes have no spaces; a client may choose a request's id, so only our own are sent.
_CODE: Final = re.compile(r"[\w.:/-]{1,80}", re.ASCII)
_TAGS: Final = {
    "request_id": re.compile(r"req_[0-9a-f]{24}"),
    "trace_id": re.compile(r"[0-9a-f]{32}"),
    "task": _CODE,
    "task_id": re.compile(r"[0-9a-f-]{36}"),
    "lane": _CODE,
}
_FRAME: Final = ("filename", "function", "module", "lineno", "in_app")
_HEAD: Final = ("event_id", "timestamp", "level", "platform", "logger", "release", "environment")


def start() -> None:
    """Report errors from now on. Raises `ImproperlyConfigured` for an address that is none."""
    # It says in a line what Django reports with its traceback.
    ignore_logger("django_structlog.middlewares.request")
    try:
        sentry_sdk.init(
            dsn=settings.SENTRY_DSN,
            environment=settings.SENTRY_ENVIRONMENT,
            release=f"gatehouse@{VERSION}",
            transport=GuardedTransport,
            before_send=only_what_may,
            # Nothing but errors, and nothing that looks at requests, queries or variables.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[
                LoggingIntegration(level=None, event_level=logging.ERROR),
                ExcepthookIntegration(),
            ],
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_session_tracking=False,
            send_client_reports=False,
            server_name="",
            shutdown_timeout=2,
        )
    except sentry_sdk.utils.BadDsn as error:
        raise ImproperlyConfigured("SENTRY_DSN is no address of a project.") from error


def only_what_may(event: Event, hint: dict[str, Any]) -> Event:
    """Return a new report with what may be sent of one. One that raises here is not sent."""
    given: Mapping[str, Any] = event
    sent: dict[str, Any] = {name: given[name] for name in _HEAD if name in given}
    name = str(given.get("logger", ""))
    record = hint.get("log_record")
    is_ours = name.startswith(_OURS)
    # Our own messages are constant, and what varies stands beside them.
    said = str(record.msg) if is_ours and record is not None else name or "error"
    sent["logentry"] = {"message": said[:200]}
    if is_ours:
        sent["extra"] = dict(_facts(given.get("extra") or {}))
    sent["tags"] = dict(_tags())
    info = hint.get("exc_info")
    if info:
        sent["exception"] = {"values": list(_exceptions(given, info[1]))}
    return cast("Event", sent)


def _facts(extra: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in extra.items():
        is_number = isinstance(value, int | float)
        if is_number or (isinstance(value, str) and _CODE.fullmatch(value)):
            yield name, value


def _tags() -> Iterator[tuple[str, str]]:
    found = structlog.contextvars.get_contextvars()
    for name, looks in _TAGS.items():
        value = str(found.get(name, ""))
        if looks.fullmatch(value):
            yield name, value


def _exceptions(event: Mapping[str, Any], last: BaseException | None) -> Iterator[dict[str, Any]]:
    values = (event.get("exception") or {}).get("values") or []
    for place, value in enumerate(values):
        is_last = place == len(values) - 1 and last is not None
        frames = (value.get("stacktrace") or {}).get("frames") or []
        yield {
            "type": value.get("type"),
            "module": value.get("module"),
            "value": said_by(last) if is_last and last is not None else "",
            "stacktrace": {
                "frames": [
                    {name: frame[name] for name in _FRAME if name in frame}
                    for frame in frames[-_MOST_FRAMES:]
                ]
            },
        }


class GuardedTransport(Transport):
    """Sends reports from a thread of its own, each once. Never raises, never waits."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        dsn = self.parsed_dsn
        if dsn is None:
            raise ImproperlyConfigured("SENTRY_DSN is no address of a project.")
        auth = dsn.to_auth(f"gatehouse/{VERSION}")
        self._address = auth.get_api_url(EndpointType.ENVELOPE)
        self._headers = {
            "Content-Type": "application/x-sentry-envelope",
            "Content-Encoding": "gzip",
            "X-Sentry-Auth": auth.to_header(),
        }
        parts = urlsplit(self._address)
        # The operator names it, as they name the database: it may be on this very machine.
        self._where = host_and_port(parts.hostname or "", parts.port or _PORTS[parts.scheme])
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begin()

    def capture_envelope(self, envelope: Envelope) -> None:
        with self._guard:
            # A fork leaves the thread, and what waits for it, behind in the parent.
            if self._pid != os.getpid():
                self._begin()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(gzip.compress(envelope.serialize()))
        except queue.Full:
            return

    def flush(self, timeout: float, callback: Any = None) -> None:
        """Wait until what was captured is sent, or the time is over."""
        ends_at = time.monotonic() + timeout
        while self._waiting.unfinished_tasks and time.monotonic() < ends_at:
            time.sleep(0.01)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: queue.Queue[bytes] = queue.Queue(_MOST_WAITING)
        self._thread = None
        self._client = GuardedClient(
            allow_private_hosts=frozenset({self._where}), max_connections=1
        )
        self._away_until = 0.0

    def _run(self) -> None:
        while True:
            body = self._waiting.get()
            if time.monotonic() >= self._away_until:
                self._away_until = time.monotonic() + self._send(body)
            self._waiting.task_done()

    def _send(self, body: bytes) -> float:
        """Send one report; return for how many seconds the server is left alone then."""
        try:
            reply = self._client.request(
                "POST",
                self._address,
                headers=self._headers,
                content=body,
                max_bytes=_ANSWER_BYTES,
                timeout_seconds=_TIMEOUT_SECONDS,
                cut=True,
            )
        except FetchRefused as refusal:
            problem, wait = refusal.reason, None
        else:
            if reply.status < 300:
                return 0.0
            problem, wait = f"HTTP {reply.status}", retry_after_seconds(reply.headers)
        # A warning: an error would be reported.
        logger.warning("report_not_sent", extra={"error": problem})
        return wait or _AWAY_SECONDS
