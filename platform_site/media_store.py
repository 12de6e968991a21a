"""Attachments in a bucket of S3, or of a server that speaks its protocol.

Nothing in it is public and nobody is given an address of it: a view serves each file after asking
whether it may be seen. Whatever goes wrong on the way is an `OSError`, as with a disk.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

# Files are read in such parts: a player that seeks costs no more than it plays.
_PART_BYTES: Final = 1024 * 1024
_GONE: Final = frozenset({"404", "NoSuchKey", "NotFound"})


@contextmanager
def _as_a_disk_would(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise FileNotFoundError(f"The bucket has no {name}.") from error
        raise OSError(f"The bucket refuses {name}: {code}.") from error
    except BotoCoreError as error:
        raise OSError(f"The bucket cannot be reached: {type(error).__name__}.") from error


class BucketFile(io.RawIOBase):
    """An object that is read part by part."""

    def __init__(self, there: Any, name: str) -> None:
        self.there, self.name = there, name
        with _as_a_disk_would(name):
            self.size = int(there.content_length)
        self.at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        self.at = max(0, begin + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        content = self._read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        return self._read(self.size - self.at)

    def _read(self, size: int) -> bytes:
        end = min(self.at + size, self.size)
        if end <= self.at:
            return b""
        with _as_a_disk_would(self.name):
            answer = self.there.get(Range=f"bytes={self.at}-{end - 1}")
            content: bytes = answer["Body"].read()
        if len(content) != end - self.at:
            raise OSError(f"The bucket gave a part of {self.name} only.")
        self.at = end
        return content


class BucketStorage(S3Storage):  # type: ignore[misc]  # published without types
    """Where attachments are when `MEDIA_BUCKET` is set."""

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]  # generic in the stubs alone
        if mode != "rb":
            raise ValueError("Files of a bucket are written whole.")
        there = self.bucket.Object(self._normalize_name(name))
        return File(io.BufferedReader(BucketFile(there, name), _PART_BYTES), name)

    def _save(self, name: str, content: Any) -> str:
        with _as_a_disk_would(name):
            saved: str = super()._save(name, content)
        return saved

    def delete(self, name: str) -> None:
        with _as_a_disk_would(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _as_a_disk_would(name):
            found: bool = super().exists(name)
        return found

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with _as_a_disk_would(name):
            found: tuple[list[str], list[str]] = super().listdir(name)
        return found

    def size(self, name: str) -> int:
        with _as_a_disk_would(name):
            found: int = super().size(name)
        return found

    def get_modified_time(self, name: str) -> datetime:
        with _as_a_disk_would(name):
            found: datetime = super().get_modified_time(name)
        return found

    def url(self, name: str, *args: Any, **options: Any) -> str:
        raise ValueError("Nobody is given an address of the bucket.")
