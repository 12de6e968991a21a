"""What adapters share: one guarded client an account, statuses as errors, answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moderation.errors import (
    FetchRefused,
    ProviderAuthFailed,
    ProviderGone,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import GuardedClient, Reply, waits
from moderation.providers.base import Account, Answer, AnyPart, Facts
from moderation.vocabulary import Outcome, Part

# The longest answer of any service here is a video's list of findings.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
# Evidence is kept per part for years, and read by people.
MAX_RAW_CHARS = 16 * 1024
_TRY_LATER = frozenset({408, 425, 500, 502, 503, 504, 520, 522, 524, 529})


class ServiceAdapter:
    """The common part of every adapter over HTTP. Subclasses have `facts` and `judge_one`.

    One that takes arrays overrides `judge` instead.
    """

    facts: ClassVar[Facts]
    is_local: ClassVar[bool] = False
    # Part of `model_version` of a service that does not say which model answered.
    revision: ClassVar[str] = "1"

    def __init__(self, account: Account) -> None:
        self.account = account
        self.client = GuardedClient(
            allow_private_hosts=account.allow_private_hosts,
            max_connections=max(self.facts.concurrency, 1),
        )

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def parts(self) -> frozenset[Part]:
        return self.facts.parts

    @property
    def model_version(self) -> str:
        return self.account.options.get("model") or f"{self.name}-{self.revision}"

    def is_available(self) -> bool:
        given = {**self.account.options, **self.account.secrets}
        return all(given.get(one.name) for one in self.facts.settings if one.required)

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        return [self.judge_one(part) for part in parts]

    def judge_one(self, part: AnyPart) -> Answer:
        """Return what the service says of one part. Raises as `Provider.judge`."""
        raise ProviderRejected(f"{self.name} judges no {part.kind}.")

    def option(self, name: str) -> str:
        return self.account.options.get(name, "")

    def secret(self, name: str) -> str:
        return self.account.secrets.get(name, "")

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        timeout_seconds: float | None = None,
    ) -> Reply:
        """Return the answer of any status. Raises `ProviderUnavailable` when there is none."""
        try:
            return self.client.request(
                method,
                url,
                headers=headers,
                json=json,
                content=content,
                max_bytes=MAX_ANSWER_BYTES,
                timeout_seconds=timeout_seconds or self.account.timeout_seconds,
            )
        except FetchRefused as refusal:
            raise ProviderUnavailable(f"{self.name} did not answer: {refusal.reason}.") from refusal


def read_json(reply: Reply) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises `ProviderMalformed` for anything else."""
    try:
        found = json.loads(reply.content)
    except (ValueError, RecursionError) as error:
        raise ProviderMalformed("The answer is no JSON.") from error
    if not isinstance(found, dict):
        raise ProviderMalformed("The answer is no JSON object.")
    return found


def raise_for_status(reply: Reply) -> None:
    """Raise what a status means wherever a service does not say it more exactly itself."""
    status = reply.status
    if status < 400:
        if status >= 300:
            raise ProviderUnavailable(f"Redirected with {status}.")
        return
    if status == 429:
        raise ProviderRateLimited(
            "Asked to wait.", retry_after_seconds=retry_after_seconds(reply.headers)
        )
    if status == 402:
        raise ProviderQuotaExhausted("What was paid for is used up.")
    if status in (401, 403):
        raise ProviderAuthFailed(f"Refused with {status}.")
    if status in (404, 410):
        raise ProviderGone(f"Not there: {status}.")
    if status in _TRY_LATER or status >= 500:
        raise ProviderUnavailable(f"Failed with {status}.")
    raise ProviderRejected(f"Refused with {status}.")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long a service asks us to wait, None when it does not say or says nonsense."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isdecimal():
        return int(milliseconds) / 1000
    return waits.retry_after_seconds(headers)


def score(value: object) -> float:
    """Return a score as the service gave it. Raises `ProviderMalformed` outside 0.0-1.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ProviderMalformed("A score is no number from 0 to 1.")
    return float(value)


def kept(raw: Mapping[str, object]) -> Mapping[str, object]:
    """Return an answer as it may be kept as evidence: whole, or its beginning as text.

    Nothing is kept of one that is nested too deeply to be written down.
    """
    try:
        text = json.dumps(raw)
    except RecursionError:
        return {}
    return raw if len(text) <= MAX_RAW_CHARS else {"beginning": text[:MAX_RAW_CHARS]}


def not_judged(reason: str, *, raw: Mapping[str, object] | None = None) -> Answer:
    """Return the answer of a provider that cannot say anything of a part."""
    return Answer(Outcome.NOT_JUDGED, error=reason, raw=raw or {})
