"""A field whose values the database never sees in clear."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

_PURPOSE = b"gatehouse provider secrets"

if TYPE_CHECKING:
    # Django's fields are generic for the type checker alone.
    _TextField = models.TextField[Mapping[str, str], dict[str, str]]
else:
    _TextField = models.TextField


def _cipher() -> MultiFernet:
    """New values are written under the first key; those of a key that was rotated can be read."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derive(key)) for key in keys])


def _derive(key: str) -> bytes:
    derived = HKDF(hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


class Ciphertext(str):
    """A value that is encrypted already: written as it is, when an instance moves."""

    __slots__ = ()


class EncryptedField(_TextField):
    """Names and their secret values, encrypted under the site's own key.

    What can no longer be decrypted, because the key has gone, reads as empty.
    """

    def from_db_value(self, value: str | None, *_: object) -> dict[str, str]:
        if not value:
            return {}
        try:
            found: dict[str, str] = json.loads(_cipher().decrypt(value.encode()))
        except InvalidToken:
            return {}
        return found

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, dict) else {}

    def get_prep_value(self, value: Any) -> str:
        if isinstance(value, Ciphertext):
            return str(value)
        return _cipher().encrypt(json.dumps(value).encode()).decode() if value else ""
