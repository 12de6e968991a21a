"""The local image model: what it is asked, what its output means, and what happens without it."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from moderation.errors import ProviderUnavailable
from moderation.providers.base import ImagePart, TextPart
from moderation.providers.own import local_image
from moderation.providers.own.local_image import LocalImageProvider
from moderation.vocabulary import Category, Outcome, Part
from tests.unit.media_files import photo

LABELS = [
    "FEMALE_GENITALIA_COVERED",
    "FACE_FEMALE",
    "BUTTOCKS_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED",
]
ANCHORS = 2100


class SessionOfPixels:
    """Stands for onnxruntime's session: sees a solid box of colour (channel 0: red) as `label`."""

    def __init__(
        self, rows: Sequence[tuple[str, float, tuple[float, float, float, float]]]
    ) -> None:
        self.rows = rows
        self.asked: list[Any] = []

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"name": "images"})]

    def get_modelmeta(self) -> Any:
        names = dict(enumerate(LABELS))
        return type("Meta", (), {"custom_metadata_map": {"names": repr(names)}})

    def run(self, outputs: None, inputs: dict[str, Any]) -> list[Any]:
        (pixels,) = inputs.values()
        self.asked.append(pixels)
        output = np.zeros((len(pixels), 4 + len(LABELS), ANCHORS), dtype=np.float32)
        for column, (label, confidence, box) in enumerate(self.rows):
            output[:, :4, column] = box
            output[:, 4 + LABELS.index(label), column] = confidence
        return [output]


@pytest.fixture
def provider_seeing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function: a provider whose model sees the given rows in every picture."""
    import onnxruntime

    model = tmp_path / "320n.onnx"
    model.write_bytes(b"")
    monkeypatch.setattr(local_image, "_model_path", lambda: model)

    def make(*rows: tuple[str, float, tuple[float, float, float, float]]) -> Any:
        session = SessionOfPixels(rows)
        monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **kwargs: session)
        return LocalImageProvider(), session

    return make


def saved(folder: Path, image: Image.Image, name: str = "a.png") -> Path:
    path = folder / name
    image.save(path)
    return path


# --- without the model ------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["nudenet", "onnxruntime"])
def test_without_the_extra_nothing_is_judged(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == missing else real(name, *rest),
    )
    provider = LocalImageProvider()
    answers = provider.judge([ImagePart("a", tmp_path / "a.png")] * 2)
    assert not provider.is_available()
    assert provider.model_version == ""
    assert [(answer.outcome, answer.error, answer.scores) for answer in answers] == [
        (Outcome.NOT_JUDGED, "model not installed", {})
    ] * 2


# --- what its output means --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "confidence", "expected"),
    [
        ("FEMALE_GENITALIA_EXPOSED", 0.24, 0.0),  # the detector guesses
        ("FEMALE_GENITALIA_EXPOSED", 0.25, 0.55),
        ("FEMALE_GENITALIA_EXPOSED", 0.5, 0.75),
        ("FEMALE_GENITALIA_EXPOSED", 0.95, 0.99),
        ("FEMALE_BREAST_EXPOSED", 0.8, 0.9405),
        ("BUTTOCKS_EXPOSED", 0.8, 0.792),
        ("FEMALE_GENITALIA_COVERED", 0.8, 0.4455),
        ("FACE_FEMALE", 0.95, 0.0),
    ],
)
def test_a_score_grows_with_what_is_seen_and_how_surely(
    provider_seeing: Any, tmp_path: Path, label: str, confidence: float, expected: float
) -> None:
    provider, _ = provider_seeing((label, confidence, (160, 160, 40, 40)))
    (answer,) = provider.judge([ImagePart("a", saved(tmp_path, photo()))])
    assert answer.outcome == Outcome.JUDGED
    assert answer.scores == {Category.SEXUAL: pytest.approx(expected, abs=1e-3)}


def test_a_box_is_told_as_fractions_of_the_picture(provider_seeing: Any, tmp_path: Path) -> None:
    # 400 x 200 becomes 320 x 160 in the square's upper half.
    provider, _ = provider_seeing(("BUTTOCKS_EXPOSED", 0.9, (80, 80, 160, 80)))
    (answer,) = provider.judge([ImagePart("a", saved(tmp_path, photo(1, (400, 200))))])
    ((left, top, width, height, label),) = answer.regions
    assert (left, top, width, height) == pytest.approx((0.0, 0.25, 0.5, 0.5))
    assert label == "BUTTOCKS_EXPOSED"


def test_overlapping_boxes_are_told_once_and_the_surest_counts(
    provider_seeing: Any, tmp_path: Path
) -> None:
    provider, _ = provider_seeing(
        ("BUTTOCKS_EXPOSED", 0.6, (100, 100, 50, 50)),
        ("FEMALE_BREAST_EXPOSED", 0.7, (102, 100, 50, 50)),
        ("BUTTOCKS_EXPOSED", 0.5, (250, 100, 50, 50)),
    )
    (answer,) = provider.judge([ImagePart("a", saved(tmp_path, photo()))])
    assert [region[4] for region in answer.regions] == [
        "FEMALE_BREAST_EXPOSED",
        "BUTTOCKS_EXPOSED",
    ]


def test_faces_are_kept_as_evidence_but_not_pointed_at(
    provider_seeing: Any, tmp_path: Path
) -> None:
    provider, _ = provider_seeing(("FACE_FEMALE", 0.9, (100, 100, 50, 50)))
    (answer,) = provider.judge([ImagePart("a", saved(tmp_path, photo()))])
    assert answer.regions == []
    assert answer.raw["detections"][0]["label"] == "FACE_FEMALE"


# --- what the model is asked ------------------------------------------------------------------


def test_pictures_reach_the_model_upright_in_red_green_blue(
    provider_seeing: Any, tmp_path: Path
) -> None:
    image = Image.new("RGB", (640, 320), (255, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 160, 639, 319), fill=(0, 0, 255))
    provider, session = provider_seeing()
    provider.judge([ImagePart("a", saved(tmp_path, image))])
    ((pixels,),) = session.asked
    assert pixels.shape == (3, 320, 320)
    assert pixels.dtype == np.float32
    assert pixels[:, 40, 160].tolist() == [1, 0, 0]
    assert pixels[:, 120, 160].tolist() == [0, 0, 1]
    assert pixels[:, 240, 160].tolist() == [0, 0, 0]  # padding


def test_transparency_is_looked_through_to_grey(provider_seeing: Any, tmp_path: Path) -> None:
    provider, session = provider_seeing()
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    provider.judge([ImagePart("a", saved(tmp_path, clear))])
    assert np.allclose(session.asked[0][0][:, 50, 50], 128 / 255)


def test_every_sampled_frame_is_asked_and_the_worst_counts(
    provider_seeing: Any, tmp_path: Path
) -> None:
    provider, session = provider_seeing(("FEMALE_BREAST_EXPOSED", 0.8, (90, 90, 40, 40)))
    frames = tuple(saved(tmp_path, photo(seed), f"{seed}.png") for seed in range(3))
    part = ImagePart("a", tmp_path / "whole.webp", Part.GIF, frame_paths=frames)
    (answer,) = provider.judge([part])
    assert [len(batch) for batch in session.asked] == [2, 1]
    assert {found["frame"] for found in answer.raw["detections"]} == {0, 1, 2}
    assert answer.scores[Category.SEXUAL] > 0.9


def test_a_large_batch_is_cut_and_answers_stay_in_order(
    provider_seeing: Any, tmp_path: Path
) -> None:
    provider, session = provider_seeing()
    path = saved(tmp_path, photo())
    # Every other file is missing.
    parts = [ImagePart("a", path if n % 2 else tmp_path / "none.png") for n in range(20)]
    answers = provider.judge(parts)
    assert [len(batch) for batch in session.asked] == [1] * 10
    assert [answer.outcome for answer in answers] == [Outcome.FAILED, Outcome.JUDGED] * 10


def test_a_part_with_one_unreadable_frame_has_failed(provider_seeing: Any, tmp_path: Path) -> None:
    # Its other frames being harmless would say nothing of the one that nobody saw.
    provider, _ = provider_seeing()
    frames = (saved(tmp_path, photo()), tmp_path / "none.png")
    part = ImagePart("a", tmp_path / "whole.webp", Part.GIF, frame_paths=frames)
    assert provider.judge([part])[0].outcome == Outcome.FAILED


@pytest.mark.parametrize("content", [b"", b"no picture at all", None])
def test_a_part_that_cannot_be_read_has_failed_and_spares_the_others(
    provider_seeing: Any, tmp_path: Path, content: bytes | None
) -> None:
    provider, _ = provider_seeing()
    broken = tmp_path / "broken.png"
    if content is not None:
        broken.write_bytes(content)
    good = ImagePart("b", saved(tmp_path, photo()))
    first, second, third = provider.judge([ImagePart("a", broken), good, TextPart("t", "x")])
    assert (first.outcome, first.scores, first.error) == (
        Outcome.FAILED,
        {},
        "picture unreadable",
    )
    assert second.outcome == Outcome.JUDGED
    assert third.outcome == Outcome.FAILED


def test_a_model_that_breaks_is_unavailable(provider_seeing: Any, tmp_path: Path) -> None:
    provider, session = provider_seeing()
    session.run = lambda *args: (_ for _ in ()).throw(RuntimeError("broken"))
    with pytest.raises(ProviderUnavailable):
        provider.judge([ImagePart("a", saved(tmp_path, photo()))])


# --- the real model ---------------------------------------------------------------------------


def test_the_installed_model_judges_a_harmless_scene(tmp_path: Path) -> None:
    provider = LocalImageProvider()
    assert provider.is_available()
    (answer,) = provider.judge([ImagePart("a", saved(tmp_path, photo(1, (800, 600)), "a.jpg"))])
    assert answer.outcome == Outcome.JUDGED
    assert 0.0 <= answer.scores[Category.SEXUAL] < 0.5
    assert answer.model_version.startswith("nudenet-320n/3.4.2+")


def test_threads_load_one_model(tmp_path: Path) -> None:
    provider = LocalImageProvider()
    path = saved(tmp_path, photo())
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: provider.judge([ImagePart("a", path)]), range(8)))
    assert len({str(answer[0].raw) for answer in answers}) == 1


def test_the_package_around_the_model_is_never_imported(tmp_path: Path) -> None:
    path = saved(tmp_path, photo())
    code = (
        "import sys; from pathlib import Path;"
        "from moderation.providers.own.local_image import LocalImageProvider;"
        "from moderation.providers.base import ImagePart;"
        "answer, = LocalImageProvider().judge([ImagePart('a', Path(sys.argv[1]))]);"
        "assert answer.outcome == 'judged', answer;"
        "print({'nudenet', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
