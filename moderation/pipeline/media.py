"""3a · Attachments: keep what was sent, then make our own copy of it behind the request.

An upload or an address becomes a file that we encoded ourselves, without metadata, together
with its perceptual hash and the frames that providers look at. Until then nobody is shown
anything, and what cannot be used is said on the item: it is then a part that nobody judged.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from moderation.conf import get_conf
from moderation.errors import FetchRefused, InvalidSubmission, MediaRefused
from moderation.media.decode import PreparedMedia, prepare_image
from moderation.media.signature import check_signature
from moderation.models import MediaItem, Post
from moderation.models.posts import media_key
from moderation.outbound import fetch
from moderation.providers.base import AnyPart, ImagePart
from moderation.vocabulary import MediaKind, MediaState, Part

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_SECONDS = 8.0
# A flag of the VP8X header (developers.google.com/speed/webp/docs/riff_container).
_WEBP_ANIMATION = 0x02


@dataclass(frozen=True, slots=True)
class NewMedia:
    """An attachment as it was sent: either its bytes or the address to fetch it from."""

    data: bytes = b""
    url: str = ""
    alt_text: str = ""

    @property
    def kind(self) -> MediaKind:
        """What it announces itself to be; what it is shows when it is decoded."""
        # Its header says so; the frames themselves may stand behind a colour profile of any size.
        flags = self.data[20] if self.data[8:16] == b"WEBPVP8X" and len(self.data) > 20 else 0
        is_animated_webp = bool(flags & _WEBP_ANIMATION)
        return MediaKind.GIF if self.data[:4] == b"GIF8" or is_animated_webp else MediaKind.IMAGE

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest() if self.data else ""


def check_upload(media: NewMedia) -> None:
    """Refuse at once what can be refused without decoding it. Raises `InvalidSubmission`."""
    limit = get_conf().max_upload_bytes
    if bool(media.data) == bool(media.url):
        raise InvalidSubmission("An attachment is either a file or an address.")
    if len(media.data) > limit:
        raise MediaRefused(f"An attachment has at most {limit // 1024 // 1024} MB.")
    if media.data:
        check_signature(media.data)
    elif not media.url.startswith(("https://", "http://")):
        raise InvalidSubmission("An attachment's address begins with https:// or http://.")


def keep_upload(media: NewMedia) -> str:
    """Store the bytes as they came, where nothing is served from; return the name, "" for none."""
    if not media.data:
        return ""
    return default_storage.save(f"incoming/{media.sha256[:32]}", ContentFile(media.data))


def prepare_attachments(posts: Sequence[Post]) -> None:
    """Fetch, decode and store what the posts' attachments still wait for. Never raises for one."""
    waiting = MediaItem.objects.filter(
        post_id__in=[post.pk for post in posts], state=MediaState.WAITING
    )
    for item in waiting:
        _prepare(item)


def _prepare(item: MediaItem) -> None:
    try:
        prepared = prepare_image(_read(item))
    except (MediaRefused, FetchRefused) as error:
        logger.info("media_refused", extra={"media": str(item.pk), "error": error.code})
        _settle(item, MediaState.REFUSED, refusal=str(error)[:300])
        return
    _store(item, prepared)


def _read(item: MediaItem) -> bytes:
    if item.incoming:
        with item.incoming.open("rb") as file:
            data: bytes = file.read()
        return data
    return fetch_attachment(item.source_url)


def fetch_attachment(url: str, *, timeout_seconds: float = FETCH_TIMEOUT_SECONDS) -> bytes:
    """Return the file behind an attachment's address. Raises `FetchRefused`."""
    conf = get_conf()
    fetched = fetch(
        url,
        max_bytes=conf.max_upload_bytes,
        timeout_seconds=timeout_seconds,
        allow_private_hosts=conf.fetch_allowed_hosts,
    )
    return fetched.content


def _store(item: MediaItem, prepared: PreparedMedia) -> None:
    folder = posixpath.join("posts", str(item.community_id), item.pk.hex[:2], item.pk.hex)
    item.file.name = default_storage.save(
        f"{folder}/media.{prepared.extension}", ContentFile(prepared.content)
    )
    item.frames = [
        default_storage.save(f"{folder}/frame-{number}.jpg", ContentFile(frame))
        for number, frame in enumerate(prepared.frames)
    ]
    item.kind = prepared.kind
    item.content_type = prepared.content_type
    item.width, item.height = prepared.width, prepared.height
    item.sha256 = prepared.sha256
    item.perceptual_hash = prepared.perceptual_hash
    _settle(item, MediaState.READY)


def _settle(item: MediaItem, state: MediaState, *, refusal: str = "") -> None:
    incoming, item.incoming = item.incoming.name, ""
    item.state, item.refusal = state, refusal
    item.save()
    if incoming:
        default_storage.delete(incoming)


def media_parts(item: MediaItem, *, scope: str) -> tuple[AnyPart, ...]:
    """Return an attachment as providers see it: files on this machine's disk."""
    return (_image_part(item, scope),)


def _image_part(item: MediaItem, scope: str) -> ImagePart:
    return ImagePart(
        key=media_key(item.pk),
        path=_path(str(item.file.name)),
        kind=Part.GIF if item.kind == MediaKind.GIF else Part.IMAGE,
        perceptual_hash=item.perceptual_hash,
        frame_paths=tuple(_path(name) for name in item.frames),
        scope=scope,
    )


def _path(name: str) -> Path:
    return Path(default_storage.path(name))
