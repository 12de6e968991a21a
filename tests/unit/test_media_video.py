"""What becomes of a video or a sound: streams kept, everything else gone, frames to look at."""

import importlib.util
import io
import os
from collections.abc import Callable
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from moderation.errors import MediaRefused
from moderation.media.decode import PreparedMedia, prepare_image, prepare_media
from moderation.media.limits import MediaLimits
from moderation.media.payload import bare_h264, bare_mp3, bare_vorbis_head, h264_length_size
from moderation.media.pdq import hamming
from moderation.media.signature import check_signature, sort_of
from moderation.vocabulary import MediaKind
from tests.unit.media_files import encoded, opened, photo
from tests.unit.stream_files import (
    SIZE,
    Pixels,
    clock,
    film,
    frames_of,
    moving,
    patched,
    plain,
    plain_film,
    reworked,
    streams_of,
    told_in,
    tone,
    unchanged,
)

MARKER = "Bo-was-here-48.8583N"
TAGS = {"title": MARKER, "comment": MARKER, "artist": MARKER, "location": "+48.8583+002.2944/"}
RED = (200, 20, 20)


def pixel(data: bytes, at: tuple[int, int]) -> tuple[int, ...]:
    found = opened(data).convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return found


def is_red(still: bytes) -> bool:
    red, green, blue = pixel(still, (80, 60))
    return red > 150 and max(green, blue) < 90


# --- what is accepted, and as what ------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "content_type", "streams", "audio_type"),
    [
        (film, "video/mp4", ["h264", "aac"], "audio/mp4"),
        (lambda: film(form="mov"), "video/mp4", ["h264", "aac"], "audio/mp4"),
        (lambda: film(sound="libmp3lame"), "video/mp4", ["h264", "mp3"], "audio/mpeg"),
        (lambda: film(sound="flac"), "video/mp4", ["h264", "flac"], "audio/flac"),
        (
            lambda: film(form="matroska", sound="libopus"),
            "video/mp4",
            ["h264", "opus"],
            "audio/webm",
        ),
        (
            lambda: film(form="webm", codec="libvpx", sound="libopus"),
            "video/webm",
            ["vp8", "opus"],
            "audio/webm",
        ),
        (
            lambda: film(form="webm", codec="libvpx-vp9", sound="libopus", deadline="realtime"),
            "video/webm",
            ["vp9", "opus"],
            "audio/webm",
        ),
        (
            lambda: film(codec="libvpx-vp9", deadline="realtime"),
            "video/mp4",
            ["vp9", "aac"],
            "audio/mp4",
        ),
        (lambda: film(codec="libsvtav1", seconds=1), "video/mp4", ["av1", "aac"], "audio/mp4"),
        (lambda: film(sound=""), "video/mp4", ["h264"], ""),
    ],
)
def test_a_video_keeps_its_streams_in_a_file_that_browsers_play(
    sent: Callable[[], bytes], content_type: str, streams: list[str], audio_type: str
) -> None:
    prepared = prepare_media(sent())
    assert prepared.kind is MediaKind.VIDEO
    assert (prepared.content_type, prepared.extension) == (content_type, content_type[6:])
    assert [codec for _, codec in streams_of(prepared.content)] == streams
    assert (prepared.width, prepared.height) == SIZE
    assert prepared.duration_seconds == pytest.approx(round(prepared.frame_count / 25, 2), abs=0.1)
    assert prepared.audio_type == audio_type
    heard = streams_of(prepared.audio) if prepared.audio else []
    assert heard == [("audio", codec) for codec in streams[1:]]


@pytest.mark.parametrize(
    ("sent", "content_type", "extension"),
    [
        (tone, "audio/mpeg", "mp3"),
        (lambda: tone("ipod", "aac"), "audio/mp4", "m4a"),
        (lambda: tone("mp4", "aac"), "audio/mp4", "m4a"),
        (lambda: tone("adts", "aac"), "audio/mp4", "m4a"),
        (lambda: tone("ogg", "libopus"), "audio/webm", "webm"),
        (lambda: tone("webm", "libopus"), "audio/webm", "webm"),
        (lambda: tone("ogg", "flac"), "audio/flac", "flac"),
        (lambda: tone("flac", "flac"), "audio/flac", "flac"),
        (lambda: tone("wav", "pcm_s16le"), "audio/wav", "wav"),
        (lambda: tone("wav", "pcm_u8"), "audio/wav", "wav"),
        (lambda: tone(cover=True), "audio/mpeg", "mp3"),
    ],
)
def test_a_sound_becomes_a_file_of_one_stream(
    sent: Callable[[], bytes], content_type: str, extension: str
) -> None:
    prepared = prepare_media(sent())
    assert (prepared.kind, prepared.content_type) == (MediaKind.AUDIO, content_type)
    assert prepared.extension == extension
    assert [sort for sort, _ in streams_of(prepared.content)] == ["audio"]
    assert prepared.duration_seconds == pytest.approx(2.0, abs=0.1)
    assert (prepared.width, prepared.frames, prepared.audio) == (0, (), b"")


def test_pictures_go_their_own_way() -> None:
    data = encoded(photo(), "JPEG")
    assert prepare_media(data) == prepare_image(data)


@pytest.mark.parametrize(
    ("data", "sort"),
    [
        (b"\x00\x00\x00\x18ftypisom", "video"),
        (b"\x00\x00\x00\x14ftypqt  ", "video"),
        (b"\x00\x00\x00\x18ftypM4A ", "sound"),
        (b"\x1a\x45\xdf\xa3", "video"),
        (b"OggS", "sound"),
        (b"fLaC", "sound"),
        (b"ID3\x04", "sound"),
        (b"\xff\xfb\x90\x64", "sound"),
        (b"\xff\xf1\x50\x80", "sound"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "sound"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"", "picture"),
    ],
)
def test_first_bytes_say_what_it_may_be(data: bytes, sort: str) -> None:
    assert sort_of(data) == sort


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b'<?xml version="1.0"?><MPD/>',
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1",
        b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",
        b"FLV\x01\x05\x00\x00\x00\x09",
        b"\x00\x00\x01\xba\x44\x00\x04\x00\x04\x01",
        b"\x47\x40\x00\x10" + bytes(184),
        b"\xff\xfe<\x00h\x00t\x00m\x00l\x00",
    ],
    ids=["m3u8", "concat", "dash", "avi", "avif", "heic", "wmv", "flv", "mpeg", "ts", "utf-16"],
)
def test_other_kinds_of_files_are_refused_by_their_first_bytes(data: bytes) -> None:
    with pytest.raises(MediaRefused, match="this is none of them"):
        check_signature(data)


def test_a_place_for_pictures_takes_no_video() -> None:
    with pytest.raises(MediaRefused, match="WebP or GIF picture; this is none of them"):
        prepare_image(plain_film())


def test_a_site_without_ffmpeg_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "av" else find_spec(name)
    )
    with pytest.raises(MediaRefused, match="This site cannot check videos"):
        prepare_media(plain_film())


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "limits", "words"),
    [
        (lambda: b"", {}, "empty"),
        (plain_film, {"max_stream_bytes": 50_000}, "too large"),
        (plain_film, {"max_duration_seconds": 1.5}, "At most 0.025 minutes"),
        (plain_film, {"max_video_pixels": 10_000}, "160 x 120 pixels"),
        (plain_film, {"max_video_frames": 40}, "too many frames"),
        (plain_film, {"max_packets": 40}, "too many frames"),
        (plain_film, {"watched_pixels": 100_000}, "too long to look at"),
        (lambda: film(codec="libx265", x265_params="log-level=none"), {}, r"this video \(hevc\)"),
        (lambda: film(form="mov", codec="mpeg4"), {}, r"this video \(mpeg4\)"),
        (lambda: film(colours="yuv444p"), {}, "colours"),
        (lambda: film(form="mov", sound="pcm_s16le"), {}, r"\(pcm_s16le\) beside this video"),
        (lambda: film(sound="ac3"), {}, r"this sound \(ac3\)"),
        (lambda: tone("wav", "pcm_alaw"), {}, r"this sound \(pcm_alaw\)"),
        (tone, {"max_duration_seconds": 1.0}, "At most"),
    ],
)
def test_a_refusal_tells_the_author_what_is_wrong(
    sent: Callable[[], bytes], limits: dict[str, float], words: str
) -> None:
    with pytest.raises(MediaRefused, match=words):
        prepare_media(sent(), limits=MediaLimits(**limits))  # type: ignore[arg-type]


# --- nothing but the streams ------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        lambda: film(tags=TAGS),
        lambda: film(form="mov", tags=TAGS),
        lambda: film(form="webm", codec="libvpx", sound="libopus", tags=TAGS),
        lambda: tone(tags=TAGS),
        lambda: tone("ipod", "aac", tags=TAGS),
        lambda: tone("ogg", "libopus", tags=TAGS),
        lambda: tone("flac", "flac", tags=TAGS),
        lambda: tone("wav", "pcm_s16le", tags=TAGS),
    ],
)
def test_nothing_that_was_told_beside_the_streams_survives(sent: Callable[[], bytes]) -> None:
    data = sent()
    prepared = prepare_media(data)
    assert MARKER.encode() in data
    for made in filter(None, (prepared.content, prepared.audio)):
        assert MARKER.encode() not in made
        assert MARKER not in repr(told_in(made))


def film_with_everything() -> bytes:
    """A Matroska file with subtitles, chapters, an attached file and a second sound."""
    out = io.BytesIO()
    with av.open(io.BytesIO(plain_film())) as source, av.open(out, "w", format="matroska") as made:
        made.add_attachment(f"{MARKER}.html", "text/html", f"<b>{MARKER}</b>".encode())
        made.set_chapters(
            [
                {
                    "id": 1,
                    "start": 0,
                    "end": 1000,
                    "time_base": av.time_base and source.streams.video[0].time_base,
                    "metadata": {"title": MARKER},
                }
            ]
        )
        taken = list(source.streams)
        copies = [made.add_stream_from_template(stream, opaque=True) for stream in taken]
        second = made.add_stream_from_template(source.streams.audio[0], opaque=True)
        for packet in source.demux():
            if not packet.size:
                continue
            twice = packet.stream.type == "audio"
            body, pts, base = bytes(packet), packet.pts, packet.time_base
            packet.stream = copies[packet.stream_index]
            made.mux(packet)
            if twice:
                again = av.Packet(body)
                again.pts = again.dts = pts
                again.time_base, again.stream = base, second
                made.mux(again)
    return out.getvalue()


def test_chapters_attached_files_and_other_tracks_are_left_out() -> None:
    data = film_with_everything()
    assert MARKER.encode() in data
    assert len(streams_of_all(data)) == 4
    prepared = prepare_media(data)
    assert MARKER.encode() not in prepared.content
    assert streams_of(prepared.content) == [("video", "h264"), ("audio", "aac")]
    assert told_in(prepared.content)[-1] == []


def streams_of_all(data: bytes) -> list[str]:
    with av.open(io.BytesIO(data)) as opened:
        return [stream.type for stream in opened.streams]


def test_what_cameras_write_between_the_pictures_is_taken_out() -> None:
    note = "086f3693b7b34f2c965321492feee5b8+" + MARKER
    data = reworked(plain_film(), unchanged, filters=f"h264_metadata=sei_user_data={note}")
    assert MARKER.encode() in data
    prepared = prepare_media(data)
    assert MARKER.encode() not in prepared.content
    # The encoder's own note, too.
    assert b"x264" in data
    assert b"x264" not in prepared.content
    assert len(frames_of(prepared.content)) == 50


def unit(kind: int, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body


RECOVERY, USER_DATA = b"\x06\x01\x80\x80", b"\x05\x03abc\x80"


@pytest.mark.parametrize(
    ("units", "kept"),
    [
        ([unit(0x67, b"head"), unit(0x65, b"picture")], [0, 1]),
        ([unit(0x06, USER_DATA), unit(0x65, b"picture")], [1]),
        ([unit(0x06, RECOVERY), unit(0x41, b"picture")], [0, 1]),
        # One needed and one not, in one unit: nothing is worth the other.
        ([unit(0x06, RECOVERY[:-1] + USER_DATA), unit(0x41, b"picture")], [1]),
        # Sizes of 255 and more, and bytes put in where three would begin a new unit.
        ([unit(0x06, b"\x05\xff\x01" + b"a" * 256 + b"\x80"), unit(0x41, b"p")], [1]),
        ([unit(0x06, b"\x00\x04\x00\x00\x03\x00\x00\x80"), unit(0x41, b"p")], [0, 1]),
        ([unit(0x06, b""), unit(0x41, b"p")], [0, 1]),
        ([bytes(4), unit(0x41, b"p")], [0, 1]),
    ],
)
def test_only_supplements_that_decoders_need_are_kept(units: list[bytes], kept: list[int]) -> None:
    assert bare_h264(b"".join(units), 4) == b"".join(units[number] for number in kept)


def test_units_that_do_not_fit_are_no_h264() -> None:
    with pytest.raises(ValueError, match="longer than its packet"):
        bare_h264(b"\x00\x00\x10\x00\x65", 4)
    for head in (None, b"", b"\x00\x00\x00\x01\x67"):
        with pytest.raises(ValueError, match="none of an MP4's"):
            h264_length_size(head)


@pytest.mark.parametrize("hertz", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100])
def test_every_frame_of_an_mp3_is_known_to_its_end(hertz: int) -> None:
    data = tone(hertz=hertz)
    with av.open(io.BytesIO(data)) as opened:
        frames = [bytes(packet) for packet in opened.demux() if packet.size]
    assert len(frames) > 10
    assert [bare_mp3(frame + MARKER.encode()) for frame in frames] == frames


@pytest.mark.parametrize("data", [b"", b"\xff\xfb", b"TAG and more", b"\xff\xfb\x0c\xff1234"])
def test_what_is_no_frame_of_an_mp3_is_dropped(data: bytes) -> None:
    assert bare_mp3(data) == b""


def vorbis_head(comment: bytes) -> bytes:
    parts = [b"\x01vorbis" + bytes(23), comment, b"\x05vorbis" + b"setup" * 100]
    sizes = b"".join(b"\xff" * (len(part) // 255) + bytes([len(part) % 255]) for part in parts[:2])
    return b"\x02" + sizes + b"".join(parts)


def test_the_tags_of_vorbis_are_emptied() -> None:
    head = vorbis_head(b"\x03vorbis" + MARKER.encode() * 30 + b"\x01")
    assert bare_vorbis_head(head) == vorbis_head(b"\x03vorbis" + bytes(8) + b"\x01")
    with pytest.raises(ValueError, match="another order"):
        bare_vorbis_head(vorbis_head(b"\x05vorbis"))
    with pytest.raises(ValueError, match="none of Vorbis"):
        bare_vorbis_head(b"\x01vorbis")


def test_vorbis_itself_is_played_on() -> None:
    data = tone("ogg", "vorbis", tags=TAGS, strict="experimental")
    prepared = prepare_media(data)
    assert MARKER.encode() in data
    assert MARKER.encode() not in prepared.content
    with av.open(io.BytesIO(prepared.content)) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) > 90_000


def test_transparency_that_no_model_sees_is_left_out() -> None:
    data = film(form="webm", codec="libvpx", sound="", colours="yuva420p", auto_alt_ref="0")
    assert b"\x75\xa1" in data  # BlockAdditions of Matroska: where the transparency stands
    assert b"\x75\xa1" not in prepare_media(data).content


# --- what is looked at ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        lambda: film(seconds=12, paint=clock, sound=""),
        lambda: film(seconds=12, paint=clock, sound="", x264_params="keyint=15:bframes=3"),
        lambda: film(
            seconds=12,
            paint=clock,
            sound="",
            x264_params="open-gop=1:keyint=20:min-keyint=20:scenecut=0:bframes=3",
        ),
        lambda: film(form="webm", codec="libvpx", seconds=12, paint=clock, sound=""),
        lambda: film(
            form="webm", codec="libvpx-vp9", seconds=12, paint=clock, sound="", deadline="realtime"
        ),
        lambda: film(codec="libsvtav1", seconds=12, paint=clock, sound="", preset="12"),
    ],
    ids=["h264", "many keys", "open groups", "vp8", "vp9", "av1"],
)
def test_each_still_was_shown_at_its_second(sent: Callable[[], bytes]) -> None:
    prepared = prepare_media(sent())
    assert len(prepared.frames) == len(prepared.frame_seconds) == len(prepared.frame_hashes)
    assert len(prepared.frames) >= 15
    assert prepared.frame_seconds[0] == 0
    assert prepared.frame_seconds == tuple(sorted(prepared.frame_seconds))
    assert max(later - sooner for sooner, later in pairwise(prepared.frame_seconds)) < 2
    for seconds, still in zip(prepared.frame_seconds, prepared.frames, strict=True):
        assert pixel(still, (80, 60))[0] / 20 == pytest.approx(seconds, abs=0.1)


def with_red(begin: float, end: float) -> Callable[[float], Pixels]:
    return lambda seconds: plain(RED) if begin <= seconds < end else moving(seconds)


def with_insert(begin: float, scene: Callable[[float], Pixels]) -> Callable[[float], Pixels]:
    insert = np.asarray(photo(9, SIZE)).copy()
    insert[40:80, 60:100] = RED
    return lambda seconds: insert if begin <= seconds < begin + 0.5 else scene(seconds)


def calm(seconds: float) -> Pixels:
    """A scene in which little moves."""
    pixels = np.asarray(photo(4, SIZE)).copy()
    at = int(seconds * 10) % 100
    pixels[:20, at : at + 20] = (20, 90, 200)
    return pixels


@pytest.mark.parametrize(
    ("scene", "options"),
    [
        (moving, {"preset": "veryfast", "x264_params": "keyint=600"}),
        (moving, {"preset": "medium", "x264_params": "keyint=600"}),
        # Where an encoder is told to begin no scene anew, the frame's size tells.
        (calm, {"preset": "veryfast", "x264_params": "keyint=infinite:scenecut=0"}),
        (calm, {"preset": "ultrafast", "x264_params": "keyint=infinite:scenecut=0"}),
    ],
    ids=["keyframe", "best keyframe", "no keyframe", "no keyframe, fast"],
)
@pytest.mark.parametrize("begin", [3.1, 11.7, 17.3, 26.4])
def test_a_scene_of_half_a_second_is_seen(
    scene: Callable[[float], Pixels], options: dict[str, str], begin: float
) -> None:
    shown = with_insert(begin, scene)
    prepared = prepare_media(film(seconds=30, rate=10, paint=shown, sound="", **options))
    red = [seconds for seconds, still in seen(prepared) if is_red(still)]
    assert red
    assert all(begin - 0.01 <= seconds < begin + 0.5 for seconds in red)


def test_a_scene_without_a_beginning_of_its_own_is_seen_too() -> None:
    one_keyframe = "keyint=infinite:scenecut=0"
    prepared = prepare_media(
        film(seconds=24, rate=10, paint=with_red(12, 16), sound="", x264_params=one_keyframe)
    )
    red = [seconds for seconds, still in seen(prepared) if is_red(still)]
    assert red
    assert all(12 <= seconds <= 16 for seconds in red)


def test_innocent_keyframes_do_not_hide_what_lies_between() -> None:
    def paint(seconds: float) -> Pixels:
        return moving(seconds) if round(seconds * 10) % 10 == 0 else plain(RED)

    prepared = prepare_media(
        film(
            seconds=30,
            rate=10,
            paint=paint,
            sound="",
            x264_params="keyint=10:min-keyint=10:scenecut=0",
        )
    )
    assert sum(is_red(still) for still in prepared.frames) >= 8


def seen(prepared: PreparedMedia) -> list[tuple[float, bytes]]:
    return list(zip(prepared.frame_seconds, prepared.frames, strict=True))


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("mp4", {"codec": "libx264", "x264_params": "keyint=infinite:scenecut=0"}),
        ("webm", {"codec": "libvpx", "g": "1000"}),
        ("webm", {"codec": "libvpx-vp9", "g": "1000", "deadline": "realtime"}),
        ("mp4", {"codec": "libsvtav1", "g": "1000", "preset": "12"}),
    ],
)
def test_frames_that_only_claim_to_be_keyframes_hide_nothing(
    form: str, options: dict[str, str]
) -> None:
    def claim(number: int, packet: av.Packet) -> av.Packet:
        packet.is_keyframe = True
        return packet

    sent = film(form=form, seconds=8, rate=10, paint=with_red(3, 6), sound="", **options)
    prepared = prepare_media(reworked(sent, claim, form=form))
    red = [seconds for seconds, still in seen(prepared) if is_red(still)]
    assert len(red) >= 3
    assert all(2.8 <= seconds <= 6 for seconds in red)


def test_stills_fit_the_model_and_have_their_hashes() -> None:
    shot = np.asarray(photo(3, (1600, 400)))
    prepared = prepare_media(film(seconds=0.4, paint=lambda seconds: shot, sound=""))
    for still, hashed in zip(prepared.frames, prepared.frame_hashes, strict=True):
        with opened(still) as shown:
            assert (shown.format, shown.size) == ("JPEG", (640, 160))
        assert len(hashed) == 64
    assert prepared.perceptual_hash == prepared.frame_hashes[0]
    first = frames_of(prepared.content)[0]
    again = prepare_image(encoded(first, "PNG")).perceptual_hash
    assert hamming(prepared.perceptual_hash, again) <= 31


def corner(seconds: float) -> Pixels:
    pixels = plain((20, 20, 200))
    pixels[:30, :40] = RED
    return pixels


@pytest.mark.parametrize(
    ("rotation", "red_at"),
    [(0, (10, 10)), (90, (10, 150)), (-90, (110, 10)), (180, (150, 110))],
)
def test_a_video_taken_in_any_position_stands_upright(
    rotation: int, red_at: tuple[int, int]
) -> None:
    prepared = prepare_media(film(seconds=0.4, paint=corner, sound="", rotation=rotation))
    upright = SIZE[::-1] if rotation in (90, -90) else SIZE
    assert (prepared.width, prepared.height) == upright
    assert opened(prepared.frames[0]).size == upright
    assert pixel(prepared.frames[0], red_at)[0] > 150
    with av.open(io.BytesIO(prepared.content)) as made:
        assert abs(next(made.decode(video=0)).rotation) == abs(rotation)


def test_wide_pixels_are_shown_wide() -> None:
    prepared = prepare_media(film(seconds=0.4, sound="", aspect=2))
    assert (prepared.width, prepared.height) == (320, 120)
    assert opened(prepared.frames[0]).size == (320, 120)


def test_the_index_comes_before_the_pictures() -> None:
    made = prepare_media(plain_film()).content
    assert made.index(b"moov") < made.index(b"mdat")


def test_the_same_video_becomes_the_same_file() -> None:
    assert prepare_media(plain_film()).content == prepare_media(plain_film()).content


def test_our_own_copy_is_accepted_again() -> None:
    for data in (plain_film(), film(form="webm", codec="libvpx", sound="libopus")):
        once = prepare_media(data)
        twice = prepare_media(once.content)
        assert twice.content_type == once.content_type
        assert np.array_equal(*map(first_frame, (once.content, twice.content)))


def first_frame(data: bytes) -> Pixels:
    return np.asarray(frames_of(data)[0].convert("RGB"), dtype=np.uint8)


def test_a_still_of_a_video_that_lies_on_its_side_is_no_picture_of_exif() -> None:
    with Image.open(io.BytesIO(prepare_media(plain_film()).frames[0])) as still:
        assert len(still.getexif()) == 0


def with_edit(begin: float, lasts: float) -> bytes:
    """Four seconds, of which an edit list shows some: it counts in ms, and in the film's ticks."""
    whole = film(seconds=4, paint=clock, sound="", x264_params="keyint=25:scenecut=0:bframes=0")
    ticks = int(begin * 12_800)
    edit = round(lasts * 1000).to_bytes(4, "big") + ticks.to_bytes(4, "big")
    return patched(whole, b"elst", 8, edit)


def test_what_an_edit_cut_off_behind_is_not_there_at_all() -> None:
    prepared = prepare_media(with_edit(0, 2))
    assert prepared.duration_seconds == pytest.approx(2.0, abs=0.1)
    assert len(frames_of(prepared.content)) <= 51


def test_what_an_edit_cut_off_before_is_not_shown() -> None:
    prepared = prepare_media(with_edit(1.5, 2.5))
    assert prepared.duration_seconds == pytest.approx(2.5, abs=0.1)
    assert prepared.frame_seconds[0] == 0
    for seconds, still in seen(prepared):
        assert pixel(still, (80, 60))[0] / 20 == pytest.approx(1.5 + seconds, abs=0.1)


def test_a_speech_over_a_single_picture_lasts_as_long_as_it() -> None:
    prepared = prepare_media(film(seconds=0.04, sound="aac", sound_seconds=3.0))
    assert (prepared.frame_count, prepared.frame_seconds) == (1, (0.0,))
    assert prepared.duration_seconds == pytest.approx(3.0, abs=0.1)


def without_packets(sort: str) -> bytes:
    """A video with sound, of which one is announced and never comes."""
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(film(form="webm", codec="libvpx", sound="libopus"))) as source,
        av.open(out, "w", format="webm") as made,
    ):
        copies = [made.add_stream_from_template(one, opaque=True) for one in source.streams]
        for packet in source.demux():
            if packet.size and packet.stream.type != sort:
                packet.stream = copies[packet.stream_index]
                made.mux(packet)
    return out.getvalue()


def test_a_sound_that_is_announced_and_never_comes_is_none() -> None:
    prepared = prepare_media(without_packets("audio"))
    assert (prepared.kind, prepared.audio, prepared.audio_type) == (MediaKind.VIDEO, b"", "")


def test_a_video_that_is_announced_and_never_comes_is_damaged() -> None:
    with pytest.raises(MediaRefused, match="damaged or incomplete"):
        prepare_media(without_packets("video"))


def test_a_sound_may_end_before_its_video() -> None:
    sent = film(form="webm", codec="libvpx", sound="libopus", seconds=4, sound_seconds=1.0)
    assert prepare_media(sent).duration_seconds == pytest.approx(4.0, abs=0.1)
    assert prepare_media(film(seconds=4, sound_seconds=1.0)).audio_type == "audio/mp4"


@pytest.mark.skipif(
    not hasattr(os, "sched_getscheduler"), reason="This system has no such policies."
)
def test_to_make_av1_leaves_the_test_run_as_urgent_as_it_was() -> None:
    before = os.sched_getscheduler(0)
    film(codec="libsvtav1", seconds=0.2)
    assert os.sched_getscheduler(0) == before
