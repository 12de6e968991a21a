"""What a client sends: posts, drafts and attachments."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Author:
    """One of your people: your own id of them."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An attachment: either an address or a file's bytes."""

    url: str = ""
    data: bytes = b""
    alt_text: str = ""
    name: str = "media"
    content_type: str = _UNKNOWN_TYPE

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.data):
            raise ValueError("An attachment has either an address or bytes.")

    @classmethod
    def from_file(cls, path: str | PathLike[str], *, alt_text: str = "") -> Media:
        """Return a file as an attachment. Its type is taken from its name."""
        file = Path(path)
        return cls(
            data=file.read_bytes(),
            alt_text=alt_text,
            name=file.name,
            content_type=mimetypes.guess_type(file.name)[0] or _UNKNOWN_TYPE,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the attachment as a check takes it; a file becomes a data address."""
        place = {"url": self.url} if self.url else {"data": self._data_address()}
        return place | filled(alt_text=self.alt_text)

    def _data_address(self) -> str:
        return f"data:{self.content_type};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPost:
    """A post to submit. `parent` is the id of the topic that it replies to, `reference` your own
    id of the post.
    """

    author: Author | str
    text: str = ""
    title: str = ""
    channel: str = ""
    reference: str = ""
    parent: str = ""
    media: Sequence[Media] = ()
    community: str = ""

    def as_json(self) -> dict[str, Any]:
        if any(item.data for item in self.media):
            raise ValueError("Files cannot be sent in bulk; submit such a post by itself.")
        return self._texts() | filled(
            author=filled(id=self._author().id, name=self._author().name),
            media=[item.as_json() for item in self.media],
        )

    def as_form(self) -> dict[str, Any]:
        """Return the fields that stand beside files."""
        author = self._author()
        return self._texts() | filled(author_id=author.id, author_name=author.name)

    def _author(self) -> Author:
        return Author(self.author) if isinstance(self.author, str) else self.author

    def _texts(self) -> dict[str, Any]:
        return filled(
            text=self.text,
            title=self.title,
            channel=self.channel,
            reference=self.reference,
            parent=self.parent,
            community=self.community,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be checked without being posted."""

    text: str = ""
    title: str = ""
    media: Sequence[Media] = ()
    community: str = ""

    def as_json(self) -> dict[str, Any]:
        return filled(
            text=self.text,
            title=self.title,
            media=[item.as_json() for item in self.media],
            community=self.community,
        )


def filled(**fields: Any) -> dict[str, Any]:
    """Return the fields that say something: what is absent changes nothing."""
    return {name: value for name, value in fields.items() if value not in ("", None, [], {})}
