"""The model server's protocol, both sides of it, over real gRPC on loopback."""

from __future__ import annotations

import datetime
import io
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from google.protobuf import descriptor_pb2
from grpc_tools import protoc
from PIL import Image

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
from moderation.outbound.channels import GuardedChannel
from moderation.providers.adapters.model_server import ModelServerAdapter, messages
from moderation.providers.adapters.model_server.server import (
    MAX_PARTS,
    MAX_TEXT_CHARS,
    Tls,
    start_server,
)
from moderation.providers.base import (
    Account,
    Answer,
    AnyPart,
    AudioPart,
    ImagePart,
    Provider,
    Span,
    TextPart,
)
from moderation.providers.own.local_text import LocalTextProvider
from moderation.sandbox.marks import marked_scores
from moderation.vocabulary import Category, Outcome, Part

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "moderation" / "providers" / "adapters" / "model_server" / "gatehouse_model.proto"
TOKEN = "a-token-of-the-tests"


class Marks:
    """A model of texts and pictures that reads what is marked in them."""

    name = "marks"
    is_local = True
    model_version = "marks-1"

    def __init__(self, *kinds: Part, fails: bool = False) -> None:
        self.parts = frozenset(kinds or (Part.TEXT, Part.IMAGE))
        self.fails = fails
        self.batches: list[int] = []

    def is_available(self) -> bool:
        return True

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        self.batches.append(len(parts))
        if self.fails:
            raise ProviderUnavailable("The model failed.")
        return [self._judge(part) for part in parts]

    def _judge(self, part: AnyPart) -> Answer:
        content = part.text if isinstance(part, TextPart) else part.path.read_bytes()
        scores = {Category(name): score for name, score in marked_scores(content).items()}
        if not scores:
            return Answer(Outcome.NOT_JUDGED, error="language")
        return Answer(
            Outcome.JUDGED, scores=scores, model_version=self.model_version, spans=_first_word(part)
        )


def _first_word(part: AnyPart) -> list[Span]:
    return [Span(0, part.text.index(" "), Category.HATE)] if isinstance(part, TextPart) else []


@contextmanager
def serving(*providers: Provider, **how: Any) -> Iterator[str]:
    """Serve and yield the address."""
    server, port = start_server(providers or (Marks(),), address="127.0.0.1:0", **how)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def adapter(target: str, *, excepted: bool = True, timeout: float = 5.0, **given: str) -> Any:
    token = given.pop("token", "")
    return ModelServerAdapter(
        Account(
            name="model_server",
            options={"target": target, "tls": "no", "roots": "", **given},
            secrets={"token": token},
            timeout_seconds=timeout,
            allow_private_hosts=frozenset({target} if excepted else ()),
        )
    )


def text(content: str, key: str = "text") -> TextPart:
    return TextPart(key, content)


def picture(folder: Path, mark: str = "", name: str = "picture") -> ImagePart:
    made = io.BytesIO()
    Image.new("RGB", (8, 8)).save(made, "PNG")
    path = folder / name
    path.write_bytes(made.getvalue() + mark.encode())
    return ImagePart(f"media:{name}", path)


# --- the protocol as it is published ------------------------------------------------------------


def test_the_descriptors_are_those_of_the_published_file(tmp_path: Path) -> None:
    compiled = tmp_path / "compiled"
    given = ["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={compiled}", PROTO.name]
    assert protoc.main(given) == 0
    kept = PROTO.with_suffix(".binpb").read_bytes()
    read = descriptor_pb2.FileDescriptorSet.FromString
    assert read(compiled.read_bytes()) == read(kept)


def test_generated_code_speaks_to_our_server(tmp_path: Path) -> None:
    """As somebody else's client does: with code that protoc made of the file."""
    given = [f"-I{PROTO.parent}", f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    assert protoc.main(["protoc", *given, PROTO.name]) == 0
    with serving(token=TOKEN) as address:
        asking = f"""
import grpc, gatehouse_model_pb2 as m, gatehouse_model_pb2_grpc as g
model = g.ModelStub(grpc.insecure_channel({address!r}))
metadata = (("authorization", "Bearer {TOKEN}"),)
print(model.Describe(m.DescribeRequest(), metadata=metadata).parts)
part = m.Part(key="a", text="[[hate=0.9]] x")
print(model.Judge(m.JudgeRequest(parts=[part]), metadata=metadata).judgements[0].scores)
"""
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", asking],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert "['image', 'text']" in ran.stdout
    assert 'key: "hate"' in ran.stdout
    assert "value: 0.9" in ran.stdout


# --- both sides ---------------------------------------------------------------------------------


def test_the_local_model_answers_as_it_does_at_home() -> None:
    local = LocalTextProvider()
    parts = [text("You are a worthless idiot, go away.", "a"), text("A lovely day.", "b")]
    with serving(local) as address:
        judge = adapter(address)
        answers = judge.judge(parts)
        assert judge.model_version == local.model_version
    for answer, at_home in zip(answers, local.judge(parts), strict=True):
        assert answer.outcome is Outcome.JUDGED
        assert answer.scores == pytest.approx(dict(at_home.scores))
        assert list(answer.spans) == list(at_home.spans)
        assert answer.model_version == at_home.model_version
    assert answers[0].scores[Category.TOXIC] > 0.8 > 0.2 > answers[1].scores[Category.TOXIC]


def test_texts_are_one_batch_and_all_is_answered_in_order(tmp_path: Path) -> None:
    model = Marks()
    parts = [
        text("[[hate=0.1]] x", "a"),
        picture(tmp_path, "[[sexual=0.2]]", "b"),
        text("[[hate=0.3]] x", "c"),
        text("äöü 🙂 no mark", "d"),
        picture(tmp_path, "[[sexual=0.5]]", "e"),
    ]
    with serving(model) as address:
        answers = adapter(address).judge(parts)
    assert [dict(answer.scores) for answer in answers] == [
        {Category.HATE: 0.1},
        {Category.SEXUAL: 0.2},
        {Category.HATE: 0.3},
        {},
        {Category.SEXUAL: 0.5},
    ]
    assert (answers[3].outcome, answers[3].error) == (Outcome.NOT_JUDGED, "language")
    assert model.batches == [3, 1, 1]


def test_spans_count_characters() -> None:
    with serving() as address:
        (answer,) = adapter(address).judge([text("🙂ä[[hate=0.9]] word")])
    assert answer.spans == [Span(0, 14, Category.HATE)]


def test_half_a_character_is_no_trouble() -> None:
    with serving() as address:
        (answer,) = adapter(address).judge([text("\ud83d [[hate=0.9]]")])
    assert answer.scores == {Category.HATE: 0.9}


def test_threads_share_an_adapter() -> None:
    with serving() as address, ThreadPoolExecutor(8) as pool:
        judge = adapter(address)
        found = list(pool.map(lambda _: judge.judge([text("[[hate=0.9]] x")])[0].scores, range(80)))
    assert found == [{Category.HATE: 0.9}] * 80


def test_a_text_that_is_too_long_for_the_model_is_not_judged() -> None:
    with serving() as address:
        parts = [text("x" * (MAX_TEXT_CHARS + 1), "a"), text("[[hate=0.9]] x", "b")]
        answers = adapter(address).judge(parts)
    assert (answers[0].outcome, answers[0].error) == (Outcome.NOT_JUDGED, "too_long")
    assert answers[1].scores == {Category.HATE: 0.9}


def test_what_is_no_picture_never_reaches_the_model(tmp_path: Path) -> None:
    model = Marks()
    path = tmp_path / "no-picture"
    path.write_bytes(b"GIF89a [[sexual=0.9]]")
    with serving(model) as address:
        (answer,) = adapter(address).judge([ImagePart("media:1", path)])
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "unreadable")
    assert model.batches == []


def test_a_picture_without_a_model_is_not_judged(tmp_path: Path) -> None:
    with serving(Marks(Part.TEXT)) as address:
        (answer,) = adapter(address).judge([picture(tmp_path, "[[sexual=0.9]]")])
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "no_model")


def test_a_picture_that_cannot_be_sent_spoils_nothing_beside_it(tmp_path: Path) -> None:
    none = ImagePart("media:1", tmp_path / "none")
    with serving() as address:
        judge = adapter(address)
        answers = judge.judge([none, text("[[hate=0.9]] x")])
        assert [answer.outcome for answer in answers] == [Outcome.NOT_JUDGED, Outcome.JUDGED]
        for part in (none, AudioPart("media:2", tmp_path / "none")):
            with pytest.raises(ProviderRejected):
                judge.judge([part])


def test_a_model_that_fails_is_unavailable() -> None:
    with serving(Marks(fails=True)) as address, pytest.raises(ProviderUnavailable):
        adapter(address).judge([text("hello you")])


def test_more_parts_than_the_server_takes_are_refused() -> None:
    with serving() as address, pytest.raises(ProviderRejected):
        adapter(address).judge([text("[[hate=0.9]] x", str(at)) for at in range(MAX_PARTS + 1)])


# --- who may ask, and whom ----------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "wrong", TOKEN + "x", "Bearer"])
def test_a_wrong_token_is_refused_and_never_repeated(given: str) -> None:
    with serving(token=TOKEN) as address:
        assert adapter(address, token=TOKEN).judge([text("[[hate=0.9]] x")])
        with pytest.raises(ProviderAuthFailed) as raised:
            adapter(address, token=given).judge([text("[[hate=0.9]] x")])
    assert not given or given not in str(raised.value)


def test_a_private_address_is_not_dialled_without_an_exception() -> None:
    model = Marks()
    with serving(model) as address, pytest.raises(ProviderUnavailable):
        adapter(address, excepted=False).judge([text("[[hate=0.9]] x")])
    assert model.batches == []


class Elsewhere(GuardedChannel):
    """Takes a server on loopback for one on the public web."""

    loopback = ""

    def _make(self, host: str, address: str, port: int) -> Any:
        assert address == "93.184.215.14"
        return grpc.insecure_channel(self.loopback)


def test_a_name_that_flips_to_loopback_is_refused() -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    with serving() as address:
        channel = Elsewhere(
            f"models.example:{address.rpartition(':')[2]}",
            allow_private_hosts=frozenset(),
            tls=False,
            resolver=lambda host, port: next(answers),
        )
        channel.loopback = address
        assert channel.call(messages.DESCRIBE, b"", metadata=(), timeout_seconds=5)
        with pytest.raises(FetchRefused):
            channel.call(messages.DESCRIBE, b"", metadata=(), timeout_seconds=5)
        channel.close()


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving() as address:
        assert adapter(address).judge([text("[[hate=0.9]] x")])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


class Authority:
    """Vouches for servers, to those who trust it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
        self._certificate = self._sign(self._name, self._key.public_key(), is_authority=True)

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def tls_for(self, *names: str) -> Tls:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        made = self._sign(subject, key.public_key(), names=names)
        return Tls(
            certificate=made.public_bytes(serialization.Encoding.PEM),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        names: Sequence[str] = (),
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_name_of(name) for name in names]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256())


def _name_of(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_an_encrypted_call_checks_the_servers_name(authority: Authority, name: str) -> None:
    with serving(tls=authority.tls_for(name), token=TOKEN) as address:
        target = f"{name}:{address.rpartition(':')[2]}"
        judge = adapter(target, tls="yes", roots=authority.pem, token=TOKEN)
        (answer,) = judge.judge([text("[[hate=0.9]] x")])
    assert answer.scores == {Category.HATE: 0.9}


@pytest.mark.parametrize(
    ("names", "trusts", "tls"),
    [
        (("models.example",), True, "yes"),  # a certificate for another name
        (("127.0.0.1",), False, "yes"),  # nobody we know vouches for it
        (("127.0.0.1",), True, "no"),
    ],
)
def test_a_server_that_is_not_the_one_is_told_nothing(
    authority: Authority, names: tuple[str, ...], trusts: bool, tls: str
) -> None:
    model = Marks()
    with serving(model, tls=authority.tls_for(*names)) as address:
        roots = authority.pem if trusts else Authority().pem
        with pytest.raises(ProviderUnavailable):
            adapter(address, tls=tls, roots=roots, timeout=0.5).judge([text("[[hate=0.9]] x")])
    assert model.batches == []


# --- servers that fail, or that speak otherwise -------------------------------------------------


class Scripted:
    """A server that answers whatever a test wants."""

    def __init__(self) -> None:
        self.calls = 0
        self.act: Callable[[bytes, Any], bytes] = lambda request, context: b""
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(self._answer)
        generic = grpc.method_handlers_generic_handler(
            f"{messages.PACKAGE}.Model", {"Judge": handler}
        )
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _answer(self, request: bytes, context: Any) -> bytes:
        self.calls += 1
        return self.act(request, context)

    def reply(self, *judgements: dict[str, Any]) -> None:
        made = [_judgement(**one) for one in judgements]
        data = messages.make("JudgeReply", judgements=made).SerializeToString()
        self.act = lambda request, context: data

    def stop(self) -> None:
        self._server.stop(None).wait()


def _judgement(scores: dict[str, float] | None = None, **fields: Any) -> Any:
    made = {} if scores is None else {"scores": messages.make("Scores", by_category=scores)}
    fields = {"key": "text", **fields}
    if "spans" in fields:
        names = ("start", "end", "category")
        fields["spans"] = [
            messages.make("Span", **dict(zip(names, span, strict=True))) for span in fields["spans"]
        ]
    return messages.make("Judgement", **made, **fields)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, ProviderUnavailable),
        (grpc.StatusCode.INTERNAL, ProviderUnavailable),
        (grpc.StatusCode.UNKNOWN, ProviderUnavailable),
        (grpc.StatusCode.ABORTED, ProviderUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ProviderUnavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ProviderRateLimited),
        (grpc.StatusCode.UNAUTHENTICATED, ProviderAuthFailed),
        (grpc.StatusCode.PERMISSION_DENIED, ProviderAuthFailed),
        (grpc.StatusCode.INVALID_ARGUMENT, ProviderRejected),
        (grpc.StatusCode.UNIMPLEMENTED, ProviderGone),
    ],
)
def test_a_status_says_what_it_is_and_nothing_is_repeated(
    scripted: Scripted, code: grpc.StatusCode, error: type[ProviderError]
) -> None:
    scripted.act = lambda request, context: context.abort(code, "secret words of the server")
    with pytest.raises(error) as raised:
        adapter(scripted.address).judge([text("hello you")])
    assert type(raised.value) is error
    assert "secret" not in str(raised.value)
    assert scripted.calls == 1


@pytest.mark.parametrize(("sent", "seconds"), [("1500", 1.5), ("-1", None), ("soon", None)])
def test_a_server_may_say_when_to_come_back(
    scripted: Scripted, sent: str, seconds: float | None
) -> None:
    def push_back(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("grpc-retry-pushback-ms", sent),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "later")
        return b""

    scripted.act = push_back
    with pytest.raises(ProviderRateLimited) as raised:
        adapter(scripted.address).judge([text("hello you")])
    assert raised.value.retry_after_seconds == seconds


def test_a_slow_server_is_not_waited_for(scripted: Scripted) -> None:
    released = threading.Event()

    def dawdle(request: bytes, context: Any) -> bytes:
        released.wait(5)
        return b""

    scripted.act = dawdle
    with pytest.raises(ProviderUnavailable):
        adapter(scripted.address, timeout=0.2).judge([text("hello you")])
    released.set()


def test_a_server_that_is_not_there_is_unavailable(scripted: Scripted) -> None:
    scripted.stop()
    with pytest.raises(ProviderUnavailable):
        adapter(scripted.address, timeout=1).judge([text("hello you")])


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"<html>", b"\x0a\x05abc"])
def test_bytes_that_are_no_reply_are_malformed(scripted: Scripted, data: bytes) -> None:
    scripted.act = lambda request, context: data
    with pytest.raises(ProviderMalformed):
        adapter(scripted.address).judge([text("hello you")])


@pytest.mark.parametrize(
    "judgements",
    [
        [],
        [{"scores": {"hate": 0.1}}] * 2,
        [{"scores": {"hate": 0.1}, "key": "other"}],
        [{}],
        [{"scores": {}}],
        [{"scores": {"hate": 0.1}, "error": "language"}],
        [{"scores": {"hate": 1.5}}],
        [{"scores": {"hate": -0.1}}],
        [{"scores": {"hate": math.nan}}],
        [{"scores": {"hate": math.inf}}],
    ],
)
def test_a_reply_that_does_not_say_what_it_should_is_malformed(
    scripted: Scripted, judgements: list[dict[str, Any]]
) -> None:
    scripted.reply(*judgements)
    with pytest.raises(ProviderMalformed):
        adapter(scripted.address).judge([text("hello you")])


def test_answers_in_another_order_are_malformed(scripted: Scripted) -> None:
    scripted.reply({"scores": {"hate": 0.9}, "key": "b"}, {"scores": {"hate": 0.1}, "key": "a"})
    with pytest.raises(ProviderMalformed):
        adapter(scripted.address).judge([text("one you", "a"), text("two you", "b")])


def test_a_category_that_is_not_scored_is_not_zero(scripted: Scripted) -> None:
    scripted.reply({"scores": {"hate": 0.9, "of tomorrow": 0.4, "other": 0.2}})
    (answer,) = adapter(scripted.address).judge([text("hello you")])
    assert answer.scores == {Category.HATE: 0.9, Category.OTHER: 0.4}
    assert answer.raw == {"scores": {"hate": 0.9, "of tomorrow": 0.4, "other": 0.2}}


def test_spans_that_cannot_be_shown_are_left_out(scripted: Scripted) -> None:
    spans = [(0, 5, "hate"), (3, 3, "hate"), (5, 4, "hate"), (0, 10, "hate"), (0, 5, "of tomorrow")]
    scripted.reply({"scores": {"hate": 0.9}, "spans": spans})
    (answer,) = adapter(scripted.address).judge([text("hello you")])
    assert answer.spans == [Span(0, 5, Category.HATE)]


def test_an_answer_beyond_every_size_is_not_read(scripted: Scripted) -> None:
    scripted.act = lambda request, context: bytes(9 * 1024 * 1024)
    with pytest.raises(ProviderUnavailable):
        adapter(scripted.address).judge([text("hello you")])


# --- the command --------------------------------------------------------------------------------


def run_command(*given: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "serve_model", *given],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_serves_the_local_model(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with run_command("--port", "0", "--token-file", str(token)) as running:
        assert running.stdout is not None
        address = running.stdout.readline().strip().removeprefix("Serving on ").rstrip(".")
        (answer,) = adapter(address, token=TOKEN).judge([text("You are a worthless idiot.")])
        with pytest.raises(ProviderAuthFailed):
            adapter(address).judge([text("hello you")])
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
    assert answer.scores[Category.TOXIC] > 0.8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--host", "::"], "--token-file"),
        (["--host", "192.0.2.1"], "--token-file"),
        (["--token-file", "/nowhere"], "cannot be read"),
        (["--token-file", os.devnull], "is empty"),
        (["--certificate", __file__], "go together"),
    ],
)
def test_the_command_refuses_what_is_not_safe(given: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("serve_model", "--port", "0", *given)


def test_the_command_says_that_an_address_is_taken() -> None:
    with serving() as address, pytest.raises(CommandError, match="cannot be had"):
        call_command("serve_model", "--port", address.rpartition(":")[2])
