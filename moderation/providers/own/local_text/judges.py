"""How the judges of text are put together: what each is worth, and when the encoder is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderation.providers.own.local_text.ngram import FloatArray

JUDGES_FILE = "judges.json"


@dataclass(frozen=True, slots=True)
class Blend:
    """Per category, the weights of the three logits and what is added to their sum.

    The encoder is asked about texts to which the n-gram model gives `ask_from` or more in any
    category: below that it would change next to nothing.
    """

    categories: tuple[str, ...]
    ngram: tuple[float, ...]
    tuned: tuple[float, ...]
    kept: tuple[float, ...]
    offset: tuple[float, ...]
    ask_from: float

    def scores(self, ngram: FloatArray, encoded: FloatArray) -> FloatArray:
        """Return probabilities (texts, categories).

        `ngram` holds probabilities of the same shape, `encoded` logits (texts, 2, categories).
        """
        sure = np.clip(ngram.astype(np.float64), 1e-9, 1 - 1e-9)
        total = (
            np.array(self.ngram) * np.log(sure / (1 - sure))
            + np.array(self.tuned) * encoded[:, 0]
            + np.array(self.kept) * encoded[:, 1]
            + np.array(self.offset)
        )
        return np.asarray(1 / (1 + np.exp(-np.clip(total, -30, 30))), dtype=np.float32)

    def is_uncertain(self, ngram: FloatArray) -> npt.NDArray[np.bool_]:
        return np.asarray(ngram.max(axis=1) >= self.ask_from, dtype=np.bool_)


def read_blend(folder: Path) -> Blend | None:
    """Return None where the files of the folder were made without an encoder."""
    stored = json.loads((folder / JUDGES_FILE).read_text(encoding="utf-8"))["blend"]
    if stored is None:
        return None
    numbers = {name: tuple(stored[name]) for name in ("ngram", "tuned", "kept", "offset")}
    return Blend(tuple(stored["categories"]), **numbers, ask_from=float(stored["ask_from"]))


def write_blend(blend: Blend | None, folder: Path) -> None:
    stored = {"blend": None if blend is None else _rounded(asdict(blend))}
    text = json.dumps(stored, indent=1)
    (folder / JUDGES_FILE).write_text(text + "\n", encoding="utf-8")


def _rounded(stored: dict[str, object]) -> dict[str, object]:
    return {name: _short(value) for name, value in stored.items()}


def _short(value: object) -> object:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_short(one) for one in value]
    return value
