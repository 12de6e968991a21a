"""An OpenTelemetry collector on loopback: takes OTLP over HTTP, and tells what it was sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True)
class Kept:
    """A span as it arrived; ids in hexadecimal, times in nanoseconds."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    began: int
    ended: int
    facts: Mapping[str, Any]
    links: tuple[str, ...]
    failed: bool
    process: Mapping[str, Any]

    def fact(self, name: str) -> Any:
        return self.facts.get(f"gatehouse.{name}")


@dataclass
class Collector:
    """What was sent. `status` is what it answers, `hangs` lets it say nothing until it is set."""

    address: str
    spans: list[Kept] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    status: int = 200
    silent: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"{self.address}/v1/traces"

    def named(self, name: str) -> list[Kept]:
        return [span for span in self.spans if span.name == name]

    def trace(self, trace: str) -> list[Kept]:
        """Return the spans of a trace, in the order in which they began."""
        return sorted((one for one in self.spans if one.trace == trace), key=lambda one: one.began)


@contextmanager
def running_collector() -> Iterator[Collector]:
    found: list[Collector] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            [collector] = found
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.silent:
                collector.released.wait(20)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            if collector.status == 200 and self.path == "/v1/traces":
                collector.spans += spans_of(body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Collector(f"http://127.0.0.1:{server.server_address[1]}"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found[0]
    finally:
        found[0].released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def spans_of(body: bytes) -> list[Kept]:
    return [
        _kept(span, {one.key: _plain(one.value) for one in resource.resource.attributes})
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _kept(span: OtlpSpan, process: Mapping[str, Any]) -> Kept:
    return Kept(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=OtlpSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        facts={one.key: _plain(one.value) for one in span.attributes},
        links=tuple(link.trace_id.hex() for link in span.links),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        process=process,
    )


def _plain(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")


def otlp_json(spans: Sequence[Kept]) -> dict[str, Any]:
    """Return spans as OTLP in JSON, which Jaeger's page opens as a file; grouped by process."""
    groups: dict[str, list[Kept]] = {}
    for span in spans:
        groups.setdefault(str(span.process["service.instance.id"]), []).append(span)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _listed(group[0].process)},
                "scopeSpans": [
                    {"scope": {"name": "gatehouse"}, "spans": [_written(one) for one in group]}
                ],
            }
            for group in groups.values()
        ]
    }


def _written(span: Kept) -> dict[str, Any]:
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **({"parentSpanId": span.parent} if span.parent else {}),
        "name": span.name,
        "kind": OtlpSpan.SpanKind.Value(f"SPAN_KIND_{span.kind.upper()}"),
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _listed(span.facts),
    }


def _listed(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _typed(value)} for name, value in sorted(facts.items())]


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}
