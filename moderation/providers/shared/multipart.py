"""Forms that carry a file (multipart/form-data, RFC 7578), never larger than was agreed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from moderation.errors import ProviderRejected
from moderation.providers.base import ImagePart
from moderation.vocabulary import Part

# What we store begins with one of these; services believe a type that is said.
_MAGIC = (
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftyp", 4, "video/mp4"),
    (b"\x1a\x45\xdf\xa3", 0, "video/webm"),
)
_LONGEST_MAGIC = 12


@dataclass(frozen=True, slots=True)
class Form:
    """The body of a request, and the header that goes with it."""

    body: bytes
    content_type: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type}


def build_form(
    fields: Mapping[str, str], *, file_field: str, path: Path, max_bytes: int, kind: str = ""
) -> Form:
    """Return a form of some fields and one file, which is read once and in pieces.

    Its type is `kind`, or what its first bytes say; its name says only that. Raises
    `ProviderRejected` for one that is longer or not there.
    """
    boundary = secrets.token_hex(16)
    kind = kind or file_type(path)
    body = BytesIO()
    for name, value in fields.items():
        body.write(_head(boundary, f'name="{name}"'))
        body.write(value.encode() + b"\r\n")
    filename = "file." + kind.rpartition("/")[2]
    body.write(_head(boundary, f'name="{file_field}"; filename="{filename}"', kind))
    with _opened(path, max_bytes) as file:
        shutil.copyfileobj(file, body)
    body.write(f"\r\n--{boundary}--\r\n".encode())
    return Form(body.getvalue(), f"multipart/form-data; boundary={boundary}")


def file_type(path: Path) -> str:
    """Return what a file is by its first bytes. Raises `ProviderRejected` where there is none."""
    with _opened(path) as file:
        start = file.read(_LONGEST_MAGIC)
    for magic, at, kind in _MAGIC:
        if start.startswith(magic, at):
            return kind
    return "application/octet-stream"


def read_file(path: Path, *, max_bytes: int) -> bytes:
    """Return a file's bytes. Raises `ProviderRejected` for one that is longer or not there."""
    with _opened(path, max_bytes) as file:
        return file.read()


def files_to_send(part: ImagePart) -> tuple[Path, ...]:
    """Return the files that show a picture whole: itself, or the sampled frames of an animation.

    Services look at every frame of a GIF; of other animations they may see the first one only.
    """
    if part.kind != Part.GIF or file_type(part.path) == "image/gif":
        return (part.path,)
    if not part.frame_paths:
        raise ProviderRejected("The animation has no sampled frames.")
    return part.frame_paths


def _head(boundary: str, disposition: str, kind: str = "") -> bytes:
    lines = [f"--{boundary}", f"Content-Disposition: form-data; {disposition}"]
    if kind:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def _opened(path: Path, max_bytes: int | None = None) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
                raise ProviderRejected(f"The file is larger than {max_bytes} bytes.")
            yield file
    except OSError as error:
        raise ProviderRejected("The file cannot be read.") from error
