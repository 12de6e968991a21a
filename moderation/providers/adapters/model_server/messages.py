"""The messages of gatehouse_model.proto, made when first needed.

No code is generated: generated code works with the protobuf of its own year only.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "gatehouse.model.v1"
DESCRIBE, JUDGE = f"/{PACKAGE}.Model/Describe", f"/{PACKAGE}.Model/Judge"
_DESCRIPTORS = Path(__file__).with_name("gatehouse_model.binpb")


class BadMessage(Exception):
    """Bytes that are no such message."""


def is_protobuf_installed() -> bool:
    return bool(importlib.util.find_spec("google")) and bool(
        importlib.util.find_spec("google.protobuf")
    )


def make(kind: str, /, **fields: Any) -> Any:
    """Return a new message of a type of the package."""
    return _types()[kind](**fields)


def read(kind: str, data: bytes) -> Any:
    """Raises `BadMessage`."""
    error = import_module("google.protobuf.message").DecodeError
    try:
        return _types()[kind].FromString(data)
    except error:
        raise BadMessage(f"This is no {kind}.") from None


@cache
def _types() -> dict[str, Any]:
    pool = import_module("google.protobuf.descriptor_pool").DescriptorPool()
    factory = import_module("google.protobuf.message_factory")
    kept = import_module("google.protobuf.descriptor_pb2").FileDescriptorSet
    types: dict[str, Any] = {}
    for file in kept.FromString(_DESCRIPTORS.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
        for message in file.message_type:
            descriptor = pool.FindMessageTypeByName(f"{file.package}.{message.name}")
            types[message.name] = factory.GetMessageClass(descriptor)
    return types
