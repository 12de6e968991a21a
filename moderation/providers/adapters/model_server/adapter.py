"""Asks a model server: texts by the array, pictures one a call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from moderation.errors import (
    FetchRefused,
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound.channels import CallFailed, GuardedChannel, is_grpc_installed
from moderation.providers.adapters.model_server import messages
from moderation.providers.base import (
    Account,
    Answer,
    AnyPart,
    Facts,
    ImagePart,
    Setting,
    Span,
    TextPart,
)
from moderation.providers.shared.multipart import read_file
from moderation.providers.shared.service import ServiceAdapter, kept, not_judged, score
from moderation.vocabulary import Category, Outcome, Part

MAX_IMAGE_BYTES = 16 * 1024 * 1024
_MAX_ERROR_CHARS = 100
_SURROGATE = re.compile("[\ud800-\udfff]")

_ERRORS: Mapping[str, type[ProviderError]] = {
    "UNAUTHENTICATED": ProviderAuthFailed,
    "PERMISSION_DENIED": ProviderAuthFailed,
    "INVALID_ARGUMENT": ProviderRejected,
    "OUT_OF_RANGE": ProviderRejected,
    "FAILED_PRECONDITION": ProviderRejected,
    "UNIMPLEMENTED": ProviderGone,
    "NOT_FOUND": ProviderGone,
}


class ModelServerAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Model server (gRPC)",
        parts=frozenset({Part.TEXT, Part.IMAGE}),
        doc="model_server",
        settings=(
            Setting("target", "Host and port", default="127.0.0.1:50051", required=True),
            Setting("token", "Token", is_secret=True, env="MODEL_SERVER_TOKEN"),
            Setting(
                "tls",
                "Encrypted",
                help="Without it whoever is in between reads posts and token.",
                default="yes",
                choices=("yes", "no"),
            ),
            Setting(
                "roots",
                "Certificate authority",
                help="PEM of your own, if the server's certificate is not a public one's.",
                is_long=True,
            ),
        ),
        batch_size=32,
        price="Free, on a machine of your own.",
        max_bytes=MAX_IMAGE_BYTES,
        concurrency=8,
        timeout_seconds=10.0,
    )

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._seen_version = ""
        self._channel = GuardedChannel(
            self.option("target"),
            allow_private_hosts=account.allow_private_hosts,
            tls=self.option("tls") != "no",
            roots=self.option("roots").encode() or None,
        )

    @property
    def model_version(self) -> str:
        """The version that answered last, as far as one did."""
        return self._seen_version or f"{self.name}-{self.revision}"

    def is_available(self) -> bool:
        return super().is_available() and is_grpc_installed() and messages.is_protobuf_installed()

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        if not self.is_available():
            raise ProviderUnavailable(f"{self.name} needs grpcio and protobuf.")
        if len(parts) == 1:
            return [self.judge_one(parts[0])]
        judged = iter(self._judge_together([part for part in parts if isinstance(part, TextPart)]))
        return [
            next(judged) if isinstance(part, TextPart) else self._judge_beside_others(part)
            for part in parts
        ]

    def _judge_beside_others(self, part: AnyPart) -> Answer:
        try:
            return self.judge_one(part)
        except ProviderRejected as refusal:
            return not_judged(str(refusal))

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, TextPart | ImagePart) or part.kind not in self.parts:
            raise ProviderRejected(f"{self.name} judges no {part.kind}.")
        return self._judge_together([part])[0]

    def _judge_together(self, parts: Sequence[TextPart | ImagePart]) -> list[Answer]:
        if not parts:
            return []
        request = messages.make("JudgeRequest", parts=[_asked(part) for part in parts])
        reply = self._call(request.SerializeToString())
        answers = _read_reply(reply, parts)
        self._seen_version = answers[-1].model_version or self._seen_version
        return answers

    def _call(self, request: bytes) -> Any:
        token = self.secret("token")
        try:
            reply = self._channel.call(
                messages.JUDGE,
                request,
                metadata=(("authorization", f"Bearer {token}"),) if token else (),
                timeout_seconds=self.account.timeout_seconds,
            )
            return messages.read("JudgeReply", reply)
        except FetchRefused as refusal:
            raise ProviderUnavailable(f"{self.name} did not answer: {refusal.reason}.") from refusal
        except CallFailed as failure:
            _raise_for(failure)
        except messages.BadMessage as error:
            raise ProviderMalformed("The answer is no reply of the protocol.") from error


def _raise_for(failure: CallFailed) -> NoReturn:
    if failure.code == "RESOURCE_EXHAUSTED":
        raise ProviderRateLimited(
            "Asked to wait.", retry_after_seconds=failure.retry_after_seconds
        ) from failure
    error = _ERRORS.get(failure.code, ProviderUnavailable)
    raise error(f"Failed with {failure.code}.") from failure


def _asked(part: TextPart | ImagePart) -> Any:
    if isinstance(part, TextPart):
        text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", part.text)
        return messages.make("Part", key=part.key, text=text, language=part.language)
    content = read_file(part.path, max_bytes=MAX_IMAGE_BYTES)
    return messages.make("Part", key=part.key, image=content)


def _read_reply(reply: Any, parts: Sequence[TextPart | ImagePart]) -> list[Answer]:
    if [one.key for one in reply.judgements] != [part.key for part in parts]:
        raise ProviderMalformed("The answer is about other parts.")
    return [
        _read_judgement(judgement, part)
        for judgement, part in zip(reply.judgements, parts, strict=True)
    ]


def _read_judgement(judgement: Any, part: TextPart | ImagePart) -> Answer:
    if judgement.HasField("scores") == bool(judgement.error):
        raise ProviderMalformed("A judgement has neither scores nor an error, or both.")
    if judgement.error:
        return not_judged(judgement.error[:_MAX_ERROR_CHARS])
    given = dict(judgement.scores.by_category)
    if not given:
        raise ProviderMalformed("A judgement has no scores.")
    return Answer(
        Outcome.JUDGED,
        scores=_scores(given),
        spans=_spans(judgement.spans, part),
        raw=kept({"scores": given}),
        model_version=judgement.model_version,
    )


def _scores(given: Mapping[str, float]) -> dict[Category, float]:
    scores: dict[Category, float] = {}
    for name, value in given.items():
        # A server may know more than we do: what it finds counts, under the name that we have.
        category = Category(name) if name in Category.values else Category.OTHER
        scores[category] = max(scores.get(category, 0.0), score(value))
    return scores


def _spans(spans: Sequence[Any], part: TextPart | ImagePart) -> list[Span]:
    """Return the spans that can be shown: within the text, of a category that we have."""
    length = len(part.text) if isinstance(part, TextPart) else 0
    return [
        Span(span.start, span.end, Category(span.category))
        for span in spans
        if span.start < span.end <= length and span.category in Category.values
    ]
