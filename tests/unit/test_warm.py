"""Only the local text model is loaded beforehand, and nothing that a fork must not carry over."""

import pytest
from django.db import connection

from moderation.providers import registry
from platform_site.warm import FIRST_TEXTS, MODEL, load_text_models


class Provider:
    def __init__(self, *, available: bool) -> None:
        self.available = available
        self.asked: list[str] = []

    def is_available(self) -> bool:
        return self.available

    def judge(self, parts) -> list[None]:
        self.asked += [part.text for part in parts]
        return [None for _ in parts]


@pytest.mark.parametrize(("available", "asked"), [(True, list(FIRST_TEXTS)), (False, [])])
def test_the_local_text_model_is_loaded_where_it_is_installed(monkeypatch, available, asked):
    provider = Provider(available=available)
    monkeypatch.setitem(registry._own_judges(), MODEL, provider)
    load_text_models()
    assert provider.asked == asked


def test_the_database_is_not_asked_before_a_fork(monkeypatch):
    def refuse() -> None:
        raise AssertionError("A connection that is open at a fork is shared by all.")

    registry.forget_services()
    monkeypatch.setattr(connection, "ensure_connection", refuse)
    monkeypatch.setattr(connection, "cursor", refuse)
    load_text_models()
