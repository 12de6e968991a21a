"""A post's way as spans, seen by a collector on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from uuid import uuid4

import pytest

pytest.importorskip("opentelemetry.sdk")

from django.test import AsyncClient, Client

from moderation import tracing
from moderation.errors import ProviderUnavailable
from moderation.models import AuditEvent, Submission
from moderation.pipeline import dispatch
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.rejudging.again import send_again
from moderation.vocabulary import Lane
from platform_site.tracing import CollectorExporter, Recorder
from tests.asking.fakes import FakeService, LaterService
from tests.collector import Collector, running_collector
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy
from tests.pipeline.test_later import call_back, come_due


@pytest.fixture(scope="module")
def running():
    with running_collector() as collector:
        yield collector


@pytest.fixture
def collector(running):
    running.spans.clear()
    running.headers.clear()
    running.status = 200
    return running


def recorder_to(collector: Collector) -> Recorder:
    return Recorder(
        CollectorExporter(collector.endpoint, headers={}, timeout_seconds=5, is_zipped=False)
    )


@pytest.fixture
def recorder(collector):
    recorder = recorder_to(collector)
    tracing.record_with(recorder)
    yield recorder
    tracing.record_with(None)
    recorder.close()


def carried_by(post, kind="post.submitted") -> str:
    facts = AuditEvent.objects.get(subject_id=str(post.pk), kind=kind).facts
    return tracing.trace_id(facts.get("trace", ""))


def decided(collector, post):
    [span] = [one for one in collector.named("decide") if one.fact("post") == str(post.pk)]
    return span


def test_one_post_is_one_trace_from_its_request_to_its_verdict(community, recorder, collector):
    with tracing.trace("POST request", kind="server"):
        [post] = send(community, THREAT)
    drain_all()
    recorder.flush()

    trace = carried_by(post)
    names = [span.name for span in collector.trace(trace)]
    assert len(collector.spans) == len(names), "everything is in one trace"
    for name in ("POST request", "submit", "decide", "wait for a worker", "screen", "ask"):
        assert name in names
    for name in ("judge", "enforce", "push"):
        assert name in names
    assert carried_by(post, "post.rejected") == trace
    span = decided(collector, post)
    assert (span.fact("action"), span.fact("lane"), span.fact("size")) == (
        "block",
        "screen.high",
        1,
    )
    by_id = {one.id: one for one in collector.spans}
    assert by_id[by_id[span.parent].parent].name == "POST request"
    assert {one.fact("provider") for one in collector.named("ask")} >= {"local_text"}


def test_nothing_that_anybody_wrote_is_in_a_span(community, recorder, collector):
    with tracing.trace("POST request"):
        send(community, f"{THREAT} Quince 4711", title="Marmalade", writer="quentin")
    drain_all()
    recorder.flush()
    said = repr(collector.spans)
    assert "decide" in said
    for word in ("Quince", "4711", "Marmalade", "quentin", "idiot"):
        assert word not in said


def test_a_batch_is_linked_to_the_posts_in_it(community, recorder, collector):
    posts = []
    for body in (HARMLESS, THREAT):
        with tracing.trace("POST request"):
            posts += send(community, body)
    drain_all()
    recorder.flush()

    traces = {carried_by(post) for post in posts}
    [batch] = collector.named("decide a batch")
    assert len(traces) == 2
    assert set(batch.links) == traces
    for post in posts:
        span = decided(collector, post)
        assert span.trace in traces
        assert span.links == (batch.trace,)
        # Each has the steps of its batch, and its own verdict.
        names = {one.name for one in collector.trace(span.trace)}
        assert {"screen", "judge", "enforce", "push"} <= names
    assert {one.fact("action") for one in collector.named("decide")} == {"allow", "block"}


def test_each_post_of_a_bulk_request_has_a_trace_linked_to_it(community, recorder, collector):
    with tracing.trace("POST request"):
        posts = send(community, HARMLESS, THREAT)
    drain_all()
    recorder.flush()

    [request] = collector.named("POST request")
    traces = {carried_by(post) for post in posts}
    assert len(traces) == 2
    assert request.trace not in traces
    begun = [span for span in collector.named("submit") if not span.parent]
    assert {(span.trace, span.links) for span in begun} == {
        (one, (request.trace,)) for one in traces
    }


def test_what_is_looked_at_again_has_a_trace_linked_to_the_first(community, recorder, collector):
    with tracing.trace("POST request"):
        [post] = send(community, HARMLESS)
    drain_all()
    first = decided_traces(recorder, collector)
    collector.spans.clear()
    send_again([post.pk], actor=SYSTEM, facts={})
    again = Submission.objects.get(post=post, reason="rescan")
    drain_all()
    second = decided_traces(recorder, collector)
    assert first != second
    [span] = collector.named("decide")
    assert span.links == tuple(first)
    assert (span.fact("reason"), span.fact("submission")) == ("rescan", again.pk)


def decided_traces(recorder, collector) -> set[str]:
    recorder.flush()
    return {span.trace for span in collector.named("decide")}


def test_a_failed_batch_says_so_and_its_second_try_is_in_the_same_trace(
    community, recorder, collector, monkeypatch, settings
):
    settings.MODERATION = {**settings.MODERATION, "retry_backoff_seconds": 0.001}
    with tracing.trace("POST request"):
        [post] = send(community, HARMLESS)
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "judge", _crash)
        dispatch.drain(Lane.SCREEN_HIGH)
    come_due()
    drain_all()
    recorder.flush()
    spans = [one for one in collector.named("decide") if one.trace == carried_by(post)]
    assert spans[0].fact("failed") == "ZeroDivisionError"
    assert spans[-1].fact("action") == "allow"
    assert spans[-1].fact("attempt") == len(spans) > 1


def _crash(*_: object) -> None:
    raise ZeroDivisionError("with a post's words in it")


def test_what_is_not_sampled_is_recorded_nowhere(community, collector, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    recorder = recorder_to(collector)
    tracing.record_with(recorder)
    try:
        with tracing.trace("POST request"):
            [post] = send(community, HARMLESS)
        drain_all()
        recorder.flush()
    finally:
        tracing.record_with(None)
        recorder.close()
    assert collector.spans == []
    facts = AuditEvent.objects.filter(subject_id=str(post.pk)).values_list("facts", flat=True)
    assert all("trace" not in one for one in facts)
    assert len(facts) == 2


def test_a_collector_that_refuses_or_hangs_costs_a_post_nothing(community, collector):
    recorder = Recorder(
        CollectorExporter(collector.endpoint, headers={}, timeout_seconds=0.2, is_zipped=True)
    )
    tracing.record_with(recorder)
    collector.silent = True
    try:
        with tracing.trace("POST request"):
            [post] = send(community, THREAT)
        assert drain_all() == 1
        recorder.flush()
        began = time.monotonic()
        recorder.close()
        assert time.monotonic() - began < 10
    finally:
        tracing.record_with(None)
        collector.silent = False
        collector.released.set()
    assert collector.spans == []
    post.refresh_from_db()
    assert post.status == "rejected"


def test_the_collector_is_told_what_the_environment_says(collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address + "/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%20b,authorization=Bearer%20t")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "forum")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    recorder = Recorder(CollectorExporter.from_environment())
    tracing.record_with(recorder)
    try:
        with tracing.trace("POST request"):
            pass
        recorder.flush()
    finally:
        tracing.record_with(None)
        recorder.close()
    [headers] = collector.headers
    assert (headers["x-team"], headers["authorization"]) == ("a b", "Bearer t")
    assert headers["content-encoding"] == "gzip"
    [span] = collector.spans
    assert span.process["service.name"] == "forum"
    assert span.process["deployment.environment.name"] == "test"


def test_a_provider_that_fails_is_seen_in_the_traces_it_was_asked_for(
    community, recorder, collector, monkeypatch
):
    down = FakeService(f"down-{uuid4().hex[:8]}", ProviderUnavailable("Its words."))
    add_provider(monkeypatch, down)
    use_policy(community, route={"text": [down.name]})
    with tracing.trace("POST request"):
        [post] = send(community, HARMLESS)
    drain_all()
    recorder.flush()
    [asked] = [one for one in collector.named("ask") if one.fact("provider") == down.name]
    assert asked.trace == carried_by(post)
    assert (asked.kind, asked.fact("outcome"), asked.fact("error")) == (
        "client",
        "failed",
        ProviderUnavailable.code,
    )


def test_what_a_service_answers_later_is_in_the_same_trace(
    community, recorder, collector, monkeypatch
):
    later = LaterService(f"later-{uuid4().hex[:8]}")
    add_provider(monkeypatch, later)
    use_policy(community, route={"text": [later.name]})
    with tracing.trace("POST request"):
        [post] = send(community, HARMLESS)
    drain_all()
    come_due()
    drain_all()
    with tracing.trace("POST request"):
        call_back(later, "m1:toxic")
    drain_all()
    recorder.flush()
    names = [span.name for span in collector.trace(carried_by(post))]
    assert names.count("decide") == 3
    assert names.count("poll") == 1
    assert names.count("take a callback") == 1
    assert carried_by(post, "post.rejected") == carried_by(post)


def test_without_a_collector_nothing_of_it_is_loaded():
    code = (
        "import django, sys; django.setup();"
        "import platform_site.urls, platform_site.wsgi, moderation.tasks;"
        "assert 'platform_site.tracing' not in sys.modules;"
        "assert not any(m.startswith('opentelemetry.sdk.trace') for m in sys.modules);"
        "from moderation import tracing; assert not tracing.is_on()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)


def test_a_request_says_in_which_trace_it_was_refused(community, recorder, settings):
    first, *others = settings.MIDDLEWARE
    settings.MIDDLEWARE = [first, "platform_site.tracing.TracedRequests", *others]
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    refused = Client().post("/api/v1/posts", {}, headers={"traceparent": sent})
    assert len(refused.json()["trace_id"]) == 32
    assert refused.json()["trace_id"] != tracing.trace_id(sent)


@pytest.mark.parametrize(
    ("choice", "is_parent", "is_linked"),
    [("link", False, True), ("parent", True, False), ("ignore", False, False)],
)
def test_a_setting_says_what_a_clients_own_trace_is_to_us(
    community, recorder, collector, settings, choice, is_parent, is_linked
):
    first, *others = settings.MIDDLEWARE
    settings.MIDDLEWARE = [first, "platform_site.tracing.TracedRequests", *others]
    settings.CLIENT_TRACEPARENT = choice
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    Client().post("/api/v1/posts", {}, headers={"traceparent": sent})
    Client().get("/api/v1/posts", headers={"traceparent": sent})
    recorder.flush()
    [span] = collector.named("POST request")
    theirs = tracing.trace_id(sent)
    assert (span.trace == theirs, theirs in span.links) == (is_parent, is_linked)
    assert span.facts["http.response.status_code"] == 401
    assert span.facts["http.route"] == "api/v1/posts"


@pytest.mark.django_db(transaction=True)
async def test_a_server_of_websockets_records_its_requests_too(recorder, collector, settings):
    first, *others = settings.MIDDLEWARE
    settings.MIDDLEWARE = [first, "platform_site.tracing.TracedRequests", *others]
    await AsyncClient().post("/api/v1/posts", {}, headers={"authorization": "Bearer none"})
    await AsyncClient().post("/accounts/login/", {"login": "cy"})
    recorder.flush()
    routes = [span.facts["http.route"] for span in collector.named("POST request")]
    assert routes == ["api/v1/posts", "accounts/login/"]


def test_many_pages_that_are_told_the_same_are_recorded_a_few_times():
    carried = f"00-{uuid4().hex}-b7ad6b7169203331-01"
    assert [tracing.among_the_first(carried) for _ in range(12)] == [carried] * 10 + ["", ""]
    assert tracing.among_the_first("") == ""


@pytest.mark.parametrize("nonsense", ["", "00-1-2-01", "x" * 5000, "00-" + "0" * 32 + "-1-01", 7])
def test_nonsense_is_no_trace(nonsense):
    assert tracing.trace_id(nonsense) in ("", "0" * 32)
