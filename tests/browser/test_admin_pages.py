"""Every list of the back office, and the first row of each, as a lead's browser shows them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import WCAG_22_AA

Person = Callable[..., Page]
_ADMIN = re.compile(r"^/admin/[a-z]")
# Signing out ends the walk; what the desk and its neighbours show has tests of its own.
_ELSEWHERE = re.compile(r"/(logout|password_change|jsi18n)/")

_AXE = Axe()


@pytest.mark.timeout(240)  # some forty pages, one after the other
def test_no_list_of_the_back_office_and_no_first_row_keeps_anybody_out(person: Person) -> None:
    page = person("lena")
    page.goto("/admin/")
    lists = _links(page, "a[href^='/admin/']")
    assert len(lists) > 10
    found = {"/admin/": _violations(page)}
    for address in lists:
        page.goto(address)
        found[address] = _violations(page)
        rows = _links(page, "#result_list a[href^='/admin/']")
        if rows:
            page.goto(rows[0])
            found[rows[0]] = _violations(page)
    wrong = {address: ids for address, ids in found.items() if ids}
    assert not wrong, "\n".join(f"{address}: {ids}" for address, ids in wrong.items())


def _links(page: Page, selector: str) -> list[str]:
    hrefs = page.eval_on_selector_all(selector, "all => all.map(one => one.getAttribute('href'))")
    own = [href for href in hrefs if _ADMIN.match(href) and not _ELSEWHERE.search(href)]
    return list(dict.fromkeys(own))


def _violations(page: Page) -> list[str]:
    only = {"type": "tag", "values": WCAG_22_AA}
    found = _AXE.run(page, options={"runOnly": only, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"][:3]
    ]
