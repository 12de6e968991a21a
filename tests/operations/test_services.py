"""Services as an operator sets them up, tries and holds them back: what is stored and recorded."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from moderation import communities, queries, services
from moderation.asking import breaker_state
from moderation.coordination.breaker import BreakerState
from moderation.errors import Conflict, InvalidFields, InvalidPolicy, NotFound, ProviderAuthFailed
from moderation.models import (
    AuditEvent,
    Community,
    Experiment,
    PolicyRevision,
    ProviderAccount,
    ProviderCall,
    ProviderDay,
    Reevaluation,
)
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.providers import registry
from moderation.providers.catalogue import adapter_names, get_adapter
from moderation.sandbox.server import Sandbox
from moderation.services import SetUp
from moderation.vocabulary import Outcome
from tests.factories import CommunityFactory, PostFactory, UserFactory

pytestmark = pytest.mark.django_db

# A key as it must appear nowhere but encrypted.
SECRET = "sk-very-secret-0123456789"


@pytest.fixture
def root() -> User:
    user: User = UserFactory(username="root", is_superuser=True)
    return user


def set_up(name: str = "openai", adapter: str = "openai", **wanted: Any) -> ProviderAccount:
    wanted.setdefault("secrets", {"api_key": SECRET})
    return services.set_up_service(name=name, adapter=adapter, wanted=SetUp(**wanted), user=None)


def at(sandbox: Sandbox, prefix: str = "openai") -> dict[str, str]:
    return {"base_url": f"{sandbox.base_url}/{prefix}"}


def wrong(**wanted: Any) -> list[tuple[str, str]]:
    """Return what is said to be wrong with a set-up, by field."""
    with pytest.raises(InvalidFields) as refused:
        set_up(**wanted)
    assert not ProviderAccount.objects.exists()
    return list(refused.value.errors)


def routing_to(provider: str, **fields: Any) -> Community:
    document = {**DEFAULT_DOCUMENT, "route": {"text": ["local_text", provider]}}
    community: Community = CommunityFactory(policy__document=document, **fields)
    return community


def events(kind: str) -> list[dict[str, Any]]:
    rows = AuditEvent.objects.filter(kind=kind).order_by("pk")
    return [row.facts for row in rows]


# Setting up


def test_policies_can_route_to_a_service_that_is_set_up():
    assert registry.find_service("openai") is None
    set_up()
    service = registry.find_service("openai")
    assert service is not None
    assert service.provider.is_available()


def test_a_secret_is_stored_encrypted_and_named_but_not_told_on_the_record():
    set_up(options={"organization": "org-ours"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM moderation_provideraccount")
        stored = cursor.fetchone()[0]
    assert SECRET not in stored
    assert ProviderAccount.objects.get().secrets == {"api_key": SECRET}
    [facts] = events("provider.set_up")
    assert facts["settings"] == ["api_key", "organization"]
    assert "org-ours" not in json.dumps(facts)
    assert SECRET not in json.dumps(facts)


def test_a_secret_is_not_in_the_repr_of_what_is_wanted():
    assert SECRET not in repr(SetUp(secrets={"api_key": SECRET}))


@pytest.mark.parametrize(
    ("wanted", "field", "said"),
    [
        ({"secrets": {}}, "settings.api_key", "needed, here or as OPENAI_API_KEY"),
        ({"options": {"colour": "red"}}, "settings.colour", "has no such setting"),
        ({"options": {"api_key": SECRET}}, "settings.api_key", "has no such setting"),
        ({"secrets": {"api_key": SECRET, "model": "x"}}, "settings.model", "has no such setting"),
        ({"options": {"model": "gpt-9"}}, "settings.model", "Choose one of: omni-moderation"),
        ({"secrets": {"api_key": "schlüssel"}}, "settings.api_key", "signs that no key has"),
        ({"timeout_seconds": 0}, "timeout_seconds", "greater than or equal to 0.05"),
        ({"timeout_seconds": 601}, "timeout_seconds", "At most 600 seconds."),
        ({"per_second": -1}, "per_second", "greater than or equal to 0.01"),
        ({"concurrency": 0}, "concurrency", "greater than or equal to 1"),
        ({"daily_budget_micros": -1}, "daily_budget_micros", "greater than or equal to 0"),
        ({"adapter": "nobody"}, "adapter", "no such kind of service"),
        ({"name": "local_text"}, "name", "One of our own judges"),
        ({"name": "Open AI"}, "name", "small letters"),
        ({"name": "<script>"}, "name", "small letters"),
        ({"name": ""}, "name", "small letters"),
        ({"name": "a" * 41}, "name", "up to 40"),
        (
            {"adapter": "google_language", "secrets": {}},
            "",
            "Google Cloud Natural Language cannot be asked like this",
        ),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    wanted: dict[str, Any], field: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    [(where, what)] = wrong(**wanted)
    assert where == field
    assert said in what


@pytest.mark.parametrize(
    "address",
    [
        "ftp://api.openai.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "api.openai.com",
        "https:///v1",
        "https://me:secret@api.openai.com",
        "https://api.openai.com/?a=b",
        "https://api.openai.com/#a",
        "https://api.openai.com:99999",
        "https://api openai.com",
        "https://аpi.openai.com",
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(address: str):
    [(field, said)] = wrong(options={"base_url": address})
    assert field == "settings.base_url"
    assert address not in said


def test_an_address_may_leave_room_for_other_settings():
    keys = {"access_key_id": "AKIA", "secret_access_key": "good-key"}
    address = "https://rekognition.{region}.amazonaws.com"
    set_up("faces", "rekognition", secrets=keys, options={"base_url": address})
    assert ProviderAccount.objects.get().options == {"base_url": address}


def test_two_services_never_have_one_name():
    set_up()
    with pytest.raises(InvalidFields, match="Another service has this name"):
        set_up(adapter="mistral")


def test_the_environments_name_stays_with_its_service(settings: Settings):
    settings.MODERATION = {**settings.MODERATION, "providers": frozenset({"openai"})}
    assert "GATEHOUSE_PROVIDERS gives this name" in wrong(adapter="mistral")[0][1]
    set_up()


def test_a_key_from_the_environment_is_enough_and_is_not_stored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    account = set_up(secrets={})
    assert account.secrets == {}
    service = registry.find_service("openai")
    assert service is not None
    assert service.provider.is_available()


def test_a_disabled_service_may_wait_for_what_it_needs():
    account = set_up(adapter="google_language", secrets={}, enabled=False)
    assert not account.enabled
    assert registry.find_service("openai") is None


@pytest.mark.parametrize("adapter", adapter_names())
def test_every_adapter_can_be_set_up_from_its_own_facts(adapter: str):
    facts = get_adapter(adapter).facts
    account = set_up(
        "it",
        adapter,
        secrets={one.name: "abc" for one in facts.settings if one.is_secret},
        options={
            one.name: one.default or "1"
            for one in facts.settings
            if one.required and not one.is_secret and not one.name.endswith("base_url")
        }
        | {
            one.name: "https://example.org"
            for one in facts.settings
            if one.required and one.name.endswith("base_url")
        },
        # What needs a library that is not installed may still be prepared.
        enabled=adapter != "model_server",
    )
    assert registry.make_service(account).provider.name == "it"


# Changing


def test_what_is_not_said_of_a_secret_stays_and_an_empty_one_is_forgotten():
    keys = {"access_key_id": "AKIA", "secret_access_key": "one", "session_token": "two"}
    set_up("faces", "rekognition", secrets=keys)
    changes = {"secret_access_key": "three", "session_token": ""}
    services.change_service(name="faces", wanted=SetUp(secrets=changes), user=None)
    stored = ProviderAccount.objects.get().secrets
    assert stored == {"access_key_id": "AKIA", "secret_access_key": "three"}
    [facts] = events("provider.changed")
    assert facts["settings"] == ["secret_access_key", "session_token"]


def test_a_change_is_what_the_next_question_meets():
    set_up()
    wanted = SetUp(options={"model": "text-moderation-stable"}, per_second=2.5)
    services.change_service(name="openai", wanted=wanted, user=None)
    service = registry.find_service("openai")
    assert service is not None
    assert service.provider.model_version == "text-moderation-stable"
    assert service.terms.per_second == 2.5


def test_a_change_that_changes_nothing_is_not_recorded_and_keeps_answers_known():
    before = set_up().updated_at
    services.change_service(name="openai", wanted=SetUp(), user=None)
    assert events("provider.changed") == []
    assert ProviderAccount.objects.get().updated_at == before


def test_a_change_that_is_wrong_changes_nothing():
    set_up()
    with pytest.raises(InvalidFields):
        services.change_service(name="openai", wanted=SetUp(options={"model": "x"}), user=None)
    assert ProviderAccount.objects.get().options == {}


def test_a_change_lets_an_open_breaker_try_again_but_not_one_that_is_held(root: User):
    set_up()
    breaker = services.breakers.breaker_of_name("openai")
    breaker.shut("provider_auth_failed")
    services.change_service(name="openai", wanted=SetUp(timeout_seconds=3), user=None)
    assert breaker.state().state is BreakerState.HALF_OPEN
    services.hold_breaker(name="openai", state=BreakerState.OPEN, user=root)
    services.change_service(name="openai", wanted=SetUp(timeout_seconds=4), user=None)
    assert breaker.state().held is BreakerState.OPEN


def test_only_what_was_set_up_here_can_be_changed(settings: Settings):
    settings.MODERATION = {**settings.MODERATION, "providers": frozenset({"openai"})}
    with pytest.raises(NotFound):
        services.change_service(name="openai", wanted=SetUp(), user=None)


# Removing


def test_a_service_goes_with_what_waits_for_it(root: User):
    set_up()
    Reevaluation.objects.create(post=PostFactory(), revision=1, provider="openai")
    services.hold_breaker(name="openai", state=BreakerState.OPEN, user=root)
    services.remove_service(name="openai", user=root)
    assert not ProviderAccount.objects.exists()
    assert not Reevaluation.objects.exists()
    assert registry.find_service("openai") is None
    assert services.breaker_states(["openai"])["openai"].held is None
    assert [facts["provider"] for facts in events("provider.removed")] == ["openai"]


def test_a_service_that_policies_route_to_stays_and_the_communities_are_named():
    set_up()
    routing_to("openai", name="Garden")
    routing_to("openai", name="Kitchen")
    with pytest.raises(Conflict, match="Garden, Kitchen"):
        services.remove_service(name="openai", user=None)
    assert ProviderAccount.objects.exists()
    assert events("provider.removed") == []


def test_a_service_on_trial_stays_until_the_trial_ends():
    set_up()
    community: Community = CommunityFactory(name="Garden")
    document = {**DEFAULT_DOCUMENT, "route": {"text": ["openai"]}}
    candidate = PolicyRevision.objects.create(community=community, number=2, document=document)
    trial = Experiment.objects.create(community=community, name="x", share=1, candidate=candidate)
    with pytest.raises(Conflict, match="Garden"):
        services.remove_service(name="openai", user=None)
    Experiment.objects.filter(pk=trial.pk).update(ended_at=timezone.now())
    services.remove_service(name="openai", user=None)


def test_what_the_environment_keeps_answering_may_be_removed_here(settings: Settings):
    settings.MODERATION = {**settings.MODERATION, "providers": frozenset({"openai"})}
    set_up()
    routing_to("openai")
    services.remove_service(name="openai", user=None)
    assert registry.find_service("openai") is not None


def test_a_name_can_be_used_again_and_its_record_goes_on():
    set_up()
    services.remove_service(name="openai", user=None)
    set_up()
    rows = AuditEvent.objects.filter(subject_kind="provider", subject_id="openai")
    assert list(rows.order_by("sequence").values_list("kind", flat=True)) == [
        "provider.set_up",
        "provider.removed",
        "provider.set_up",
    ]


# Policies


def test_a_policy_that_routes_to_nobody_is_refused_with_whom_it_may_choose():
    set_up()
    community: Community = CommunityFactory()
    document = {**DEFAULT_DOCUMENT, "route": {"text": ["open_ai"]}}
    with pytest.raises(InvalidPolicy) as refused:
        communities.revise_policy(community=community, document=document, user=None)
    said = str(refused.value)
    assert said.startswith("route: There is no provider 'open_ai'; set it up first")
    assert "local_text" in said
    assert "openai" in said


@pytest.mark.parametrize("enabled", [True, False])
def test_a_policy_may_route_to_whoever_is_set_up_disabled_or_not(enabled: bool):
    set_up(enabled=enabled)
    stage = {"ask": [{"provider": "openai", "otherwise": ["local_text"]}]}
    document = {**DEFAULT_DOCUMENT, "route": {"text": [stage]}}
    made = communities.revise_policy(community=CommunityFactory(), document=document, user=None)
    assert made.number == 2


def test_those_who_stand_in_must_exist_too():
    stage = {"ask": [{"provider": "local_text", "otherwise": ["nobody"]}]}
    document = {**DEFAULT_DOCUMENT, "route": {"text": [stage]}}
    with pytest.raises(InvalidPolicy, match="'nobody'"):
        communities.revise_policy(community=CommunityFactory(), document=document, user=None)


# Trying


def test_a_try_shows_what_a_service_makes_of_something_harmless(sandbox: Sandbox, root: User):
    set_up(options=at(sandbox))
    trial = services.try_service(name="openai", user=root)
    assert (trial.asked, trial.outcome, trial.error) == ("text", "judged", "")
    assert trial.worked
    assert trial.model_version == "omni-moderation-latest"
    assert max(trial.scores.values()) < 0.02
    assert trial.latency_ms > 0
    [seen] = sandbox.requests("openai")
    assert seen.status == 200


@pytest.mark.parametrize(
    ("key", "fault", "error"),
    [
        ("bad-key", None, "provider_auth_failed"),
        ("spent-key", None, "provider_quota_exhausted"),
        (SECRET, "429", "provider_rate_limited"),
        (SECRET, "503", "provider_unavailable"),
        (SECRET, "gone", "provider_gone"),
        (SECRET, "html", "provider_malformed"),
        (SECRET, "wrong_schema", "provider_malformed"),
    ],
)
def test_a_try_says_what_went_wrong_once(key: str, fault: str | None, error: str, sandbox: Sandbox):
    set_up(options=at(sandbox), secrets={"api_key": key})
    if fault:
        sandbox.fail("openai", fault)
    trial = services.try_service(name="openai", user=None)
    assert (trial.outcome, trial.error, trial.reason) == ("failed", error, "")
    assert not trial.worked
    # Both kinds that it judges are tried only where the first was refused.
    assert len(sandbox.requests("openai")) == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://10.0.0.1", "address"),
        ("http://nobody.invalid", "address"),
        ("https://example.org:8443", "port"),
    ],
)
def test_a_try_says_why_a_service_was_not_reached(address: str, reason: str):
    set_up(options={"base_url": address}, timeout_seconds=2)
    trial = services.try_service(name="openai", user=None)
    assert (trial.error, trial.reason) == ("provider_unavailable", reason)


def test_a_try_ends_in_time(sandbox: Sandbox):
    set_up(options=at(sandbox), timeout_seconds=0.2)
    sandbox.fail("openai", "slow", delay_seconds=0.6)
    trial = services.try_service(name="openai", user=None)
    assert trial.reason == "timeout"
    assert trial.latency_ms < 500


def test_a_try_where_nobody_listens(settings: Settings):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    settings.MODERATION = {**settings.MODERATION, "provider_allowed_hosts": frozenset({place})}
    set_up(options={"base_url": f"http://{place}"})
    assert services.try_service(name="openai", user=None).reason == "connection"


def test_a_service_without_its_key_is_not_asked(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    set_up(adapter="google_language", options=at(sandbox), secrets={}, enabled=False)
    trial = services.try_service(name="openai", user=None)
    assert (trial.asked, trial.error) == ("", "not_set_up")
    assert sandbox.requests() == []
    assert not ProviderCall.objects.exists()


@pytest.mark.parametrize(
    ("adapter", "asked", "given"),
    [
        ("rekognition", "image", {"access_key_id": "AKIA", "secret_access_key": "good-key"}),
        ("google_vision_text", "image", {"api_key": "x"}),
        ("transcription", "audio", {"key": "x"}),
        ("mistral", "text", {"api_key": "x"}),
        ("google_video", "job", {"api_key": "x"}),
        ("rekognition_video", "job", {"access_key_id": "AKIA", "secret_access_key": "good-key"}),
    ],
)
def test_each_kind_of_service_is_asked_what_it_judges(
    adapter: str, asked: str, given: dict[str, str], sandbox: Sandbox
):
    options = at(sandbox, adapter)
    if adapter == "rekognition_video":
        options |= {"bucket": "ours", "base_url": f"{sandbox.base_url}/rekognition"}
    if adapter == "transcription":
        options["base_url"] += "/v1"
    if adapter == "google_vision_text":
        options["base_url"] = f"{sandbox.base_url}/google_vision"
    set_up(adapter=adapter, options=options, secrets=given)
    trial = services.try_service(name="openai", user=None)
    assert (trial.asked, trial.error) == (asked, "")
    assert trial.has_answered


@pytest.mark.parametrize("adapter", ["google_video", "rekognition_video"])
def test_a_question_after_an_unknown_job_finds_out_that_a_key_is_wrong(
    adapter: str, sandbox: Sandbox
):
    prefix = adapter.removesuffix("_video") if adapter == "rekognition_video" else adapter
    options = {**at(sandbox, prefix), **({"bucket": "ours"} if prefix == "rekognition" else {})}
    sandbox.fail(prefix, "403")
    keys = {"api_key": "x"} if prefix == "google_video" else {}
    keys = keys or {"access_key_id": "AKIA", "secret_access_key": "good-key"}
    set_up(adapter=adapter, options=options, secrets=keys)
    assert services.try_service(name="openai", user=None).error == "provider_auth_failed"


def test_a_try_is_recorded_without_secrets_and_costs_what_a_call_costs(
    sandbox: Sandbox, root: User, caplog: pytest.LogCaptureFixture
):
    set_up(options=at(sandbox), cost_micros=250)
    with caplog.at_level(logging.DEBUG):
        services.try_service(name="openai", user=root)
    [facts] = events("provider.tried")
    assert facts["outcome"] == "judged"
    assert SECRET not in json.dumps(facts)
    assert SECRET not in caplog.text
    assert SECRET not in str(list(LogEntry.objects.values()))
    call = ProviderCall.objects.get()
    assert (call.provider, call.parts, call.cost_micros) == ("openai", 1, 250)


def test_a_try_that_failed_is_a_failed_call(sandbox: Sandbox):
    set_up(options=at(sandbox), secrets={"api_key": "bad-key"}, cost_micros=250)
    services.try_service(name="openai", user=None)
    call = ProviderCall.objects.get()
    assert (call.outcome, call.error, call.cost_micros) == ("failed", "provider_auth_failed", 0)


def test_what_a_service_quotes_of_its_key_is_masked(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    def quote(*_: object) -> None:
        raise ProviderAuthFailed(f"The key {SECRET} is none.")

    monkeypatch.setattr(get_adapter("openai"), "judge", quote)
    set_up(options=at(sandbox))
    assert services.try_service(name="openai", user=None).said == "The key … is none."


def test_an_adapter_that_crashes_is_told_of_and_nothing_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def crash(*_: object) -> None:
        raise KeyError("results")

    monkeypatch.setattr(get_adapter("openai"), "judge", crash)
    set_up()
    trial = services.try_service(name="openai", user=None)
    assert (trial.error, trial.said) == ("crashed", "KeyError")
    assert "provider_crashed" in caplog.text


def test_the_last_try_is_remembered(sandbox: Sandbox):
    assert services.last_trial("openai") is None
    set_up(options=at(sandbox))
    tried = services.try_service(name="openai", user=None)
    last = services.last_trial("openai")
    assert last is not None
    assert last.at is not None
    assert (last.outcome, last.scores) == (tried.outcome, tried.scores)


def test_a_try_goes_past_an_open_breaker_and_leaves_it(sandbox: Sandbox, root: User):
    set_up(options=at(sandbox))
    services.hold_breaker(name="openai", state=BreakerState.OPEN, user=root)
    assert services.try_service(name="openai", user=root).worked
    assert breaker_state("openai") is BreakerState.OPEN


# Breakers


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.CLOSED])
def test_a_breaker_is_held_until_it_is_released(state: BreakerState, root: User):
    set_up()
    services.hold_breaker(name="openai", state=state, user=root)
    held = services.breaker_states(["openai"])["openai"]
    assert (held.state, held.held, held.held_by) == (state, state, "root")
    services.release_breaker(name="openai", user=root)
    assert services.breaker_states(["openai"])["openai"].held is None
    assert [facts["state"] for facts in events("breaker.held")] == [state]
    assert len(events("breaker.released")) == 1


# What it came to


@pytest.fixture
def _calls() -> Iterator[None]:
    for number in range(1, 101):
        ProviderCall.objects.create(
            provider="openai", parts=1, outcome=Outcome.JUDGED, latency_ms=number
        )
    for _ in range(3):
        ProviderCall.objects.create(
            provider="openai", parts=1, outcome=Outcome.FAILED, error="late", latency_ms=9_999
        )
    ProviderCall.objects.create(
        provider="mistral", parts=1, outcome=Outcome.FAILED, error="other", latency_ms=1
    )


@pytest.mark.usefixtures("_calls")
def test_percentiles_are_of_calls_that_succeeded_within_a_day():
    old = ProviderCall.objects.create(
        provider="openai", parts=1, outcome=Outcome.FAILED, error="old", latency_ms=1
    )
    day_ago = timezone.now() - timedelta(hours=25)
    ProviderCall.objects.filter(pk=old.pk).update(started_at=day_ago)
    recent = queries.recent_calls("openai")
    assert (recent.calls, recent.is_cut) == (103, False)
    assert (recent.p50_ms, recent.p95_ms) == (50, 95)
    assert recent.errors == [("late", 3)]


@pytest.mark.usefixtures("_calls")
def test_only_so_many_calls_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("moderation.queries.providers.MOST_CALLS", 50)
    recent = queries.recent_calls("openai")
    assert (recent.calls, recent.is_cut) == (50, True)


def test_of_a_service_that_nobody_asked_there_are_no_percentiles():
    recent = queries.recent_calls("openai")
    assert (recent.calls, recent.p50_ms, recent.p95_ms) == (0, None, None)


def test_days_without_a_row_are_zero_and_shares_are_of_what_was_wanted():
    today = queries.database_now().date()
    ProviderDay.objects.create(
        provider="openai", day=today, calls=4, parts=6, cached=2, latency_ms=100, failures=1
    )
    ProviderDay.objects.create(provider="openai", day=today - timedelta(days=20), calls=9)
    days = queries.provider_days(["openai", "mistral"])
    assert len(days["openai"]) == len(days["mistral"]) == 14
    assert (days["openai"][0].mean_ms, days["openai"][0].cached_share) == (25, 0.25)
    assert sum(day.calls for day in days["openai"]) == 4
    assert days["mistral"][0].cached_share is None


def test_what_waits_is_counted_by_service():
    post = PostFactory()
    Reevaluation.objects.create(post=post, revision=1, provider="openai")
    assert queries.backlogs() == {"openai": queries.Backlog(jobs=0, reevaluations=1)}
