"""Forms that carry files: whole, bounded, and saying nothing of whose file it was."""

from __future__ import annotations

from email.parser import BytesParser
from pathlib import Path

import pytest

from moderation.errors import ProviderRejected
from moderation.providers.base import ImagePart
from moderation.providers.shared.multipart import build_form, file_type, files_to_send, read_file
from moderation.sandbox.forms import read_form
from moderation.sandbox.protocol import Request
from moderation.vocabulary import Part

# Everything that a careless reader of forms would stumble over.
AWKWARD = b"\xff\xd8\xff\r\n--\r\n\r\nboundary=\x00--" + bytes(range(256))


def a_file(folder: Path, content: bytes, name: str = "bo_on_holiday.jpg") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_fields_and_file_arrive_as_they_were(tmp_path: Path) -> None:
    form = build_form(
        {"models": "gore-2.0", "lang": "żółw"},
        file_field="media",
        path=a_file(tmp_path, AWKWARD),
        max_bytes=len(AWKWARD),
    )
    request = Request("POST", "/", {}, {"content-type": form.content_type}, form.body)
    assert read_form(request) == {
        "models": b"gore-2.0",
        "lang": "żółw".encode(),
        "media": AWKWARD,
    }


def test_another_reader_understands_it_too(tmp_path: Path) -> None:
    form = build_form(
        {"a": "1"}, file_field="media", path=a_file(tmp_path, b"GIF89a.."), max_bytes=100
    )
    head = f"Content-Type: {form.content_type}\r\n\r\n".encode()
    one, file = BytesParser().parsebytes(head + form.body).get_payload()
    assert one.get_payload() == "1"
    assert (file.get_content_type(), file.get_filename()) == ("image/gif", "file.gif")


def test_the_files_own_name_is_not_sent(tmp_path: Path) -> None:
    path = a_file(tmp_path, AWKWARD)
    form = build_form({}, file_field="media", path=path, max_bytes=10_000)
    assert b"holiday" not in form.body


def test_boundaries_differ(tmp_path: Path) -> None:
    path = a_file(tmp_path, AWKWARD)
    made = {
        build_form({}, file_field="f", path=path, max_bytes=10_000).content_type for _ in range(5)
    }
    assert len(made) == 5


def test_a_file_that_is_too_large_is_rejected_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        # A hole: it takes no room, unless somebody reads it.
        file.truncate(1 << 40)
    with pytest.raises(ProviderRejected):
        build_form({}, file_field="media", path=path, max_bytes=1 << 20)
    with pytest.raises(ProviderRejected):
        read_file(path, max_bytes=1 << 20)


def test_a_file_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        build_form({}, file_field="media", path=tmp_path / "gone", max_bytes=10)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBP", "image/webp"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"hello", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_files_are_known_by_their_first_bytes(tmp_path: Path, start: bytes, kind: str) -> None:
    assert file_type(a_file(tmp_path, start)) == kind


def test_a_gif_is_sent_whole_and_other_animations_by_their_frames(tmp_path: Path) -> None:
    gif = a_file(tmp_path, b"GIF89a", "a")
    webp = a_file(tmp_path, b"RIFF\x10\x00\x00\x00WEBP", "b")
    frames = (tmp_path / "1", tmp_path / "2")
    assert files_to_send(ImagePart("a", gif, Part.GIF, frame_paths=frames)) == (gif,)
    assert files_to_send(ImagePart("b", webp, Part.GIF, frame_paths=frames)) == frames
    assert files_to_send(ImagePart("b", webp)) == (webp,)


def test_an_animation_that_nobody_sampled_is_rejected(tmp_path: Path) -> None:
    webp = a_file(tmp_path, b"RIFF\x10\x00\x00\x00WEBP")
    with pytest.raises(ProviderRejected):
        files_to_send(ImagePart("a", webp, Part.GIF))
