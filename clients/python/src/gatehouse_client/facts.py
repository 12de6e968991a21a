"""Read JSON field by field; whatever has another shape raises `MalformedAnswer`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from gatehouse_client.errors import MalformedAnswer


class Facts:
    """One JSON object. A field that is absent is never taken for 0 or ""."""

    def __init__(self, value: object, place: str = "answer") -> None:
        if not isinstance(value, dict):
            raise MalformedAnswer(f"{place} is no object")
        self.raw: Mapping[str, Any] = value
        self._place = place

    def __contains__(self, name: str) -> bool:
        return self.raw.get(name) is not None

    def text(self, name: str) -> str:
        value = self.raw.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if name in self else None

    def whole(self, name: str) -> int:
        value = self.raw.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "whole number")
        return value

    def whole_or_none(self, name: str) -> int | None:
        return self.whole(name) if name in self else None

    def number(self, name: str) -> float:
        value = self.raw.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(name, "number")
        return float(value)

    def number_or_none(self, name: str) -> float | None:
        return self.number(name) if name in self else None

    def flag(self, name: str) -> bool:
        value = self.raw.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def time_or_none(self, name: str) -> datetime | None:
        return self.time(name) if name in self else None

    def time(self, name: str) -> datetime:
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise self._wrong(name, "time") from None
        if value.tzinfo is None:
            raise self._wrong(name, "time with a zone")
        return value

    def nested(self, name: str) -> Facts:
        return Facts(self.raw.get(name), f"{self._place}.{name}")

    def nested_or_none(self, name: str) -> Facts | None:
        return self.nested(name) if name in self else None

    def each(self, name: str) -> Iterator[Facts]:
        for number, item in enumerate(self._list(name)):
            yield Facts(item, f"{self._place}.{name}.{number}")

    def texts(self, name: str) -> Sequence[str]:
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "list of texts")
        return values

    def numbers_by_name(self, name: str) -> Mapping[str, float]:
        inner = self.nested(name)
        return {key: inner.number(key) for key in inner.raw}

    def _list(self, name: str) -> list[Any]:
        value = self.raw.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "list")
        return value

    def _wrong(self, name: str, kind: str) -> MalformedAnswer:
        return MalformedAnswer(f"{self._place}.{name} is no {kind}")
