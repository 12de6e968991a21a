"""Nudity in pictures, judged on this machine by NudeNet's detector where it is installed.

The model file is run directly with onnxruntime; the package around it is located, never
imported. Its licence (AGPL-3.0) is why it is an optional extra, see docs/media.md. Without it
nothing is judged, which is never the same as harmless.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from moderation.errors import ProviderUnavailable
from moderation.providers.base import Answer, AnyPart, ImagePart
from moderation.vocabulary import Category, Outcome, Part

# Changes with the weights and the calibration below.
_OUR_VERSION = 1
_PACKAGE, _MODEL_FILE = "nudenet", "320n.onnx"
_SIDE = 320
# A larger batch is no faster for each picture, and the runtime keeps 12 MB more for each.
_BATCH = 2
# Below this the detector guesses; and how far two boxes overlap that mean the same thing.
_MIN_CONFIDENCE, _MAX_OVERLAP = 0.25, 0.45
_BACKDROP = (128, 128, 128)

# How much of a certain detection counts as sexual. What is absent (faces, feet, bellies,
# armpits) counts for nothing: a beach is no violation, and a bare male chest hardly one.
_WEIGHTS = {
    "FEMALE_GENITALIA_EXPOSED": 1.0,
    "MALE_GENITALIA_EXPOSED": 1.0,
    "ANUS_EXPOSED": 1.0,
    "FEMALE_BREAST_EXPOSED": 0.95,
    "BUTTOCKS_EXPOSED": 0.8,
    "FEMALE_GENITALIA_COVERED": 0.45,
    "ANUS_COVERED": 0.45,
    "FEMALE_BREAST_COVERED": 0.3,
    "BUTTOCKS_COVERED": 0.3,
    "MALE_BREAST_EXPOSED": 0.15,
}

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing seen. The box is left, top, width, height as fractions of the picture."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]


class LocalImageProvider:
    """Scores `sexual` for stills and for the sampled frames of animations."""

    name: ClassVar[str] = "local_image"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.IMAGE, Part.GIF})
    is_local: ClassVar[bool] = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detector: _Detector | None = None

    @property
    def model_version(self) -> str:
        if not self.is_available():
            return ""
        return f"nudenet-320n/{importlib.metadata.version(_PACKAGE)}+{_OUR_VERSION}"

    def is_available(self) -> bool:
        return _model_path() is not None and importlib.util.find_spec("onnxruntime") is not None

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        if not self.is_available():
            return [Answer(Outcome.NOT_JUDGED, error="model not installed") for _ in parts]
        # Pictures are read as they are needed: a batch of animations has thousands.
        wanted = [(number, path) for number, part in enumerate(parts) for path in _paths(part)]
        seen: list[list[list[Detection]]] = [[] for _ in parts]
        unreadable: set[int] = set()
        for start in range(0, len(wanted), _BATCH):
            squares: list[tuple[int, _Square]] = []
            for number, path in wanted[start : start + _BATCH]:
                square = _read_square(path)
                if square is None:
                    unreadable.add(number)
                else:
                    squares.append((number, square))
            found = self._detect([square for _, square in squares])
            for (number, _), detections in zip(squares, found, strict=True):
                seen[number].append(detections)
        version = self.model_version
        return [
            _answer([] if number in unreadable else frames, version)
            for number, frames in enumerate(seen)
        ]

    def _detect(self, squares: Sequence[_Square]) -> list[list[Detection]]:
        if not squares:
            return []
        try:
            return self._loaded().detect(squares)
        except (RuntimeError, OSError, MemoryError) as error:
            # The runtime's own errors derive from RuntimeError.
            raise ProviderUnavailable("The image model failed.") from error

    def _loaded(self) -> _Detector:
        with self._lock:
            if self._detector is None:
                self._detector = _Detector(_model_path())
            return self._detector


def _model_path() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / _MODEL_FILE
        if path.is_file():
            return path
    return None


# --- before: from a file to what the model takes -----------------------------------------------


@dataclass(frozen=True, slots=True)
class _Square:
    """A picture scaled to fit the model's square, from its upper left corner."""

    pixels: Floats
    width: int
    height: int


def _paths(part: AnyPart) -> tuple[Path, ...]:
    """Return the stills to look at: every sampled frame, or the picture itself."""
    if not isinstance(part, ImagePart):
        return ()
    return part.frame_paths or (part.path,)


def _read_square(path: Path) -> _Square | None:
    """Return None for a file that cannot be read."""
    try:
        with Image.open(path) as image:
            return _square(image)
    except (OSError, UnidentifiedImageError):
        return None


def _square(image: Image.Image) -> _Square:
    # JPEGs are decoded at a fraction of their size where that is enough.
    image.draft("RGB", (_SIDE, _SIDE))
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shown = _flatten(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    square = Image.new("RGB", (_SIDE, _SIDE))
    square.paste(shown)
    pixels = np.asarray(square, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)
    return _Square(pixels, *size)


def _flatten(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    flat = Image.new("RGB", image.size, _BACKDROP)
    clear = image.convert("RGBA")
    flat.paste(clear, mask=clear.getchannel("A"))
    return flat


# --- the model ---------------------------------------------------------------------------------


class _Detector:
    """The loaded model. onnxruntime lets any number of threads run one session."""

    def __init__(self, path: Path | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One core does a picture in 25 ms; the others belong to the rest of the pipeline.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        names = self._session.get_modelmeta().custom_metadata_map["names"]
        self._labels: dict[int, str] = ast.literal_eval(names)

    def detect(self, squares: Sequence[_Square]) -> list[list[Detection]]:
        """Return what is seen in each picture, surest first."""
        pixels = np.stack([square.pixels for square in squares])
        (output,) = self._session.run(None, {self._input: pixels})
        return [
            list(self._decode(rows, square)) for rows, square in zip(output, squares, strict=True)
        ]

    def _decode(self, output: Floats, square: _Square) -> Iterator[Detection]:
        """Read one picture's output: centre, size, then a confidence for each label, by column."""
        confidences = output[4:].max(axis=0)
        sure = confidences >= _MIN_CONFIDENCE
        boxes, confidences = output[:4, sure].T, confidences[sure]
        labels = output[4:, sure].argmax(axis=0)
        corners = _corners(boxes, square)
        for row in _without_overlaps(corners, confidences):
            left, top, right, bottom = (float(edge) for edge in corners[row])
            yield Detection(
                label=self._labels[int(labels[row])],
                confidence=round(float(confidences[row]), 4),
                box=(left, top, right - left, bottom - top),
            )


def _corners(boxes: Floats, square: _Square) -> Floats:
    """Turn centres and sizes in the square into left, top, right, bottom in the picture, 0-1."""
    half = boxes[:, 2:] / 2
    corners = np.hstack([boxes[:, :2] - half, boxes[:, :2] + half])
    size = np.array([square.width, square.height] * 2, dtype=np.float32)
    return np.asarray(np.clip(corners / size, 0, 1), dtype=np.float32)


def _without_overlaps(corners: Floats, confidences: Floats) -> list[int]:
    """Return the surest boxes, leaving out every box that mostly repeats a surer one."""
    kept: list[int] = []
    for row in np.argsort(-confidences, kind="stable"):
        if all(_overlap(corners[row], corners[other]) <= _MAX_OVERLAP for other in kept):
            kept.append(int(row))
    return kept


def _overlap(one: Floats, other: Floats) -> float:
    """Shared area by joint area, 0-1."""
    shared_sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(shared_sides, 0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / (areas - shared) if areas > shared else 0.0


# --- after: from detections to an answer -------------------------------------------------------


def _answer(frames: Sequence[Sequence[Detection]], version: str) -> Answer:
    if not frames:
        return Answer(Outcome.FAILED, model_version=version, error="picture unreadable")
    seen = [(frame, detection) for frame, found in enumerate(frames) for detection in found]
    return Answer(
        Outcome.JUDGED,
        scores={Category.SEXUAL: max((_score(one) for _, one in seen), default=0.0)},
        regions=[(*one.box, one.label) for _, one in seen if one.label in _WEIGHTS],
        raw={
            "detections": [
                {
                    "frame": frame,
                    "label": one.label,
                    "confidence": one.confidence,
                    "box": [round(edge, 4) for edge in one.box],
                }
                for frame, one in seen
            ]
        },
        model_version=version,
    )


def _score(detection: Detection) -> float:
    """How likely the thing detected is a violation, 0-1.

    This small detector is seldom surer than 0.8 and already right at 0.5, so its confidence of
    0.25 counts as 0.55, of 0.5 as 0.75, and of 0.8 and more as 0.99.
    """
    likelihood = min(0.99, 0.35 + 0.8 * detection.confidence)
    return round(_WEIGHTS.get(detection.label, 0.0) * likelihood, 4)
