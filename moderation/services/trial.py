"""Ask a service something harmless, to see whether it is set up as it should be.

Nothing is stored of the answer but what came of it, on the record. Runs outside any transaction,
and past the breaker: to try is how a person finds out that a mended service works.
"""

from __future__ import annotations

import logging
import math
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from PIL import Image, ImageDraw

from moderation.asking import spending
from moderation.asking.sound import sound
from moderation.errors import FetchRefused, ProviderError, ProviderRejected
from moderation.models import AuditEvent, ProviderAccount
from moderation.pipeline.audit.record import record_change
from moderation.providers import registry
from moderation.providers.base import (
    Adapter,
    Answer,
    AnyPart,
    AudioPart,
    ImagePart,
    LaterProvider,
    TextPart,
)
from moderation.providers.registry import Service
from moderation.providers.shared.service import ServiceAdapter
from moderation.services.accounts import SUBJECT, get_account
from moderation.vocabulary import Outcome, Part

logger = logging.getLogger(__name__)

TEXT = "Good morning! The tomatoes in our garden are finally ripe."
# Of a job that no service has begun; it has the form of theirs.
UNKNOWN_JOB = "operations/gatehouse-trial"
_EVENT = "provider.tried"
_LONGEST_TEXT = 200
# What is shorter is part of ordinary words, and no key of any service.
_SHORTEST_SECRET = 6
_PICTURE_SIZE = (320, 160)
_SAMPLE_RATE, _SOUND_SECONDS = 16_000, 1.0

_Ask = Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `asked` is the kind of part that was tried, "job" for a question after a
    job that does not exist, "" when nothing could be asked.

    `error` is an error's code, `reason` why nothing was received at all, `said` its message.
    """

    asked: str = ""
    outcome: str = ""
    error: str = ""
    reason: str = ""
    said: str = ""
    latency_ms: float = 0.0
    model_version: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    text: str = ""
    cost_micros: int = 0
    at: datetime | None = None

    @property
    def worked(self) -> bool:
        """Whether the service took the question: it judged, read, or will answer later."""
        if self.asked == "job":
            return not self.error
        return self.outcome in (Outcome.JUDGED, Outcome.PENDING) or bool(self.text)

    @property
    def has_answered(self) -> bool:
        """Whether address and key are right, although nothing was judged."""
        return self.worked or self.outcome == Outcome.NOT_JUDGED


def try_service(*, name: str, user: User | None) -> Trial:
    """Return what a service makes of something harmless. Raises `NotFound`."""
    account = get_account(name)
    service = registry.make_service(account)
    try:
        trial = _try(service)
    finally:
        if isinstance(service.provider, ServiceAdapter):
            service.provider.client.close()
    trial = _without_secrets(trial, account, service)
    if trial.asked and trial.asked != "job":
        _note_cost(name, trial)
    _record(name, trial, user)
    return trial


def last_trial(name: str) -> Trial | None:
    """Return what came of the latest try of a service, None when there was none."""
    event = (
        AuditEvent.objects.filter(subject_kind=SUBJECT, subject_id=name, kind=_EVENT)
        .order_by("-sequence")
        .first()
    )
    if event is None:
        return None
    facts: dict[str, Any] = {**event.facts}
    facts.pop("provider", None)
    return Trial(**facts, at=event.happened_at)


def _try(service: Service) -> Trial:
    if not service.provider.is_available():
        return Trial(error="not_set_up")
    trial = Trial()
    with TemporaryDirectory(prefix="gatehouse-trial-") as folder:
        for asked, ask in _questions(service.provider, Path(folder)):
            trial = _ask(asked, ask, service)
            refused = trial.error == ProviderRejected.code
            if trial.worked or (trial.outcome == Outcome.FAILED and not refused):
                return trial
    return trial


def _questions(provider: Adapter, folder: Path) -> Iterator[tuple[str, _Ask]]:
    """Yield what can be asked, the cheapest first; one that is refused is followed by the next."""
    makers: dict[Part, Callable[[Path], AnyPart]] = {
        Part.TEXT: _text,
        Part.IMAGE: _picture,
        Part.AUDIO: _sound,
    }
    kinds = [kind for kind in makers if kind in provider.parts]
    for kind in kinds:
        yield kind.value, partial(_judge, provider, makers[kind](folder))
    if not kinds and provider.facts.answers_later:
        later = cast(LaterProvider, provider)
        yield "job", partial(later.poll, UNKNOWN_JOB, min(provider.parts))


def _judge(provider: Adapter, part: AnyPart) -> Answer:
    [answer] = provider.judge([part])
    return answer


def _ask(asked: str, ask: _Ask, service: Service) -> Trial:
    began = time.perf_counter()
    trial = Trial(asked=asked)
    try:
        answer = sound(ask())
    except ProviderError as error:
        trial = _of_error(trial, error)
    except Exception as error:
        logger.exception("provider_crashed", extra={"provider": service.provider.name})
        trial = replace(trial, outcome=Outcome.FAILED, error="crashed", said=type(error).__name__)
    else:
        trial = _of_answer(trial, answer, service)
    return replace(trial, latency_ms=round((time.perf_counter() - began) * 1000, 1))


def _of_error(trial: Trial, error: ProviderError) -> Trial:
    if trial.asked == "job" and isinstance(error, ProviderRejected):
        # It knows no such job: it was reached, and has read the key.
        return replace(trial, outcome=Outcome.NOT_JUDGED)
    return replace(
        trial,
        outcome=Outcome.FAILED,
        error=error.code,
        reason=_reason(error),
        said=str(error)[:_LONGEST_TEXT],
    )


def _reason(error: BaseException | None) -> str:
    """Return why a request got no answer, "" when it got one."""
    while error is not None:
        if isinstance(error, FetchRefused):
            return error.reason
        error = error.__cause__
    return ""


def _of_answer(trial: Trial, answer: Answer, service: Service) -> Trial:
    if trial.asked == "job":
        return replace(trial, outcome=Outcome.NOT_JUDGED)
    failed = answer.outcome is Outcome.FAILED
    return replace(
        trial,
        outcome=answer.outcome.value,
        error=answer.error[:_LONGEST_TEXT],
        model_version=(answer.model_version or service.provider.model_version)[:_LONGEST_TEXT],
        scores={str(category): round(score, 4) for category, score in answer.scores.items()},
        text=answer.text[:_LONGEST_TEXT],
        cost_micros=0 if failed else answer.cost_micros or service.terms.cost_micros,
    )


def _without_secrets(trial: Trial, account: ProviderAccount, service: Service) -> Trial:
    """Take out whatever a service's words quote of the keys that it was given."""
    secrets = {*account.secrets.values()}
    if isinstance(service.provider, ServiceAdapter):
        secrets |= {*service.provider.account.secrets.values()}
    return replace(
        trial,
        error=_masked(trial.error, secrets),
        said=_masked(trial.said, secrets),
        text=_masked(trial.text, secrets),
        model_version=_masked(trial.model_version, secrets),
    )


def _masked(text: str, secrets: set[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "…")
    return text


def _note_cost(name: str, trial: Trial) -> None:
    failed = trial.outcome == Outcome.FAILED
    spending.note(
        spending.Spent(
            name,
            parts=1,
            outcome=Outcome.FAILED if failed else Outcome.JUDGED,
            error=trial.error if failed else "",
            latency_ms=trial.latency_ms,
            cost_micros=trial.cost_micros,
        )
    )
    spending.flush()


def _record(name: str, trial: Trial, user: User | None) -> None:
    facts = {
        key: getattr(trial, key)
        for key in Trial.__dataclass_fields__
        if key != "at" and getattr(trial, key)
    }
    with transaction.atomic():
        ProviderAccount.objects.select_for_update().filter(name=name).first()
        record_change(
            _EVENT,
            subject=(SUBJECT, name),
            community_id=None,
            user=user,
            facts={"provider": name, **facts},
        )


# --- what is asked ------------------------------------------------------------------------------


def _text(_: Path) -> AnyPart:
    return TextPart("trial", TEXT, language="en")


def _picture(folder: Path) -> AnyPart:
    """Return a picture that says something, for those who read."""
    path = folder / "trial.jpg"
    picture = Image.new("RGB", _PICTURE_SIZE, "#dfe8d8")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((230, 20, 290, 80), fill="#f2c14e")
    pen.text((24, 90), "Good morning", fill="#22331f", font_size=32)
    picture.save(path, "JPEG", quality=88)
    return ImagePart("trial", path, kind=Part.IMAGE)


def _sound(folder: Path) -> AnyPart:
    """Return a quiet tone, without a word in it."""
    path = folder / "trial.wav"
    count = round(_SAMPLE_RATE * _SOUND_SECONDS)
    samples = (round(2_000 * math.sin(index / 12)) for index in range(count))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_SAMPLE_RATE)
        file.writeframes(b"".join(value.to_bytes(2, "little", signed=True) for value in samples))
    return AudioPart("trial", path, content_type="audio/wav", duration_seconds=_SOUND_SECONDS)
