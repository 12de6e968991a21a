"""Every page answers each role, for its own community and for another's, as recorded."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils.http import urlencode

from moderation import credentials, queries
from tests.access.pages import (
    ELSEWHERE,
    GET_ONLY,
    METHODS,
    RECORD,
    REFUSALS,
    ROLES,
    SAME,
    TOLD,
    UNRECORDED,
    WROTE,
    read_record,
)
from tests.access.tenants import Tenant, make_community, make_people, make_tenant
from tests.factories import make_key

FORM = "application/x-www-form-urlencoded"
PREFIXES = ("admin/", "accounts/", "media/")
NAMESPACES = ("admin", "forum")
# Tables of libraries: for superusers, whatever comes with their next version.
LIBRARIES = ("account", "mfa", "axes", "django_celery_results", "django_celery_beat")
OF_LIBRARIES = tuple(f"admin:{app}_" for app in LIBRARIES)

Walked = tuple[str, str, URLPattern]


def _walk(patterns: Any, prefix: str = "", namespace: str = "") -> Iterator[Walked]:
    for pattern in patterns:
        here = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield here, namespace, pattern
        else:
            yield from _walk(pattern.url_patterns, here, pattern.namespace or namespace)


ALL = {
    f"{namespace}:{pattern.name}" if namespace else str(pattern.name): pattern
    for address, namespace, pattern in _walk(get_resolver().url_patterns)
    if pattern.name and (namespace in NAMESPACES or address.startswith(PREFIXES))
}
PAGES = {name: pattern for name, pattern in ALL.items() if not name.startswith(OF_LIBRARIES)}


class World:
    """Two communities with one of everything, and who asks for it."""

    def __init__(self) -> None:
        garden = make_community("garden", is_open=True)
        orchard = make_community("orchard", is_open=False)
        self.people = make_people(garden)
        lead, root = self.people["lead"], self.people["root"]
        assert lead is not None
        assert root is not None
        self.garden = make_tenant(garden, people=self.people, owner=lead)
        self.orchard = make_tenant(orchard, people=self.people, owner=root)

    def client(self, role: str) -> Client:
        headers = {}
        if role == "key":
            headers["authorization"] = f"Bearer {make_key(self.garden.community)[1]}"
        client = Client(raise_request_exception=False, headers=headers)
        user = self.people[role.rstrip("*")]
        if user is not None:
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client


@pytest.fixture
def world(db, settings, tmp_path, monkeypatch) -> Iterator[World]:
    settings.MEDIA_ROOT = tmp_path
    # Whether a decision can still be undone is no matter of who asks, but of when.
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 0}
    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", lambda *_, **__: None)
    # Thousands of refusals are no news.
    logging.disable(logging.CRITICAL)
    yield World()
    logging.disable(logging.NOTSET)


class Writes:
    """Notices whether anything of moderation's own or of the forum is written."""

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.seen = self.seen or _WRITE.match(sql) is not None
        return execute(sql, params, many, context)


_WRITE = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM) "(moderation|forum)_', re.IGNORECASE)


def _ask(
    client: Client, method: str, address: str, body: dict[str, object], may_not_read: str = ""
) -> str:
    """Ask, undo what that did, and say how it was answered."""
    cookies = client.cookies.copy()
    writes = Writes()
    with transaction.atomic(), connection.execute_wrapper(writes):
        answer: Any = client.generic(method, address, urlencode(body, doseq=True).encode(), FORM)
        transaction.set_rollback(True)
    client.cookies = cookies
    queries.forget_everything()
    credentials.forget_keys()
    said = _said(answer)
    if said in REFUSALS:
        return said
    told = TOLD if may_not_read.encode() in _content(answer).lower() and may_not_read else ""
    return f"{said}{WROTE if writes.seen else ''}{told}"


def _content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def _said(answer: Any) -> str:
    if answer.status_code != 302:
        return str(answer.status_code)
    to = answer["Location"].partition("?")[0]
    if to in (reverse("account_login"), reverse("admin:login")):
        return "login"
    # How Django's own pages say that there is no such row.
    return "none" if to == reverse("admin:index") else "302"


def _cell(client: Client, method: str, name: str, tenant: Tenant, role: str) -> str:
    """Answer with a cell. Everything of the orchard has its name in it."""
    star, of_the_garden = role.endswith("*"), role in ("reader", "moderator", "lead")
    pattern = PAGES[name]
    if method == "POST" and name.endswith(GET_ONLY):
        return SAME
    if star and not tenant.is_asked_for_others(pattern, name, method):
        return SAME
    address = reverse(name, kwargs=tenant.arguments(pattern))
    body = tenant.body(name) if method == "POST" else {}
    return _ask(client, method, address, body, "orchard" if of_the_garden else "")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_what_is_recorded(world: World, role: str, method: str) -> None:
    client = world.client(role)
    tenant = world.orchard if role.endswith("*") else world.garden
    found = {name: _cell(client, method, name, tenant, role) for name in PAGES}
    record = read_record()
    column = ROLES.index(role)
    expected = {
        name: SAME
        if method == "POST" and name.endswith(GET_ONLY)
        else record.get((name, method), UNRECORDED)[column]
        for name in PAGES
    }
    different = {
        name: f"{cell}, recorded {expected[name]}"
        for name, cell in found.items()
        if cell != expected[name]
    }
    assert different == {}, f"{method} as {role}: see {RECORD}"


def test_every_page_is_recorded() -> None:
    wanted = {
        (name, method)
        for name in PAGES
        for method in METHODS
        if method == "GET" or not name.endswith(GET_ONLY)
    }
    assert set(read_record()) == wanted, f"A new page needs its rows in {RECORD}."


# The same for everybody, or opened by a secret in the address.
FOR_EVERYBODY = (
    "account_",
    "admin:app_list",
    "admin:moderation_provider_about",
    "admin:moderation_quality_csv",
    # Sent back to one's own questions, whoever holds this one.
    "admin:moderation_quality_answer",
    "forum:appeal_by_mail",
    "forum:notice_status",
)


def test_nothing_of_another_community_is_recorded_as_open() -> None:
    opened = {
        page: row
        for page, row in read_record().items()
        if not page[0].startswith(FOR_EVERYBODY)
        and (
            any(TOLD in cell for cell in row)
            or any(WROTE in row[at] or _opens(page, row[at]) for at in ELSEWHERE)
        )
    }
    assert opened == {}


def _opens(page: tuple[str, str], cell: str) -> bool:
    name, method = page
    # What is sent names the other community: the form comes back and says that it will not do.
    is_form = method == "POST" and not PAGES[name].pattern.converters
    return cell not in REFUSALS and not (is_form and cell in ("200", "400", "422"))


@pytest.mark.parametrize("role", ["user", "operator", "root"])
def test_tables_of_libraries_are_for_superusers(world: World, role: str) -> None:
    client = world.client(role)
    lists = [name for name in ALL if name.startswith(OF_LIBRARIES) and name.endswith("_changelist")]
    found = {name: _ask(client, "GET", reverse(name), {}) for name in lists}
    assert found == dict.fromkeys(lists, {"user": "login", "operator": "403", "root": "200"}[role])
