"""Sends spans to an OpenTelemetry collector: started by `OTEL_EXPORTER_OTLP_ENDPOINT` alone.

The OTEL_* variables that OpenTelemetry defines for sampling, batches, resources and the exporter
hold. Nobody waits for the collector: spans are handed to a thread of this process, which drops
what it cannot send.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from functools import cached_property
from multiprocessing.util import Finalize
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from celery.signals import worker_process_shutdown
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moderation import tracing
from moderation.errors import FetchRefused
from moderation.outbound import GuardedClient
from moderation.outbound.targets import host_and_port
from moderation.tracing import Fact, Kind

logger = logging.getLogger(__name__)

# How long a process that ends goes on sending what it has.
FAREWELL_SECONDS = 2.0
# The standard's own default.
TIMEOUT_SECONDS = 10.0
# One that is away is left alone for so long.
AWAY_SECONDS = 10.0
_ANSWER_BYTES = 64 * 1024
_WEB = {"http": 80, "https": 443}
_KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
# What OpenTelemetry has words for; all else is under our own name.
_STANDARD_NAMES = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
}
_W3C = TraceContextTextMapPropagator()


def start() -> None:
    """Record from now on. Raises `ImproperlyConfigured` for a collector that cannot be reached."""
    exporter = CollectorExporter.from_environment()
    recorder = Recorder(exporter)
    tracing.record_with(recorder)
    # Servers' and Celery's children end without atexit; each has a way of its own.
    Finalize(None, recorder.close, exitpriority=0)
    worker_process_shutdown.connect(recorder.end_child, weak=False)


class Recorder:
    """Gives the way its spans. What sends them starts with the first span of this process."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.exporter = exporter

    @cached_property
    def _provider(self) -> TracerProvider:
        provider = TracerProvider(
            resource=Resource.create(
                {
                    "service.name": os.environ.get("OTEL_SERVICE_NAME") or "gatehouse",
                    "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
                    "process.pid": os.getpid(),
                }
            ),
            # The library takes an empty variable for a wrong one.
            sampler=None if os.environ.get("OTEL_TRACES_SAMPLER") else DEFAULT_ON,
            shutdown_on_exit=False,
            id_generator=_Ids(),
        )
        provider.add_span_processor(BatchSpanProcessor(self.exporter))
        return provider

    @cached_property
    def _tracer(self) -> Tracer:
        return self._provider.get_tracer("gatehouse")

    def start(
        self,
        name: str,
        *,
        parent: tracing.Span | str = "",
        links: Sequence[str] = (),
        kind: Kind = "internal",
        seed: str = "",
        began: datetime | None = None,
        facts: Mapping[str, Fact],
    ) -> tracing.Span | None:
        linked = [Link(found) for link in links if (found := _context_of(link)) is not None]
        token = _trace_id.set(_id_of(seed) if seed else 0)
        try:
            span = self._tracer.start_span(
                name,
                context=_context(parent),
                kind=_KINDS[kind],
                attributes=_attributes(facts),
                links=linked,
                start_time=None if began is None else _nanoseconds(began),
            )
        finally:
            _trace_id.reset(token)
        return _Recorded(span) if span.is_recording() else None

    def flush(self) -> None:
        """Send what is there; for tests, and for whoever ends by a signal."""
        self._provider.force_flush()

    def end_child(self, **_: object) -> None:
        self.close()

    def close(self) -> None:
        """Send what is there, for a short while, and nothing more. Can be called again."""
        if "_provider" in self.__dict__:
            if isinstance(self.exporter, CollectorExporter):
                self.exporter.ends_at = time.monotonic() + FAREWELL_SECONDS
            self._provider.shutdown()


class _Recorded:
    """A span as the way knows it."""

    __slots__ = ("span",)

    def __init__(self, span: OtelSpan) -> None:
        self.span = span

    @property
    def traceparent(self) -> str:
        found = self.span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags & 1:02x}"

    def tell(self, **facts: Fact) -> None:
        self.span.set_attributes(_attributes(facts))

    def end(self, error: str = "") -> None:
        if error:
            self.span.set_attribute("error.type", error)
            self.span.set_status(Status(StatusCode.ERROR))
        self.span.end()


_trace_id: ContextVar[int] = ContextVar("trace_id", default=0)


class _Ids(RandomIdGenerator):
    """Random ids, but for a trace whose id follows from what it is about."""

    def generate_trace_id(self) -> int:
        return _trace_id.get() or super().generate_trace_id()


def _id_of(seed: str) -> int:
    # The same for whoever takes it up again, and no guide to anybody else's.
    secret = hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    return int.from_bytes(hashlib.blake2b(seed.encode(), key=secret, digest_size=16).digest()) or 1


def _context(parent: tracing.Span | str) -> Context:
    if isinstance(parent, _Recorded):
        return set_span_in_context(parent.span, Context())
    found = _context_of(parent) if isinstance(parent, str) else None
    # Never what happens to be current in this thread: the way says itself where it goes on.
    return Context() if found is None else set_span_in_context(NonRecordingSpan(found), Context())


def _context_of(carried: str) -> SpanContext | None:
    if not carried:
        return None
    found = get_current_span(_W3C.extract({"traceparent": carried}, Context())).get_span_context()
    return found if found.is_valid else None


def _attributes(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {
        _STANDARD_NAMES.get(name, f"gatehouse.{name}"): str(value)
        if isinstance(value, str)
        else value
        for name, value in facts.items()
        if value != ""
    }


def _nanoseconds(moment: datetime) -> int:
    # Clocks differ: what waited for less than nothing did not wait.
    return min(int(moment.timestamp() * 1_000_000) * 1000, time.time_ns())


# --- to the collector --------------------------------------------------------------------------


class CollectorExporter(SpanExporter):
    """Posts spans as OTLP over HTTP, each batch once. What cannot be sent is dropped."""

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str], timeout_seconds: float, is_zipped: bool
    ) -> None:
        parts = urlsplit(endpoint)
        where = host_and_port((parts.hostname or "").lower(), parts.port or _WEB[parts.scheme])
        self.endpoint = endpoint
        self.ends_at: float | None = None
        self._headers = {"Content-Type": "application/x-protobuf", **headers}
        self._timeout_seconds = timeout_seconds
        self._is_zipped = is_zipped
        # The operator names it, as they name the database: it may be on this very machine.
        self._client = GuardedClient(allow_private_hosts=frozenset({where}), max_connections=2)
        self._dropped = 0
        self._away_until = 0.0

    @classmethod
    def from_environment(cls) -> CollectorExporter:
        endpoint = _setting("ENDPOINT", traces_suffix="/v1/traces")
        protocol = _setting("PROTOCOL") or "http/protobuf"
        if protocol != "http/protobuf":
            raise ImproperlyConfigured(
                f"OTEL_EXPORTER_OTLP_PROTOCOL: spans are sent as http/protobuf, not {protocol!r}."
            )
        return cls(
            endpoint,
            headers=_headers(_setting("HEADERS")),
            timeout_seconds=_seconds(_setting("TIMEOUT")),
            is_zipped=_setting("COMPRESSION") == "gzip",
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        now = time.monotonic()
        left = self._timeout_seconds if self.ends_at is None else self.ends_at - now
        if left <= 0 or now < self._away_until:
            self._dropped += len(spans)
            return SpanExportResult.FAILURE
        error = self._send(spans, min(left, self._timeout_seconds))
        if error:
            if not self._dropped:
                logger.warning("spans_not_sent", extra={"error": error})
            self._dropped += len(spans)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return SpanExportResult.FAILURE
        if self._dropped:
            logger.warning("spans_sent_again", extra={"dropped": self._dropped})
            self._dropped = 0
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._client.close()

    def _send(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> str:
        body = encode_spans(spans).SerializeToString()
        headers = dict(self._headers)
        if self._is_zipped:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        try:
            reply = self._client.request(
                "POST",
                self.endpoint,
                headers=headers,
                content=body,
                max_bytes=_ANSWER_BYTES,
                timeout_seconds=timeout_seconds,
                cut=True,
            )
        except FetchRefused as refusal:
            return refusal.reason
        return "" if 200 <= reply.status < 300 else f"HTTP {reply.status}"


def _setting(name: str, *, traces_suffix: str = "") -> str:
    """Return a variable of the exporter: that for traces alone before that for all signals."""
    for_traces = os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}", "").strip()
    if for_traces:
        return for_traces
    for_all = os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()
    return for_all.rstrip("/") + traces_suffix if for_all and traces_suffix else for_all


def _headers(given: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in given.split(",") if "=" in pair)
    return {unquote(name).strip(): unquote(value).strip() for name, _, value in pairs}


def _seconds(given: str) -> float:
    try:
        return max(0.1, float(given)) if given else TIMEOUT_SECONDS
    except ValueError:
        raise ImproperlyConfigured(
            f"OTEL_EXPORTER_OTLP_TIMEOUT is a number of seconds, not {given!r}."
        ) from None


# --- requests ----------------------------------------------------------------------------------

Respond = Callable[[HttpRequest], HttpResponse]
RespondLater = Callable[[HttpRequest], Awaitable[HttpResponse]]
_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class TracedRequests:
    """Open a span for each request that may change something; what only reads would be most of all.

    A client's own `traceparent` is linked to, gone on from or ignored, as a setting says: whoever
    goes on from a stranger's lets them choose what is sampled, and under which id.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Respond | RespondLater) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self.is_async:
            return self._respond_later(request)
        respond = cast("Respond", self.get_response)
        structlog.contextvars.unbind_contextvars("trace_id")
        if request.method in _READS:
            return respond(request)
        with _request_span(request):
            return _noted(request, respond(request))

    async def _respond_later(self, request: HttpRequest) -> HttpResponse:
        respond = cast("RespondLater", self.get_response)
        structlog.contextvars.unbind_contextvars("trace_id")
        if request.method in _READS:
            return await respond(request)
        with _request_span(request):
            return _noted(request, await respond(request))


def _request_span(request: HttpRequest) -> Any:
    sent = request.META.get("HTTP_TRACEPARENT", "")
    sent = sent if len(sent) < 100 and tracing.trace_id(sent) else ""
    method = request.method if request.method in ("POST", "PUT", "PATCH", "DELETE") else "OTHER"
    return tracing.trace(
        f"{method} request",
        parent=sent if settings.CLIENT_TRACEPARENT == "parent" else "",
        links=[sent] if sent and settings.CLIENT_TRACEPARENT == "link" else (),
        kind="server",
        method=method,
        request_id=request.META["HTTP_X_REQUEST_ID"],
    )


def _noted(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    # The pattern of the address: what stands in it may be anybody's.
    match = request.resolver_match
    tracing.tell(status=response.status_code, route=match.route if match else "(none)")
    # As the request's own id: Django logs bad answers at the very end.
    if found := tracing.trace_id(tracing.traceparent()):
        structlog.contextvars.bind_contextvars(trace_id=found)
    return response
