"""3a · Attachments: keep what was sent, then make our own copy of it behind the request.

An upload or an address becomes a file that we encoded or packed ourselves, without metadata,
together with its perceptual hash and what providers look at: frames, and the sound of a video.
Until then nobody is shown anything, and what cannot be used is said on the item: it is then a
part that nobody judged.
"""

from __future__ import annotations

import hashlib
import logging
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from moderation import tracing
from moderation.conf import get_conf
from moderation.errors import FetchRefused, InvalidSubmission, MediaRefused, MediaStoreAway
from moderation.media.decode import EXTENSIONS, PreparedMedia, prepare_media
from moderation.media.signature import check_signature, sort_of
from moderation.models import MediaItem, Post
from moderation.models.posts import media_key
from moderation.outbound import fetch
from moderation.providers.base import AnyPart, AudioPart, ImagePart, VideoPart
from moderation.vocabulary import MediaKind, MediaState, Part

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_SECONDS = 8.0
# Ends the key of what is heard in a video.
SOUND_SUFFIX = "#audio"
# A flag of the VP8X header (developers.google.com/speed/webp/docs/riff_container).
_WEBP_ANIMATION = 0x02
# A video's sound is a file of its own, told apart by its name.
_SOUND_TYPES = {
    f".{extension}": content_type
    for content_type, extension in EXTENSIONS.items()
    if content_type.startswith("audio/")
}


@dataclass(frozen=True, slots=True)
class NewMedia:
    """An attachment as it was sent: either its bytes or the address to fetch it from."""

    data: bytes = b""
    url: str = ""
    alt_text: str = ""
    # Where its bytes are stored already, "" where they are not.
    kept: str = ""

    @property
    def kind(self) -> MediaKind:
        """What it announces itself to be; what it is shows when it is decoded."""
        sort = sort_of(self.data)
        if sort != "picture":
            return MediaKind.VIDEO if sort == "video" else MediaKind.AUDIO
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
    if media.kept or not media.data:
        return media.kept
    return default_storage.save(f"incoming/{media.sha256[:32]}", ContentFile(media.data))


def put_away(media: Sequence[NewMedia]) -> tuple[NewMedia, ...]:
    """Store uploads that go into a bucket: nobody waits for a network in a transaction.

    One whose post is refused after all is removed a day later, as every lost upload. Raises
    `InvalidSubmission`, and `MediaStoreAway` when the bucket cannot be reached.
    """
    if not media or kept_at("incoming") is not None:
        return tuple(media)
    for one in media:
        check_upload(one)
    try:
        return tuple(replace(one, kept=keep_upload(one)) for one in media)
    except OSError as error:
        logger.warning("upload_failed", exc_info=error)
        raise MediaStoreAway("Attachments cannot be stored now. Try again in a moment.") from error


def prepare_attachments(posts: Sequence[Post]) -> None:
    """Fetch, decode and store what the posts' attachments still wait for. Never raises for one."""
    waiting = MediaItem.objects.filter(
        post_id__in=[post.pk for post in posts], state=MediaState.WAITING
    )
    for item in waiting:
        post = str(item.post_id)
        with tracing.span("prepare an attachment", about=(post,), media=str(item.pk)):
            _prepare(item)
            tracing.tell(about=(post,), kind=str(item.kind), state=str(item.state))


def _prepare(item: MediaItem) -> None:
    try:
        prepared = prepare_media(_read(item))
    except (MediaRefused, FetchRefused) as error:
        logger.info("media_refused", extra={"media": str(item.pk), "error": error.code})
        _settle(item, MediaState.REFUSED, refusal=str(error)[:300])
        return
    except FileNotFoundError:
        # Whoever holds another revision of the post may have prepared it since we looked.
        item.refresh_from_db(fields=["state"])
        if item.state == MediaState.WAITING:
            raise
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
    item.file.name = _save(folder, prepared.content, prepared.extension)
    item.frames = [
        default_storage.save(f"{folder}/frame-{number}.jpg", ContentFile(frame))
        for number, frame in enumerate(prepared.frames)
    ]
    if prepared.audio:
        item.audio.name = _save(folder, prepared.audio, EXTENSIONS[prepared.audio_type])
    item.kind = prepared.kind
    item.content_type = prepared.content_type
    item.width, item.height = prepared.width or None, prepared.height or None
    item.frame_seconds = list(prepared.frame_seconds)
    item.duration_seconds = prepared.duration_seconds
    item.sha256 = prepared.sha256
    item.perceptual_hash = prepared.perceptual_hash
    _settle(item, MediaState.READY)


def _save(folder: str, content: bytes, extension: str) -> str:
    """Name a file by its digest: what is known of it needs no look into the file then."""
    digest = hashlib.sha256(content).hexdigest()
    return default_storage.save(f"{folder}/{digest}.{extension}", ContentFile(content))


# An edit may remove an attachment while it is prepared: only this is written, nothing else.
_FOUND_OUT = (
    "audio",
    "content_type",
    "duration_seconds",
    "file",
    "frame_seconds",
    "frames",
    "height",
    "incoming",
    "kind",
    "perceptual_hash",
    "refusal",
    "sha256",
    "state",
    "width",
)


def _settle(item: MediaItem, state: MediaState, *, refusal: str = "") -> None:
    incoming, item.incoming = item.incoming.name, ""
    item.state, item.refusal = state, refusal
    item.save(update_fields=_FOUND_OUT)
    if incoming:
        default_storage.delete(incoming)


class OnDisk:
    """Lets attachments lie on this machine's disk for the length of a block, wherever they are.

    What is kept on a disk is named as it is; of what is in a bucket a copy is made.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> OnDisk:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def path(self, name: str) -> Path:
        """Return where a file lies, or would if there was one.

        Raises `OSError` when the store is away: whoever asks comes again later.
        """
        kept = kept_at(name)
        return self._copy(name) if kept is None else kept

    def _copy(self, name: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="gatehouse-media-")
        path = Path(self._folder.name, *PurePosixPath(name).parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            suppress(FileNotFoundError),
            default_storage.open(name, "rb") as source,
            path.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        return path


def kept_at(name: str) -> Path | None:
    """Return where a file is kept on a disk, None for a store that has no disk here."""
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        return None


def named(name: str) -> Path:
    """Return a path that need not be there: for whoever asks no more than what a file is called."""
    return kept_at(name) or Path(name)


def media_parts(
    item: MediaItem, *, scope: str, path: Callable[[str], Path] = named
) -> tuple[AnyPart, ...]:
    """Return an attachment as providers see it; `path` says where its files lie."""
    laid = Laid(
        path=path(str(item.file.name)),
        frames=tuple(map(path, item.frames)),
        audio=path(str(item.audio.name)) if item.audio else None,
    )
    return parts_of(item, laid, key=media_key(item.pk), scope=scope)


@dataclass(frozen=True, slots=True)
class Laid:
    """Where an attachment's files lie."""

    path: Path
    frames: tuple[Path, ...] = ()
    audio: Path | None = None


class Described(Protocol):
    """What is known of an attachment beside its files."""

    @property
    def kind(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def perceptual_hash(self) -> str: ...
    @property
    def frame_seconds(self) -> Sequence[float]: ...
    @property
    def duration_seconds(self) -> float | None: ...


def parts_of(about: Described, laid: Laid, *, key: str, scope: str) -> tuple[AnyPart, ...]:
    """Return an attachment's parts: one, and for a video with sound another of what is heard."""
    if about.kind == MediaKind.AUDIO:
        return (_sound_part(about, laid.path, about.content_type, key, scope),)
    if about.kind != MediaKind.VIDEO:
        return (_image_part(about, laid, key, scope),)
    shown = _video_part(about, laid, key, scope)
    if laid.audio is None:
        return (shown,)
    content_type = _SOUND_TYPES[laid.audio.suffix]
    return (shown, _sound_part(about, laid.audio, content_type, key + SOUND_SUFFIX, scope))


def _image_part(about: Described, laid: Laid, key: str, scope: str) -> ImagePart:
    return ImagePart(
        key=key,
        path=laid.path,
        kind=Part.GIF if about.kind == MediaKind.GIF else Part.IMAGE,
        scope=scope,
        perceptual_hash=about.perceptual_hash,
        frame_paths=laid.frames,
    )


def _video_part(about: Described, laid: Laid, key: str, scope: str) -> VideoPart:
    return VideoPart(
        key=key,
        path=laid.path,
        scope=scope,
        content_type=about.content_type,
        duration_seconds=about.duration_seconds or 0.0,
        frame_paths=laid.frames,
        frame_seconds=tuple(about.frame_seconds),
    )


def _sound_part(about: Described, path: Path, content_type: str, key: str, scope: str) -> AudioPart:
    return AudioPart(
        key=key,
        path=path,
        scope=scope,
        content_type=content_type,
        duration_seconds=about.duration_seconds or 0.0,
    )
