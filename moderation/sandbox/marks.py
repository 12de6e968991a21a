"""Magic inputs: what a text or a picture says of itself is what the sandbox finds in it.

`[[hate=0.93]]` in a text gives hate 0.93; several marks add up. Bytes of a picture, a video or a
sound hold the same marks anywhere (in a comment, after its end); without any, all scores are low
and the same for the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

_MARK = re.compile(rb"\[\[([a-z_/ -]+)=([01](?:\.\d+)?)\]\]", re.IGNORECASE)
# Below every threshold that anyone sets.
_LOWEST, _SPREAD = 0.001, 0.01


def marked_scores(content: str | bytes) -> dict[str, float]:
    """Return the scores that a content asks for by its marks."""
    data = content.encode() if isinstance(content, str) else content
    return {name.decode().lower(): float(value) for name, value in _MARK.findall(data)}


def scores_of(content: str | bytes, wanted: Mapping[str, str]) -> dict[str, float]:
    """Return a score for every label of a service; `wanted` maps its labels to mark names."""
    data = content.encode() if isinstance(content, str) else content
    marked = marked_scores(data)
    return {
        label: marked.get(mark.lower(), marked.get(label.lower(), _low(data, label)))
        for label, mark in wanted.items()
    }


def _low(data: bytes, label: str) -> float:
    digest = hashlib.sha256(label.encode() + data).digest()
    return round(_LOWEST + digest[0] / 255 * _SPREAD, 6)
