"""A model server for local providers: the protocol's other side, small enough to copy."""

from __future__ import annotations

import hmac
import io
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image, UnidentifiedImageError

from moderation.errors import ProviderError, ProviderRejected
from moderation.providers.adapters.model_server import messages
from moderation.providers.base import Answer, AnyPart, ImagePart, Provider, TextPart
from moderation.providers.shared.service import not_judged
from moderation.vocabulary import Outcome, Part

logger = logging.getLogger(__name__)

MAX_PARTS = 64
MAX_REQUEST_BYTES = 24 * 1024 * 1024
MAX_TEXT_CHARS = 100_000
MAX_PIXELS = 50_000_000
_PARTS = (Part.TEXT, Part.IMAGE)


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


def start_server(
    providers: Sequence[Provider],
    *,
    address: str,
    token: str = "",
    tls: Tls | None = None,
    threads: int = 4,
) -> tuple[Any, int]:
    """Return a running gRPC server, to be stopped, and its port.

    Of several providers the first that knows a kind of part is asked. Raises `RuntimeError` for an
    address that cannot be had.
    """
    grpc = import_module("grpc")
    options = [("grpc.max_receive_message_length", MAX_REQUEST_BYTES), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(threads), options=options)
    server.add_generic_rpc_handlers((_handlers(_Model(providers, token)),))
    if tls is None:
        port = server.add_insecure_port(address)
    else:
        credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)])
        port = server.add_secure_port(address, credentials)
    server.start()
    return server, port


def _handlers(model: _Model) -> Any:
    grpc = import_module("grpc")
    return grpc.method_handlers_generic_handler(
        f"{messages.PACKAGE}.Model",
        {
            "Describe": grpc.unary_unary_rpc_method_handler(model.describe),
            "Judge": grpc.unary_unary_rpc_method_handler(model.judge),
        },
    )


class _Model:
    """The two methods, from bytes to bytes."""

    def __init__(self, providers: Sequence[Provider], token: str) -> None:
        self._token = token
        self._by_kind = {
            kind: provider
            for provider in reversed(providers)
            for kind in _PARTS
            if kind in provider.parts and provider.is_available()
        }

    def describe(self, request: bytes, context: Any) -> bytes:
        self._check_token(context)
        versions = {provider.model_version for provider in self._by_kind.values()}
        reply = messages.make(
            "DescribeReply",
            name="gatehouse",
            model_version=", ".join(sorted(versions)),
            parts=sorted(kind.value for kind in self._by_kind),
            max_parts=MAX_PARTS,
            max_bytes=MAX_REQUEST_BYTES,
        )
        described: bytes = reply.SerializeToString()
        return described

    def judge(self, request: bytes, context: Any) -> bytes:
        self._check_token(context)
        try:
            asked = messages.read("JudgeRequest", request).parts
        except messages.BadMessage:
            _abort(context, "INVALID_ARGUMENT", "This is no JudgeRequest.")
        if len(asked) > MAX_PARTS:
            _abort(context, "INVALID_ARGUMENT", f"At most {MAX_PARTS} parts a request.")
        try:
            judgements = self._judge_parts(asked)
        except ProviderError as error:
            logger.warning("model_failed", extra={"code": error.code})
            _abort(context, "UNAVAILABLE", "The model failed.")
        reply: bytes = messages.make("JudgeReply", judgements=judgements).SerializeToString()
        return reply

    def _check_token(self, context: Any) -> None:
        given = dict(context.invocation_metadata()).get("authorization", "")
        wanted = f"Bearer {self._token}"
        if self._token and not hmac.compare_digest(given.encode(), wanted.encode()):
            _abort(context, "UNAUTHENTICATED", "The token is wrong.")

    def _judge_parts(self, asked: Sequence[Any]) -> list[Any]:
        """Return one judgement a part; all parts of a kind are one batch."""
        parts: dict[int, AnyPart] = {}
        answers: dict[int, Answer] = {}
        with tempfile.TemporaryDirectory(prefix="gatehouse-model-") as folder:
            for at, one in enumerate(asked):
                try:
                    parts[at] = _read_part(one, Path(folder) / str(at))
                except ProviderRejected as refusal:
                    answers[at] = not_judged(str(refusal))
            for kind in _PARTS:
                batch = {at: part for at, part in parts.items() if part.kind is kind}
                answers.update(zip(batch, self._ask(kind, list(batch.values())), strict=True))
        return [_judgement(one.key, answers[at]) for at, one in enumerate(asked)]

    def _ask(self, kind: Part, parts: Sequence[AnyPart]) -> Sequence[Answer]:
        if kind not in self._by_kind:
            return [not_judged("no_model") for _ in parts]
        return self._by_kind[kind].judge(parts) if parts else ()


def _read_part(part: Any, path: Path) -> AnyPart:
    """Raises `ProviderRejected`, whose message is the error in a word."""
    match part.WhichOneof("content"):
        case "text" if len(part.text) > MAX_TEXT_CHARS:
            raise ProviderRejected("too_long")
        case "text":
            return TextPart(part.key, part.text, part.language)
        case "image" if not _is_picture(part.image):
            raise ProviderRejected("unreadable")
        case "image":
            path.write_bytes(part.image)
            return ImagePart(part.key, path)
        case _:
            raise ProviderRejected("no_content")


def _is_picture(data: bytes) -> bool:
    """Whether the head of a file names a size that can be decoded."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.width * image.height <= MAX_PIXELS
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return False


def _judgement(key: str, answer: Answer) -> Any:
    if answer.outcome is not Outcome.JUDGED or not answer.scores:
        return messages.make("Judgement", key=key, error=answer.error or "not_judged")
    scores = {category.value: value for category, value in answer.scores.items()}
    return messages.make(
        "Judgement",
        key=key,
        scores=messages.make("Scores", by_category=scores),
        spans=[
            messages.make("Span", start=span.start, end=span.end, category=span.category.value)
            for span in answer.spans
        ],
        model_version=answer.model_version,
    )


def _abort(context: Any, code: str, words: str) -> NoReturn:
    context.abort(getattr(import_module("grpc").StatusCode, code), words)
    raise AssertionError("`abort` raises.")
