"""Only what can judge a text here, without a network, is loaded beforehand."""

import pytest

from moderation.providers import registry
from moderation.vocabulary import Part
from platform_site.warm import FIRST_TEXTS, load_text_models


class Provider:
    def __init__(self, *, is_local=True, parts=(Part.TEXT,), available=True) -> None:
        self.is_local, self.parts, self.available = is_local, parts, available
        self.asked: list[str] = []

    def is_available(self) -> bool:
        return self.available

    def judge(self, parts) -> list[None]:
        self.asked += [part.text for part in parts]
        return [None for _ in parts]


@pytest.mark.parametrize(
    ("provider", "asked"),
    [
        (Provider(), list(FIRST_TEXTS)),
        (Provider(is_local=False), []),
        (Provider(parts=(Part.IMAGE,)), []),
        (Provider(available=False), []),
    ],
)
def test_local_text_models_are_loaded_and_nothing_else(monkeypatch, provider, asked):
    monkeypatch.setattr(registry, "providers", lambda: {"one": provider})
    load_text_models()
    assert provider.asked == asked
