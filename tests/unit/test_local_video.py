"""A video is as bad as its worst frame; what nobody saw of it is not clean."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderation.errors import ProviderUnavailable
from moderation.media.decode import prepare_media
from moderation.providers.base import Answer, AnyPart, ImagePart, TextPart, VideoPart
from moderation.providers.own.local_image import LocalImageProvider
from moderation.providers.own.local_video import LocalVideoProvider
from moderation.vocabulary import Category, Outcome, Part
from tests.unit.stream_files import film, plain

BOX = (0.1, 0.2, 0.3, 0.4)


class RedIsSexual:
    """An image provider that sees how red a picture is, and calls white ones graphic."""

    name = "red"
    parts = frozenset({Part.IMAGE})
    is_local = True
    model_version = "red-1"

    def __init__(self, available: bool = True) -> None:
        self.available = available
        self.asked: list[AnyPart] = []

    def is_available(self) -> bool:
        return self.available

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        self.asked += parts
        return [self._judge(part) for part in parts]

    def _judge(self, part: AnyPart) -> Answer:
        assert isinstance(part, ImagePart)
        try:
            with Image.open(part.path) as image:
                red, green, _ = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(axis=0) / 255
        except OSError:
            return Answer(Outcome.FAILED, error="picture unreadable")
        return Answer(
            Outcome.JUDGED,
            scores={
                Category.SEXUAL: round(float(red - green), 2) if red > green else 0.0,
                Category.GRAPHIC: round(float(min(red, green)), 2),
            },
            regions=[(*BOX, part.key)],
        )


def video(folder: Path, *colours: tuple[int, int, int], seconds: Sequence[float] = ()) -> VideoPart:
    paths = []
    for number, colour in enumerate(colours):
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(plain(colour)).save(paths[-1])
    return VideoPart(
        key="media:1",
        path=folder / "video.mp4",
        scope="7",
        frame_paths=tuple(paths),
        frame_seconds=tuple(seconds) or tuple(map(float, range(len(paths)))),
    )


GREY, RED, WHITE = (99, 99, 99), (255, 0, 0), (255, 255, 255)


def test_the_worst_frame_of_each_category_counts(tmp_path: Path) -> None:
    part = video(tmp_path, GREY, RED, GREY, WHITE, seconds=(0.0, 1.5, 3.0, 4.25))
    (answer,) = LocalVideoProvider(RedIsSexual()).judge([part])
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores[Category.SEXUAL] == pytest.approx(1.0, abs=0.02)
    assert answer.scores[Category.GRAPHIC] == pytest.approx(1.0, abs=0.02)
    assert answer.raw["worst_second"] == {"sexual": 1.5, "graphic": 4.25}
    assert [frame["second"] for frame in answer.raw["frames"]] == [0.0, 1.5, 3.0, 4.25]
    assert answer.raw["frames"][2]["scores"]["sexual"] == 0.0


def test_regions_are_those_of_the_worst_frames(tmp_path: Path) -> None:
    (answer,) = LocalVideoProvider(RedIsSexual()).judge([video(tmp_path, GREY, RED, GREY, WHITE)])
    assert list(answer.regions) == [(*BOX, "media:1#1"), (*BOX, "media:1#3")]


def test_the_answer_says_that_nobody_listened(tmp_path: Path) -> None:
    (answer,) = LocalVideoProvider(RedIsSexual()).judge([video(tmp_path, GREY)])
    assert answer.raw["sound"] == "not judged"


def test_frames_keep_the_scope_of_their_video(tmp_path: Path) -> None:
    images = RedIsSexual()
    LocalVideoProvider(images).judge([video(tmp_path, GREY, RED)])
    assert [(part.kind, part.scope) for part in images.asked] == [(Part.IMAGE, "7")] * 2


def test_a_frame_that_cannot_be_read_leaves_the_video_unjudged(tmp_path: Path) -> None:
    part = video(tmp_path, GREY, GREY, GREY)
    part.frame_paths[1].write_bytes(b"no picture")
    (answer,) = LocalVideoProvider(RedIsSexual()).judge([part])
    assert (answer.outcome, answer.scores) == (Outcome.FAILED, {})
    assert answer.error == "picture unreadable"


def test_each_video_has_its_own_answer(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    parts = [video(tmp_path / "a", GREY), video(tmp_path / "b", RED)]
    scores = [answer.scores for answer in LocalVideoProvider(RedIsSexual()).judge(parts)]
    assert scores[0][Category.SEXUAL] < 0.1 < 0.9 < scores[1][Category.SEXUAL]


@pytest.mark.parametrize(
    "part",
    [
        TextPart("text", "hello"),
        ImagePart("media:2", Path("a.jpg")),
        VideoPart("media:3", Path("a.mp4")),
    ],
)
def test_what_has_no_frames_is_not_judged(part: AnyPart) -> None:
    images = RedIsSexual()
    (answer,) = LocalVideoProvider(images).judge([part])
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})
    assert images.asked == []


def test_a_category_that_one_frame_has_no_score_for_has_none(tmp_path: Path) -> None:
    class Forgetful(RedIsSexual):
        def _judge(self, part: AnyPart) -> Answer:
            scores = {Category.SEXUAL: 0.1}
            if part.key.endswith("#0"):
                scores[Category.GRAPHIC] = 0.2
            return Answer(Outcome.JUDGED, scores=scores)

    (answer,) = LocalVideoProvider(Forgetful()).judge([video(tmp_path, GREY, RED)])
    assert answer.scores == {Category.SEXUAL: 0.1}


def test_a_model_that_fails_fails_the_batch(tmp_path: Path) -> None:
    class Broken(RedIsSexual):
        def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
            raise ProviderUnavailable("The image model failed.")

    with pytest.raises(ProviderUnavailable):
        LocalVideoProvider(Broken()).judge([video(tmp_path, GREY)])


def test_it_is_there_where_the_image_model_is() -> None:
    assert LocalVideoProvider(RedIsSexual()).is_available()
    assert not LocalVideoProvider(RedIsSexual(available=False)).is_available()
    assert LocalVideoProvider(RedIsSexual()).model_version == "red-1/frames-1"


def test_without_the_model_a_video_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.providers.own.local_image._model_path", lambda: None)
    images = LocalImageProvider()
    (answer,) = LocalVideoProvider(images).judge([video(tmp_path, GREY)])
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "model not installed")
    assert LocalVideoProvider(images).model_version == ""


def test_a_real_video_is_judged_by_what_it_shows(tmp_path: Path) -> None:
    made = prepare_media(
        film(seconds=3, rate=10, paint=lambda at: plain(RED if 1 <= at < 2 else GREY))
    )
    paths = []
    for number, still in enumerate(made.frames):
        paths.append(tmp_path / f"{number}.jpg")
        with Image.open(io.BytesIO(still)) as image:
            image.save(paths[-1])
    part = VideoPart(
        "media:1",
        tmp_path / "video.mp4",
        frame_paths=tuple(paths),
        frame_seconds=made.frame_seconds,
    )
    (answer,) = LocalVideoProvider(RedIsSexual()).judge([part])
    assert answer.scores[Category.SEXUAL] > 0.9
    assert 1 <= answer.raw["worst_second"]["sexual"] < 2
