"""What judging a still and judging a video with Amazon Rekognition have in common."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moderation.errors import ProviderMalformed
from moderation.providers.base import Setting
from moderation.providers.shared.aws import Credentials, raise_for_answer, signed_headers
from moderation.providers.shared.service import ServiceAdapter, read_json, score
from moderation.vocabulary import Category

logger = logging.getLogger(__name__)

KEYS = (
    Setting(
        "access_key_id",
        "Access key id",
        is_secret=True,
        required=True,
        env="AWS_ACCESS_KEY_ID",
    ),
    Setting(
        "secret_access_key",
        "Secret access key",
        is_secret=True,
        required=True,
        env="AWS_SECRET_ACCESS_KEY",
    ),
    Setting(
        "session_token",
        "Session token",
        help="Only with temporary keys, which this cannot renew.",
        is_secret=True,
        env="AWS_SESSION_TOKEN",
    ),
)
REGION = Setting("region", "Region", default="us-east-1", required=True, env="AWS_REGION")
BASE_URL = Setting("base_url", "Address", default="https://rekognition.{region}.amazonaws.com")
MIN_CONFIDENCE = Setting(
    "min_confidence",
    "Least confidence",
    help="In percent. What Rekognition is less sure of is not returned, and scores 0.",
    default="20",
    choices=("10", "20", "30", "40", "50"),
)

# Two labels on one branch whose confidence (0-1) differs by less are one finding.
_SAME_FINDING = 0.05

_Weights = Mapping[Category, float]
_SEXUAL: _Weights = {Category.SEXUAL: 1.0}
_SUGGESTIVE: _Weights = {Category.SEXUAL: 0.5}
_HARMLESS: _Weights = {Category.SEXUAL: 0.2}
_VIOLENCE: _Weights = {Category.VIOLENCE: 1.0}
_GRAPHIC: _Weights = {Category.GRAPHIC: 1.0}
_DRUGS: _Weights = {Category.DRUGS: 1.0}
_ALCOHOL: _Weights = {Category.DRUGS: 0.3}
_RUDE: _Weights = {Category.PROFANITY: 0.8}
_HATE: _Weights = {Category.HATE: 1.0, Category.EXTREMISM: 0.8}
_UNKNOWN: _Weights = {Category.OTHER: 1.0}

# Taxonomy 7.0. A label that is not listed weighs what the next one above it does.
_WEIGHTS: Mapping[str, _Weights] = {
    "explicit": _SEXUAL,
    "explicit nudity": _SEXUAL,
    "explicit sexual activity": _SEXUAL,
    "sex toys": _SEXUAL,
    "non-explicit nudity of intimate parts and kissing": _SUGGESTIVE,
    "non-explicit nudity": _SUGGESTIVE,
    "obstructed intimate parts": _SUGGESTIVE,
    "kissing on the lips": _HARMLESS,
    "bare back": _HARMLESS,
    "exposed male nipple": _HARMLESS,
    "swimwear or underwear": {Category.SEXUAL: 0.3},
    "violence": _VIOLENCE,
    "graphic violence": _VIOLENCE,
    "physical violence": _VIOLENCE,
    "explosions and blasts": _VIOLENCE,
    "weapons": {Category.WEAPONS: 1.0},
    "weapon violence": {Category.WEAPONS: 1.0, Category.VIOLENCE: 1.0},
    "self-harm": {Category.SELF_HARM: 1.0},
    "blood & gore": {Category.GRAPHIC: 1.0, Category.VIOLENCE: 0.7},
    "visually disturbing": _GRAPHIC,
    "death and emaciation": _GRAPHIC,
    "crashes": _GRAPHIC,
    "drugs & tobacco": _DRUGS,
    "products": _DRUGS,
    "drugs & tobacco paraphernalia & use": _DRUGS,
    "smoking": {Category.DRUGS: 0.4},
    "alcohol": _ALCOHOL,
    "alcohol use": _ALCOHOL,
    "alcoholic beverages": _ALCOHOL,
    "rude gestures": _RUDE,
    "middle finger": _RUDE,
    "gambling": {Category.OTHER: 0.5},
    "hate symbols": _HATE,
    "nazi party": _HATE,
    "white supremacy": _HATE,
    "extremist": {Category.EXTREMISM: 1.0},
}
# What every answer speaks of. `OTHER` is no such thing: nobody looks for all the rest.
_LOOKED_FOR = frozenset(category for weights in _WEIGHTS.values() for category in weights) - {
    Category.OTHER
}


@dataclass(frozen=True, slots=True)
class Label:
    """One thing seen; names are lower-case, `parent` is "" at the top, `confidence` is 0-1."""

    name: str
    parent: str
    confidence: float


class RekognitionService(ServiceAdapter):
    """An account that may call Rekognition, and services beside it, with signed requests."""

    @property
    def region(self) -> str:
        return self.option("region") or REGION.default

    @property
    def min_confidence(self) -> int:
        return int(self.option("min_confidence") or MIN_CONFIDENCE.default)

    def call(self, operation: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Return what an operation answers. Raises as `Provider.judge`."""
        address = (self.option("base_url") or BASE_URL.default).replace("{region}", self.region)
        url = f"{address.rstrip('/')}/"
        content = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"RekognitionService.{operation}",
        }
        signed = self.sign("POST", url, headers, content, service="rekognition")
        reply = self.send("POST", url, headers=signed, content=content)
        raise_for_answer(reply)
        return read_json(reply)

    def sign(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, *, service: str
    ) -> dict[str, str]:
        return signed_headers(
            method,
            url,
            headers=headers,
            content=content,
            service=service,
            region=self.region,
            credentials=Credentials(
                self.secret("access_key_id"),
                self.secret("secret_access_key"),
                self.secret("session_token"),
            ),
            now=datetime.now(UTC),
        )


def read_label(found: object) -> Label:
    """Raises `ProviderMalformed` for anything but a moderation label."""
    if not isinstance(found, dict):
        raise ProviderMalformed("A label is no object.")
    name, parent, confidence = found.get("Name"), found.get("ParentName"), found.get("Confidence")
    if not isinstance(name, str) or not name or not isinstance(parent, str | None):
        raise ProviderMalformed("A label has no name.")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise ProviderMalformed("A label has no confidence.")
    if parent == name:
        raise ProviderMalformed("A label is above itself.")
    return Label(name.lower(), (parent or "").lower(), score(confidence / 100))


def read_list(body: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list of an answer: without one it judged nothing. Raises `ProviderMalformed`."""
    found = body.get(name)
    if not isinstance(found, list):
        raise ProviderMalformed(f"The answer has no {name}.")
    return found


def version_in(body: Mapping[str, Any]) -> str:
    """Return which model answered, "" where it does not say."""
    version = body.get("ModerationModelVersion")
    return f"rekognition-{version[:20]}" if isinstance(version, str) and version else ""


def scores_of(pictures: Iterable[Sequence[Label]]) -> dict[Category, float]:
    """Return the worst score of each category over pictures that were looked at.

    What Rekognition looks for and did not report is below its least confidence, so it scores 0.
    """
    scores = dict.fromkeys(_LOOKED_FOR, 0.0)
    for labels in pictures:
        parents = {label.name: label.parent for label in labels}
        for label in _telling(labels):
            for category, weight in _weights_of(label, parents).items():
                found = round(weight * label.confidence, 4)
                scores[category] = max(scores.get(category, 0.0), found)
    return scores


def _telling(labels: Sequence[Label]) -> list[Label]:
    """Return the labels that say something which none of those below them says more exactly.

    Every label brings those above it: `Weapons` would raise violence through `Violence`.
    """
    surest_below: dict[str, float] = {}
    for label in labels:
        surest_below[label.parent] = max(surest_below.get(label.parent, 0.0), label.confidence)
    return [
        label
        for label in labels
        if label.confidence > surest_below.get(label.name, -1.0) + _SAME_FINDING
    ]


def _weights_of(label: Label, parents: Mapping[str, str]) -> _Weights:
    name, passed = label.name, set[str]()
    while name and name not in passed:
        if name in _WEIGHTS:
            return _WEIGHTS[name]
        passed.add(name)
        name = parents.get(name, "")
    logger.info("rekognition_label_unknown", extra={"label": label.name[:60]})
    return _UNKNOWN
