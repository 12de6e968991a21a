"""Services in the back office: who may see and change them, what is shown, and what never is."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from moderation import queries, services
from moderation.admin.providers import words
from moderation.admin.providers.documents import read_document
from moderation.admin.providers.form import AccountForm
from moderation.coordination.breaker import BreakerState
from moderation.models import AuditEvent, Community, PolicyRevision, ProviderAccount, ProviderDay
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.providers import registry
from moderation.providers.catalogue import adapter_names, get_adapter
from moderation.roles import OPERATOR, ensure_roles
from moderation.sandbox.server import Sandbox, running_sandbox
from moderation.services import SetUp, Trial
from tests.admin.conftest import ClientFor
from tests.admin.payloads import PAYLOADS
from tests.admin.test_hostile_text import Reader
from tests.factories import CommunityFactory, UserFactory

LIST = "admin:moderation_providers"
SECRET = "sk-very-secret-0123456789"
TERMS = {
    "timeout_seconds": "",
    "per_second": "",
    "concurrency": "",
    "cost": "",
    "daily_budget": "",
    "cache_seconds": "86400",
}


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(_running_sandbox: Sandbox, settings: Settings) -> Iterator[Sandbox]:
    _running_sandbox.reset()
    settings.MODERATION = {
        **settings.MODERATION,
        "provider_allowed_hosts": frozenset({_running_sandbox.address}),
    }
    yield _running_sandbox
    assert _running_sandbox.errors == []


@pytest.fixture(autouse=True)
def _no_services_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    registry.forget_services()
    yield
    registry.forget_services()


@pytest.fixture
def olga(db: None) -> User:
    """Return an operator, who moderates nowhere."""
    user: User = UserFactory(username="olga", is_staff=True)
    user.groups.add(ensure_roles()[OPERATOR])
    return user


def set_up(**wanted: Any) -> ProviderAccount:
    wanted.setdefault("secrets", {"api_key": SECRET})
    return services.set_up_service(
        name="openai", adapter="openai", wanted=SetUp(**wanted), user=None
    )


def at(step: str = "", name: str = "openai") -> str:
    return reverse(f"admin:moderation_provider{step}", args=[name])


def filled_in(**fields: str) -> dict[str, str]:
    return {
        **TERMS,
        "name": "openai",
        "enabled": "on",
        "setting_api_key": SECRET,
        **fields,
    }


def read(answer: Any) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def routes_to_it(community: Community) -> None:
    document = {**DEFAULT_DOCUMENT, "route": {"text": ["openai"]}}
    community.policy = PolicyRevision.objects.create(
        community=community, number=7, document=document
    )
    community.save()


# Who may


PAGES = {
    "list": "/admin/providers/",
    "about": "/admin/providers/about/openai/",
    "service": "/admin/providers/service/openai/",
    "set_up": "/admin/providers/set-up/mistral/",
    "change": "/admin/providers/service/openai/change/",
    "remove": "/admin/providers/service/openai/remove/",
}
LOOKS = {"list", "about", "service"}


@pytest.mark.parametrize(
    ("who", "opened"),
    [("ada", set()), ("rea", set()), ("lea", LOOKS), ("olga", set(PAGES)), ("root", set(PAGES))],
)
def test_leads_look_at_services_and_operators_open_every_page(
    who: str, opened: set[str], request: pytest.FixtureRequest, as_user: ClientFor
) -> None:
    client = as_user(request.getfixturevalue(who))
    set_up()
    statuses = {page: client.get(address).status_code for page, address in PAGES.items()}
    assert statuses == {page: 200 if page in opened else 403 for page in PAGES}


ACTS = ("_try", "_hold_open", "_hold_closed", "_release", "_remove", "_change")


@pytest.mark.parametrize("who", ["ada", "rea", "lea"])
def test_nobody_else_changes_anything(
    who: str, request: pytest.FixtureRequest, as_user: ClientFor
) -> None:
    client = as_user(request.getfixturevalue(who))
    set_up()
    before = AuditEvent.objects.count()
    statuses = {act: client.post(at(act), filled_in()).status_code for act in ACTS}
    statuses["_set_up"] = client.post(at("_set_up", "mistral"), filled_in()).status_code
    assert set(statuses.values()) == {403}
    assert AuditEvent.objects.count() == before
    assert ProviderAccount.objects.count() == 1


def test_nothing_is_done_by_a_link(root: User, as_user: ClientFor) -> None:
    client = as_user(root)
    set_up()
    acts = ("_try", "_hold_open", "_hold_closed", "_release")
    assert {client.get(at(act)).status_code for act in acts} == {405}


def test_a_strangers_page_cannot_send_the_forms(root: User) -> None:
    set_up()
    client = Client(enforce_csrf_checks=True)
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert {client.post(at(act)).status_code for act in ACTS} == {403}


def test_the_menu_shows_the_page_to_those_who_may_open_it(
    ada: User, lea: User, as_user: ClientFor
) -> None:
    queue = reverse("admin:moderation_review_changelist")
    assert PAGES["list"] not in read(as_user(ada).get(queue))
    assert PAGES["list"] in read(as_user(lea).get(queue))


def test_a_lead_is_offered_nothing_to_press(lea: User, as_user: ClientFor) -> None:
    set_up()
    client = as_user(lea)
    for address in (PAGES["list"], PAGES["service"]):
        page = read(client.get(address))
        for label in ("Test connection", "Hold open", "Set up<", ">Change<", ">Remove<"):
            assert label not in page


def test_a_lead_reads_only_the_names_of_their_own_communities(
    lea: User, garden: Community, as_user: ClientFor, root: User
) -> None:
    set_up()
    routes_to_it(garden)
    routes_to_it(CommunityFactory(name="Secret Garden"))
    page = read(as_user(lea).get(at()))
    assert "<bdi>Garden</bdi>" in page
    assert "1 community of others" in page
    assert "Secret Garden" not in page
    assert "Secret Garden" in read(as_user(root).get(at()))


# The list


def test_the_list_offers_every_adapter_and_names_our_own_judges(
    root: User, as_user: ClientFor
) -> None:
    page = read(as_user(root).get(reverse(LIST)))
    for name in adapter_names():
        assert at("_set_up", name) in page
    for name in ("local_text", "local_image", "hash_bank", "reposts"):
        assert f"<code>{name}</code>" in page
    assert "The service ends on 31 December 2026" in page


def test_the_list_says_how_each_service_is_doing(
    root: User, as_user: ClientFor, settings: Settings
) -> None:
    settings.MODERATION = {**settings.MODERATION, "providers": frozenset({"mistral"})}
    set_up(daily_budget_micros=2_000_000, cost_micros=1)
    day = queries.database_now().date()
    ProviderDay.objects.create(provider="openai", day=day, calls=7, cost_micros=2_500_000)
    page = read(as_user(root).get(reverse(LIST)))
    assert "Its budget for today is spent" in page
    assert "2.50 USD" in page
    assert "of 2.00 USD" in page
    # The one of the environment has no key.
    assert "Something is missing" in page


def test_the_list_takes_as_many_queries_whatever_is_set_up(
    root: User, as_user: ClientFor, django_assert_max_num_queries: Any
) -> None:
    client = as_user(root)
    for number in range(10):
        services.set_up_service(
            name=f"openai{number}",
            adapter="openai",
            wanted=SetUp(secrets={"api_key": SECRET}),
            user=None,
        )
    client.get(reverse(LIST))
    with django_assert_max_num_queries(20):
        client.get(reverse(LIST))


@pytest.mark.parametrize("adapter", adapter_names())
def test_every_adapter_has_a_form_that_opens(adapter: str, root: User, as_user: ClientFor) -> None:
    page = read(as_user(root).get(at("_set_up", adapter)))
    for setting in get_adapter(adapter).facts.settings:
        assert f'name="setting_{setting.name}"' in page
        assert setting.env in page


@pytest.mark.parametrize("step", ["_set_up", "_about"])
def test_what_is_no_adapter_has_no_page(step: str, root: User, as_user: ClientFor) -> None:
    assert as_user(root).get(at(step, "nobody")).status_code == 404


# Setting up and changing


def test_a_service_is_set_up_with_a_form_alone(olga: User, as_user: ClientFor) -> None:
    answer = as_user(olga).post(
        at("_set_up"),
        filled_in(
            name="first-choice",
            setting_model="text-moderation-stable",
            setting_organization=" org-1 ",
            timeout_seconds="2.5",
            cost="0.00038",
            daily_budget="12.5",
            cache_seconds="60",
        ),
    )
    made = ProviderAccount.objects.get()
    assert answer["Location"] == at(name="first-choice")
    assert (made.name, made.adapter, made.enabled) == ("first-choice", "openai", True)
    assert made.options == {"model": "text-moderation-stable", "organization": "org-1"}
    assert made.secrets == {"api_key": SECRET}
    assert (made.timeout_seconds, made.per_second, made.concurrency) == (2.5, None, None)
    assert (made.cost_micros, made.daily_budget_micros, made.cache_seconds) == (380, 12_500_000, 60)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"setting_api_key": ""}, "This is needed, here or as OPENAI_API_KEY."),
        ({"setting_base_url": "ftp://x"}, "begins with https:// or http://"),
        ({"name": "local_text"}, "One of our own judges has this name."),
        ({"name": "A b"}, "small letters, digits"),
        ({"timeout_seconds": "0"}, "greater than or equal to 0.05"),
        ({"cost": "-1"}, "greater than or equal to 0"),
        ({"cost": "0.0000001"}, "no more than 6 decimal places"),
        ({"cache_seconds": ""}, "This field is required."),
        ({"setting_model": "other"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_secrets_are_not_sent_back(
    fields: dict[str, str], said: str, root: User, as_user: ClientFor
) -> None:
    page = read(as_user(root).post(at("_set_up"), filled_in(**fields)))
    assert said in page
    assert "Nothing was saved" in page
    assert SECRET not in page
    assert not ProviderAccount.objects.exists()


def test_a_name_that_is_taken_is_not_suggested_and_refused(root: User, as_user: ClientFor) -> None:
    set_up()
    client = as_user(root)
    assert 'name="name" maxlength="40" class' in read(client.get(at("_set_up"))).replace(
        " required", ""
    )
    assert "Another service has this name." in read(client.post(at("_set_up"), filled_in()))


def test_stored_secrets_stay_when_their_field_is_left_empty(root: User, as_user: ClientFor) -> None:
    set_up(options={"organization": "org-1"})
    as_user(root).post(at("_change"), filled_in(setting_api_key="", concurrency="3"))
    made = ProviderAccount.objects.get()
    assert made.secrets == {"api_key": SECRET}
    assert (made.options, made.concurrency) == ({}, 3)


def test_a_stored_secret_is_replaced_or_forgotten(root: User, as_user: ClientFor) -> None:
    set_up()
    client = as_user(root)
    client.post(at("_change"), filled_in(setting_api_key="another"))
    assert ProviderAccount.objects.get().secrets == {"api_key": "another"}
    forgotten = filled_in(setting_api_key="", clear_api_key="on")
    assert "This is needed" in read(client.post(at("_change"), forgotten))
    del forgotten["enabled"]
    assert "This is needed" in read(client.post(at("_change"), forgotten))
    assert ProviderAccount.objects.get().secrets == {"api_key": "another"}


def test_a_secret_of_the_environment_is_told_of_and_lets_the_stored_one_go(
    root: User, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    client = as_user(root)
    client.post(at("_change"), filled_in(setting_api_key="", clear_api_key="on"))
    assert ProviderAccount.objects.get().secrets == {}
    page = read(client.get(at("_change")))
    assert "From the environment (OPENAI_API_KEY)" in page
    assert "sk-of-the-environment" not in page


def test_an_address_of_the_environment_is_not_shown_either(
    root: User, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CONTENT_SAFETY_ENDPOINT", "https://private.example.org")
    monkeypatch.setenv("AZURE_CONTENT_SAFETY_KEY", "sk-of-the-environment")
    client = as_user(root)
    fields = filled_in(name="azure")
    del fields["setting_api_key"]
    client.post(at("_set_up", "azure"), fields)
    assert ProviderAccount.objects.get().options == {}
    for address in (at(name="azure"), at("_change", "azure")):
        page = read(client.get(address))
        assert "private.example.org" not in page
        assert "sk-of-the-environment" not in page


def test_what_is_as_usual_is_not_stored(root: User, as_user: ClientFor) -> None:
    usual = "https://api.openai.com"
    as_user(root).post(at("_set_up"), filled_in(setting_base_url=usual, setting_model=""))
    assert ProviderAccount.objects.get().options == {}


def test_guidelines_may_have_several_lines(root: User, as_user: ClientFor) -> None:
    fields = filled_in(
        name="judge", setting_key="x", setting_model="m", setting_policy_text="One.\r\nTwo."
    )
    as_user(root).post(at("_set_up", "llm_judge"), fields)
    assert ProviderAccount.objects.get().options["policy_text"] == "One.\r\nTwo."


def test_a_budget_without_a_price_is_warned_of(root: User, as_user: ClientFor) -> None:
    page = read(as_user(root).post(at("_set_up"), filled_in(daily_budget="1"), follow=True))
    assert "The budget counts nothing until you say what one part costs." in page


def test_a_service_in_use_is_disabled_with_a_warning_and_not_removed(
    root: User, garden: Community, as_user: ClientFor
) -> None:
    set_up()
    routes_to_it(garden)
    client = as_user(root)
    page = read(client.post(at("_remove"), follow=True))
    assert "Policies route to it in Garden." in page
    fields = filled_in()
    del fields["enabled"]
    page = read(client.post(at("_change"), fields, follow=True))
    assert "It is disabled, and the policy of a community still routes to it" in page
    assert not ProviderAccount.objects.get().enabled


def test_a_service_is_removed_once_that_is_confirmed(root: User, as_user: ClientFor) -> None:
    set_up()
    client = as_user(root)
    assert "its keys are forgotten" in read(client.get(at("_remove")))
    page = read(client.post(at("_remove"), follow=True))
    assert "openai is removed, its keys with it." in page
    assert not ProviderAccount.objects.exists()


def test_the_environments_service_has_a_page_and_is_not_changed_here(
    root: User, as_user: ClientFor, settings: Settings
) -> None:
    settings.MODERATION = {**settings.MODERATION, "providers": frozenset({"openai"})}
    client = as_user(root)
    page = read(client.get(at()))
    assert "by GATEHOUSE_PROVIDERS" in page
    assert "Set it up here instead" in page
    assert client.get(at("_change")).status_code == 404
    assert client.get(at("_remove")).status_code == 404


def test_a_policy_that_routes_to_nobody_is_refused_beside_its_document(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    document = {**DEFAULT_DOCUMENT, "route": {"text": ["<b>nobody</b>"]}}
    asked = {"community": garden.pk, "document": json.dumps(document), "note": ""}
    page = read(as_user(lea).post(reverse("admin:moderation_policyrevision_add"), asked))
    assert "There is no provider &#x27;&lt;b&gt;nobody&lt;/b&gt;&#x27;; set it up first" in page
    assert PolicyRevision.objects.count() == 1


# Trying


def test_a_try_from_the_form_to_the_scores(
    root: User, as_user: ClientFor, sandbox: Sandbox
) -> None:
    address = f"{sandbox.base_url}/openai"
    fields = filled_in(setting_base_url=address, and_try="yes")
    page = read(as_user(root).post(at("_set_up"), fields, follow=True))
    assert "It works: it judged a harmless text within" in page
    assert "omni-moderation-latest" in page
    assert "Its scores (10)" in page


@pytest.mark.parametrize(
    ("key", "fault", "said", "then"),
    [
        ("bad-key", None, "It refuses the key (Refused with 401).", "OPENAI_API_KEY"),
        ("spent-key", None, "What was paid for is used up", "Pay in at the service"),
        ("k", "429", "It asks us to wait.", "The key works."),
        ("k", "500", "It is in trouble (Failed with 500).", "Nothing here is wrong."),
        ("k", "404", "There is no such model for this key", "Is the key whole"),
        ("k", "html", "It answered something that means nothing", "Is the address right?"),
        ("k", "missing_category", "It works", ""),
    ],
)
def test_what_went_wrong_is_said_in_plain_words_with_what_to_do(
    key: str,
    fault: str | None,
    said: str,
    then: str,
    root: User,
    as_user: ClientFor,
    sandbox: Sandbox,
) -> None:
    set_up(options={"base_url": f"{sandbox.base_url}/openai"}, secrets={"api_key": key})
    if fault:
        sandbox.fail("openai", fault, **({"category": "hate"} if "category" in fault else {}))
    page = read(as_user(root).post(at("_try"), follow=True))
    assert said in page
    assert then in page


def test_a_private_address_is_explained_with_the_setting_that_allows_it(
    root: User, as_user: ClientFor
) -> None:
    set_up(options={"base_url": "http://127.0.0.1/v1"})
    page = read(as_user(root).post(at("_try"), follow=True))
    assert "its address is a private one" in page
    assert "GATEHOUSE_PROVIDER_ALLOWED_HOSTS=127.0.0.1:80" in page


def test_another_port_is_explained_with_the_setting_that_allows_it(
    root: User, as_user: ClientFor
) -> None:
    set_up(options={"base_url": "https://example.org:8443/v1"})
    page = read(as_user(root).post(at("_try"), follow=True))
    assert "GATEHOUSE_PROVIDER_ALLOWED_HOSTS=example.org:8443" in page


@pytest.mark.parametrize(
    ("trial", "level", "said"),
    [
        (Trial(error="not_set_up"), "bad", "a key, or something else that it needs"),
        (Trial(), "warn", "nothing harmless that it could be asked"),
        (Trial(asked="job", outcome="not_judged"), "good", "asked after a job that does not"),
        (Trial(asked="job", error="provider_auth_failed"), "bad", "It refuses the key."),
        (Trial(asked="image", outcome="pending"), "good", "it will answer later about a small"),
        (Trial(asked="image", outcome="not_judged", text="hi"), "good", "it read a small picture"),
        (Trial(asked="audio", outcome="judged"), "good", "it judged a short tone"),
        (Trial(asked="text", outcome="not_judged", error="language"), "warn", "a harmless text: l"),
        (Trial(asked="text", outcome="failed", error="unsound_scores"), "bad", "scores are none"),
        (Trial(asked="text", outcome="failed", error="crashed"), "bad", "Our own code failed"),
        (Trial(asked="text", outcome="failed", error="new_one"), "bad", "It failed."),
        (Trial(asked="text", outcome="failed", error="x", reason="timeout"), "bad", "in time"),
        (Trial(asked="text", outcome="failed", error="x", reason="url"), "bad", "address is none"),
        (Trial(asked="text", outcome="failed", error="x", reason="size"), "bad", "read (size)"),
    ],
)
def test_every_outcome_has_its_words(trial: Trial, level: str, said: str) -> None:
    told = words.tell(trial, environment=["KEY"], address="")
    assert told.level == level
    assert said in told.what


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://example.org/v1", "example.org:443"),
        ("http://10.0.0.1:9911/openai", "10.0.0.1:9911"),
        ("http://[::1]:80", "[::1]:80"),
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("", ""),
    ],
)
def test_an_address_is_named_as_the_setting_wants_it(address: str, place: str) -> None:
    assert words.host_and_port(address) == place


# Its breaker


def test_a_breaker_is_held_and_released_by_buttons(root: User, as_user: ClientFor) -> None:
    set_up()
    client = as_user(root)
    page = read(client.post(at("_hold_open"), follow=True))
    assert "Open: no calls go through, held by <bdi>root</bdi>" in page
    assert services.breaker_states(["openai"])["openai"].held is BreakerState.OPEN
    page = read(client.post(at("_hold_closed"), follow=True))
    assert "Its breaker is held closed by root." in page
    page = read(client.post(at("_release"), follow=True))
    assert "Closed: calls go through" in page
    assert "held" not in services.breaker_states(["openai"])["openai"].held_by
    kinds = AuditEvent.objects.filter(subject_id="openai").order_by("sequence")
    assert list(kinds.values_list("kind", "actor_id"))[1:] == [
        ("breaker.held", str(root.pk)),
        ("breaker.held", str(root.pk)),
        ("breaker.released", str(root.pk)),
    ]


def test_a_breaker_that_opened_by_itself_says_why(root: User, as_user: ClientFor) -> None:
    set_up()
    services.breakers.breaker_of_name("openai").shut("provider_auth_failed")
    page = read(as_user(root).get(at()))
    assert "Open: no calls go through" in page
    assert "key refused" in page
    assert "Try again now" in page


# What never is shown, and what is shown as text only


def test_a_secret_is_on_no_page_in_no_log_and_on_no_record(
    root: User, as_user: ClientFor, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    client = as_user(root)
    with caplog.at_level(logging.DEBUG):
        fields = filled_in(setting_base_url=f"{sandbox.base_url}/openai", and_try="yes")
        pages = [read(client.post(at("_set_up"), fields, follow=True))]
        sandbox.fail("openai", "unauthorized")
        pages.append(read(client.post(at("_try"), follow=True)))
        pages += [read(client.get(address)) for address in PAGES.values()]
        pages.append(read(client.get(reverse("admin:moderation_auditevent_changelist"))))
    assert not [page for page in pages if SECRET in page]
    assert SECRET not in caplog.text
    assert SECRET not in str(list(AuditEvent.objects.values()))
    assert SECRET not in str(list(LogEntry.objects.values()))


def test_form_errors_and_reprs_do_not_hold_secrets() -> None:
    account = ProviderAccount(name="openai", adapter="openai", secrets={"api_key": SECRET})
    form = AccountForm(None, facts=get_adapter("openai").facts, account=account)
    assert SECRET not in form.as_p()
    assert SECRET not in repr(account)


# The pages of one kind; every payload meets every kind of field in test_hostile_text.
@pytest.mark.parametrize("payload", [text for text in PAYLOADS if text.isprintable()][::4])
def test_what_anyone_wrote_is_text(
    payload: str, root: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(options={"organization": payload})
    garden.name = payload
    garden.save()
    routes_to_it(garden)
    User.objects.filter(pk=root.pk).update(username=payload)
    root.refresh_from_db()
    services.hold_breaker(name="openai", state=BreakerState.OPEN, user=root)
    said = Trial(
        asked="text",
        outcome="failed",
        error=payload,
        said=payload,
        model_version=payload,
        scores={payload: 0.5},
        text=payload,
    )
    monkeypatch.setattr("moderation.services.trial._try", lambda _: said)
    client = as_user(root)
    pages = [read(client.post(at("_try"), follow=True))]
    pages += [read(client.get(address)) for address in PAGES.values()]
    pages.append(read(client.post(at("_change"), filled_in(setting_organization=payload))))
    for page in pages:
        assert not Reader(page).live


def test_the_pages_run_without_scripts_and_styles_of_their_own(
    root: User, as_user: ClientFor
) -> None:
    set_up()
    client = as_user(root)
    for address in PAGES.values():
        page = read(client.get(address))
        assert re.search(r"<script(?![^>]*\bsrc=)", page) is None, address
        assert "<style" not in page, address
        assert re.search(r"""\sstyle=["']""", page) is None, address
        assert re.search(r"""\son(click|load|error|change|submit)=["']""", page) is None, address


# The documentation


def test_a_document_is_read_as_blocks() -> None:
    title, blocks = read_document(
        "# Name `x`\n\nSome **bold**\ntext, [a link](other.md).\n\n"
        "| a | b |\n|---|---|\n| `x|y` | <b> |\n\n- one\n  more\n- two\n\n"
        "1. first\n2. second\n\n```\ncode\n\nstill\n```\n\n    manage.py run\n\n## End\n"
    )
    assert title == "Name x"
    kinds = [block.kind for block in blocks]
    assert kinds == ["text", "table", "list", "numbers", "code", "code", "heading"]
    text, table, items, numbers, fenced, indented, _ = blocks
    assert [(piece.text, piece.kind) for piece in text.lines[0]] == [
        ("Some ", ""),
        ("bold", "strong"),
        (" text, ", ""),
        ("a link", ""),
        (".", ""),
    ]
    assert [[piece.text for piece in cell] for cell in table.rows[0]] == [["x|y"], ["<b>"]]
    assert [item[0].text for item in items.lines] == ["one more", "two"]
    assert len(numbers.lines) == 2
    assert fenced.code == "code\n\nstill"
    assert indented.code == "manage.py run"


@pytest.mark.parametrize("adapter", adapter_names())
def test_every_adapters_page_of_the_documentation_opens(
    adapter: str, root: User, as_user: ClientFor
) -> None:
    page = read(as_user(root).get(at("_about", adapter)))
    assert "**" not in page.partition("gh-prose")[2]
    assert "|---" not in page
