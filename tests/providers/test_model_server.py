"""The model server's adapter where its libraries are missing; the rest is in tests/contract."""

from __future__ import annotations

import pytest

from moderation.errors import ProviderUnavailable
from moderation.providers.adapters.model_server import ModelServerAdapter, adapter, messages
from moderation.providers.base import Account, TextPart
from moderation.vocabulary import Part


def make(**options: str) -> ModelServerAdapter:
    return ModelServerAdapter(Account(name="model_server", options=options))


@pytest.mark.parametrize(
    ("has_grpc", "has_protobuf", "target", "available"),
    [
        (True, True, "models.example:50051", True),
        (False, True, "models.example:50051", False),
        (True, False, "models.example:50051", False),
        (True, True, "", False),
    ],
)
def test_it_needs_two_libraries_and_an_address(
    monkeypatch: pytest.MonkeyPatch,
    has_grpc: bool,
    has_protobuf: bool,
    target: str,
    available: bool,
) -> None:
    monkeypatch.setattr(adapter, "is_grpc_installed", lambda: has_grpc)
    monkeypatch.setattr(messages, "is_protobuf_installed", lambda: has_protobuf)
    assert make(target=target).is_available() is available


def test_without_its_libraries_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "is_grpc_installed", lambda: False)
    with pytest.raises(ProviderUnavailable):
        make(target="models.example:50051").judge([TextPart("text", "hello")])


def test_it_judges_texts_and_pictures_by_the_batch() -> None:
    assert ModelServerAdapter.facts.parts == {Part.TEXT, Part.IMAGE}
    assert ModelServerAdapter.facts.batch_size > 1
