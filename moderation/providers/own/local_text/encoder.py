"""The second judge of text: a small sentence encoder that reads meaning where n-grams see words.

It runs on one core, one text at a time: 8-bit sums depend on what else is in a batch, and a post's
score must not depend on its neighbours.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moderation.providers.own.local_text.ngram import FloatArray
from moderation.providers.own.local_text.wordpiece import WordPieces

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ENCODER_FILE = "encoder.onnx"
PIECES_FILE = "pieces.txt.gz"

# As long as the texts that it was tuned with.
LONGEST = 64
_OVERLAP = 12
# A piece of a post has three such parts at most, unless it is hardly words at all.
_MAX_PARTS = 3
# Rows of its answer: what the tuned layers say, and what the untuned ones say.
TUNED, KEPT = 0, 1


class Encoder:
    """Logits for one text after another; may be shared between threads."""

    def __init__(self, session: InferenceSession, pieces: WordPieces) -> None:
        self._session = session
        self._pieces = pieces

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """Raises `ImportError` without onnxruntime, `OSError` or `ValueError` without a model."""
        # Imported late: whoever never judges a text does not pay its 30 MB.
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # The service's own workers are what runs side by side here.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = folder / ENCODER_FILE
        if not model.is_file():
            raise FileNotFoundError(model)
        try:
            session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
        # Its errors have no base of their own.
        except Exception as error:
            raise ValueError(f"{ENCODER_FILE} is not a model that can be run: {error}") from error
        return cls(session, WordPieces.load(folder / PIECES_FILE))

    def logits(self, text: str) -> FloatArray:
        """Return (2, categories) for a canonical text: the tuned layers' row, then the others'.

        A text too long to be read at once gets the highest of its parts.
        """
        numbers = self._pieces.numbers(text)
        room = LONGEST - 2
        starts = range(0, max(len(numbers) - _OVERLAP, 1), room - _OVERLAP)[:_MAX_PARTS]
        parts = [self._run(numbers[start : start + room]) for start in starts]
        return parts[0] if len(parts) == 1 else np.asarray(np.max(parts, axis=0), np.float32)

    def _run(self, numbers: list[int]) -> FloatArray:
        framed = np.array([[self._pieces.start, *numbers, self._pieces.end]], dtype=np.int64)
        (logits,) = self._session.run(None, {"numbers": framed})
        return np.asarray(logits, dtype=np.float32)
