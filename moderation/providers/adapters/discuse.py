"""Discuse: texts, and pictures that it fetches itself from a public https address.

Gatehouse shows a picture to nobody before it is judged. So pictures are put before Discuse only
where an operator publishes copies of them under `media_base_url`; otherwise it judges texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from moderation.errors import ProviderMalformed, ProviderRejected
from moderation.providers.base import Answer, AnyPart, Facts, ImagePart, Setting, TextPart
from moderation.providers.shared.service import (
    ServiceAdapter,
    kept,
    not_judged,
    raise_for_status,
    read_json,
    score,
)
from moderation.vocabulary import Category, Outcome, Part

MAX_IMAGE_BYTES = 10_000_000
# The folder of the media store that holds posts' attachments: what is published starts there.
PUBLISHED_FOLDER = "posts"

Scored = tuple[Category, float]

SENTIMENT: Mapping[str, Scored] = {
    "toxic": (Category.TOXIC, 1.0),
    "insult": (Category.HARASSMENT, 1.0),
    "profanity": (Category.PROFANITY, 1.0),
    "threat": (Category.THREAT, 1.0),
}
PICTURE: Mapping[str, Scored] = {
    "porn": (Category.SEXUAL, 1.0),
    "sexual": (Category.SEXUAL, 0.8),
}
# Announced as "coming soon": they count from the day on which they have a status.
ANNOUNCED: Mapping[str, Scored] = {
    "links": (Category.SPAM, 0.8),
    "badwords": (Category.PROFANITY, 0.9),
    "antivirus": (Category.MALWARE, 1.0),
}
LANGUAGE_MISMATCH = (Category.OTHER, 0.3)
_DONE = "ok"


class DiscuseAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Discuse",
        parts=frozenset({Part.TEXT, Part.IMAGE, Part.GIF}),
        doc="discuse",
        settings=(
            Setting(
                "client_id",
                "Organization identifier",
                is_secret=True,
                required=True,
                env="DISCUSE_CLIENT_ID",
            ),
            Setting(
                "client_secret",
                "Project secret",
                is_secret=True,
                required=True,
                env="DISCUSE_CLIENT_SECRET",
            ),
            Setting("project_id", "Project number", required=True),
            Setting(
                "media_base_url",
                "Public address of pictures",
                help="Where copies of the stored pictures can be fetched by anyone who knows "
                "their names, as https://media.example.com. Empty: Discuse is asked about "
                "texts only.",
            ),
            Setting("base_url", "Address", default="https://api.discuse.com"),
        ),
        price="Texts, images and animations are billed apart; amounts are not confirmed.",
        max_bytes=MAX_IMAGE_BYTES,
    )

    @property
    def parts(self) -> frozenset[Part]:
        published = self.option("media_base_url").startswith("https://")
        return self.facts.parts if published else frozenset({Part.TEXT})

    def is_available(self) -> bool:
        return super().is_available() and self.option("project_id").isdecimal()

    def judge_one(self, part: AnyPart) -> Answer:
        if isinstance(part, TextPart):
            return self._judge({"text": part.text}, Part.TEXT)
        if part.kind not in self.parts or not isinstance(part, ImagePart):
            raise ProviderRejected(f"{self.name} judges no {part.kind} here.")
        if part.path.stat().st_size >= MAX_IMAGE_BYTES:
            raise ProviderRejected(f"The picture has {MAX_IMAGE_BYTES} bytes or more.")
        field = "gif_url" if part.kind == Part.GIF else "image_url"
        return self._judge({field: [self._public_url(part.path)]}, part.kind)

    def _public_url(self, path: Path) -> str:
        if PUBLISHED_FOLDER not in path.parts:
            raise ProviderRejected("The picture is not published.")
        last = len(path.parts) - 1 - path.parts[::-1].index(PUBLISHED_FOLDER)
        name = quote("/".join(path.parts[last:]))
        return f"{self.option('media_base_url').rstrip('/')}/{name}"

    def _judge(self, media: Mapping[str, object], kind: Part) -> Answer:
        reply = self.send(
            "POST",
            f"{self.option('base_url')}/api/v1/check",
            headers={
                "Accept": "application/json",
                "x-client-id": self.secret("client_id"),
                "x-client-secret": self.secret("client_secret"),
            },
            json={
                "request": {"media": media},
                "settings": {"project_id": int(self.option("project_id"))},
            },
        )
        raise_for_status(reply)
        found = read_json(reply)
        # The one field that every answer has, whatever was asked.
        if not isinstance(found.get("hits"), bool):
            raise ProviderMalformed("The answer does not say whether there are hits.")
        scores = dict[Category, float]()
        for category, value in _text(found) if kind == Part.TEXT else _picture(found, kind):
            scores[category] = max(scores.get(category, 0.0), value)
        if not scores:
            return not_judged("no_scores", raw=kept(found))
        return Answer(Outcome.JUDGED, scores=scores, raw=kept(found))


def _text(found: Mapping[str, Any]) -> list[Scored]:
    main = list(_numbers(_block(found, "sentiment"), SENTIMENT))
    beside = [*_announced(found, "links"), *_announced(found, "badwords")]
    if _block(found, "language").get("hit") is True:
        beside.append(LANGUAGE_MISMATCH)
    # Without a sentiment nobody has read the text: what stands beside it is no judgement.
    return main and main + beside


def _picture(found: Mapping[str, Any], kind: Part) -> list[Scored]:
    seen = _block(found, "gifs" if kind == Part.GIF else "images")
    main = list(_numbers(seen, PICTURE)) if seen.get("status") == _DONE else []
    return main and main + list(_announced(found, "antivirus"))


def _announced(found: Mapping[str, Any], name: str) -> Iterator[Scored]:
    block = _block(found, name)
    if block.get("status") == _DONE and isinstance(block.get("hit"), bool):
        category, weight = ANNOUNCED[name]
        yield category, weight if block["hit"] else 0.0


def _numbers(block: Mapping[str, Any], categories: Mapping[str, Scored]) -> Iterator[Scored]:
    for name, (category, weight) in categories.items():
        if name in block:
            yield category, round(weight * score(block[name]), 6)


def _block(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a section of the answer, empty where it has none."""
    block = found.get(name, {})
    if not isinstance(block, dict):
        raise ProviderMalformed(f"{name} is no object.")
    return block
