"""The guarded client against real servers on loopback. Nothing here leaves the machine."""

import datetime
import gzip
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from moderation.errors import FetchRefused
from moderation.outbound import GuardedClient, fetch


class Limits(TypedDict):
    max_bytes: int
    timeout_seconds: float


LIMITS: Limits = {"max_bytes": 100_000, "timeout_seconds": 5.0}


@pytest.fixture(scope="module")
def server() -> Iterator[HTTPServer]:
    # One for all tests: stopping it takes half a second each time.
    with HTTPServer(host="127.0.0.1", port=0) as running:
        yield running


@pytest.fixture
def canary(server: HTTPServer) -> HTTPServer:
    """A server that stands for everything behind our firewall."""
    server.clear()
    server.expect_request("/public").respond_with_data(b"fine", content_type="text/plain")
    server.expect_request("/").respond_with_data(b"secret")
    server.expect_request("/secret").respond_with_data(b"secret")
    return server


def answering(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


def noting(asked: list[str]) -> Callable[[str, int], Sequence[str]]:
    """A resolver that knows no name and notes which it was asked for."""

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ()

    return resolve


def client_for(server: HTTPServer, max_connections: int = 20) -> GuardedClient:
    """A client to which `public.example` is an allowed name of the loopback server."""
    return GuardedClient(
        allow_private_hosts=frozenset({f"public.example:{server.port}"}),
        resolver=answering("127.0.0.1"),
        max_connections=max_connections,
    )


def public_url(server: HTTPServer, path: str = "/public") -> str:
    return f"http://public.example:{server.port}{path}"


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that hands each connection to `talk`, to misbehave as no library would."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    talk(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def fetch_raw(port: int, *, max_bytes: int = 100_000, timeout_seconds: float = 5.0) -> bytes:
    return fetch(
        f"http://127.0.0.1:{port}/",
        allow_private_hosts=frozenset({f"127.0.0.1:{port}"}),
        max_bytes=max_bytes,
        timeout_seconds=timeout_seconds,
    ).content


# --- what is refused --------------------------------------------------------------------------

LOOPBACK_FORMS = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ip6-localhost",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "127.0.0.1%00.public.example",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "224.0.0.1",
    "255.255.255.255",
]


BROKEN_GZIP = gzip.compress(b"a" * 999, mtime=0)[:-9]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", LOOPBACK_FORMS)
def test_no_spelling_of_an_inner_address_is_reached(
    canary: HTTPServer, host: str, scheme: str
) -> None:
    with (
        GuardedClient(ports=frozenset({canary.port})) as client,
        pytest.raises(FetchRefused) as refusal,
    ):
        client.fetch(f"{scheme}://{host}:{canary.port}/", **LIMITS)
    assert refusal.value.reason in ("address", "url")
    assert canary.log == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://public.example/",
        "file:///etc/passwd",
        "gopher://public.example/",
        "//public.example/",
        "public.example",
        "",
        "http://",
        "http:///path",
        "http://bo@public.example/",
        "http://bo:pw@public.example/",
        "http://127.0.0.1\\@public.example/",
        "http://public.example\\@127.0.0.1/",
        "http://public.example/ x",
        "http://public.example/\r\nHost: other",
        "http://public.example/\x00",
        "http://public.example:99999/",
        "http://public.example:-1/",
        "http://[::1/",
        "http://" + "a" * 300 + ".example/",
        "http://public.example/" + "a" * 2048,
    ],
)
def test_a_url_that_parsers_could_read_in_two_ways_is_refused(url: str) -> None:
    asked: list[str] = []
    with GuardedClient(resolver=noting(asked)) as client, pytest.raises(FetchRefused):
        client.fetch(url, **LIMITS)
    assert asked in ([], ["a" * 300 + ".example"])


@pytest.mark.parametrize("port", [0, 22, 25, 3306, 5432, 6379, 8000, 8443, 65535])
def test_only_the_ports_of_the_web_are_touched(port: int) -> None:
    asked: list[str] = []
    with (
        GuardedClient(resolver=noting(asked)) as client,
        pytest.raises(FetchRefused, match="cannot be fetched"),
    ):
        client.fetch(f"http://public.example:{port}/", **LIMITS)
    assert asked == []


def test_one_inner_address_among_public_ones_refuses_them_all(canary: HTTPServer) -> None:
    client = GuardedClient(
        ports=frozenset({canary.port}), resolver=answering("1.1.1.1", "127.0.0.1")
    )
    with client, pytest.raises(FetchRefused) as refusal:
        client.fetch(public_url(canary), **LIMITS)
    assert refusal.value.reason == "address"
    assert canary.log == []


def test_a_name_is_resolved_once_and_that_very_address_is_connected(
    canary: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
    dialled: list[object] = []

    def refuse_to_dial(address: object, timeout: float) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse_to_dial)
    flipping = GuardedClient(
        ports=frozenset({canary.port}), resolver=lambda host, port: next(answers)
    )
    with flipping, pytest.raises(FetchRefused):
        flipping.fetch(public_url(canary), **LIMITS)
    assert dialled == [("93.184.215.14", canary.port)]
    assert list(answers) == [["127.0.0.1"], ["127.0.0.1"]]


def test_a_name_that_flips_to_loopback_between_two_requests_is_refused(
    canary: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    real_dial = socket.create_connection

    def dial_only_loopback(address: tuple[str, int], timeout: float) -> socket.socket:
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError
        return real_dial(address, timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", dial_only_loopback)
    flipping = GuardedClient(
        ports=frozenset({canary.port}), resolver=lambda host, port: next(answers)
    )
    with flipping:
        for _ in range(2):
            with pytest.raises(FetchRefused):
                flipping.fetch(public_url(canary), **LIMITS)
    assert canary.log == []


def test_a_peer_that_is_not_the_checked_address_is_refused(
    canary: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_dial = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, timeout: real_dial(("127.0.0.1", canary.port), timeout=timeout),
    )
    client = GuardedClient(ports=frozenset({canary.port}), resolver=answering("1.1.1.1"))
    with client, pytest.raises(FetchRefused) as refusal:
        client.fetch(public_url(canary), **LIMITS)
    assert refusal.value.reason == "address"
    assert canary.log == []


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), OSError("no"), UnicodeError()])
def test_a_resolver_that_fails_refuses(error: Exception) -> None:
    def failing(host: str, port: int) -> Sequence[str]:
        raise error

    with (
        GuardedClient(resolver=failing) as client,
        pytest.raises(FetchRefused, match="cannot be fetched"),
    ):
        client.fetch("http://public.example/", **LIMITS)


def test_a_resolver_that_hangs_is_given_up_in_time() -> None:
    release = threading.Event()

    def hanging(host: str, port: int) -> Sequence[str]:
        release.wait(10)
        return ()

    began = time.monotonic()
    with GuardedClient(resolver=hanging) as client, pytest.raises(FetchRefused) as refusal:
        client.fetch("http://public.example/", max_bytes=10, timeout_seconds=0.3)
    release.set()
    assert refusal.value.reason == "timeout"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/secret",
        "//127.0.0.1:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://inner.example:{port}/secret",
        "file:///etc/passwd",
        "http://bo@public.example:{port}/secret",
        "http://public.example:22/secret",
        "",
    ],
)
def test_a_redirect_to_an_inner_address_is_refused(
    canary: HTTPServer, status: int, target: str
) -> None:
    canary.expect_request("/hop").respond_with_response(
        Response(status=status, headers={"Location": target.format(port=canary.port)})
    )
    client = GuardedClient(
        allow_private_hosts=frozenset({f"public.example:{canary.port}"}),
        ports=frozenset({canary.port}),
        resolver=answering("127.0.0.1"),
    )
    with client, pytest.raises(FetchRefused):
        client.fetch(public_url(canary, "/hop"), **LIMITS)
    assert {request.path for request, _ in canary.log} == {"/hop"}


def test_two_redirects_are_followed_and_a_third_is_not(canary: HTTPServer) -> None:
    for number in (3, 2, 1):
        target = "/public" if number == 1 else f"/hop{number - 1}"
        canary.expect_request(f"/hop{number}").respond_with_response(
            Response(status=302, headers={"Location": target})
        )
    with client_for(canary) as client:
        fetched = client.fetch(public_url(canary, "/hop2"), **LIMITS)
        assert (fetched.content, fetched.final_url) == (b"fine", public_url(canary))
        with pytest.raises(FetchRefused) as refusal:
            client.fetch(public_url(canary, "/hop3"), **LIMITS)
    assert refusal.value.reason == "redirects"


def test_closed_open_blocked_and_silent_ports_read_alike(canary: HTTPServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed_port = unused.getsockname()[1]
        ports = {
            "closed": closed_port,
            "silent": silent.getsockname()[1],
            "status": canary.port,
        }
        allowed = frozenset(f"127.0.0.1:{port}" for port in ports.values())
        texts = set()
        with GuardedClient(allow_private_hosts=allowed) as client:
            for port in ports.values():
                with pytest.raises(FetchRefused) as refusal:
                    client.fetch(
                        f"http://127.0.0.1:{port}/nowhere", max_bytes=10, timeout_seconds=0.4
                    )
                texts.add((str(refusal.value), refusal.value.code, str(refusal.value.details)))
        with GuardedClient() as client, pytest.raises(FetchRefused) as refusal:
            client.fetch("http://127.0.0.1/", **LIMITS)
        texts.add((str(refusal.value), refusal.value.code, str(refusal.value.details)))
    assert len(texts) == 1


def test_a_refusal_is_logged_without_the_address(
    canary: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG, logger="moderation"),
        GuardedClient() as client,
        pytest.raises(FetchRefused),
    ):
        client.fetch("http://127.0.0.1/?token=hidden", **LIMITS)
    assert "address" in caplog.text
    assert "hidden" not in caplog.text


# --- limits -----------------------------------------------------------------------------------


def drip(connection: socket.socket, parts: Iterator[bytes], pause: float) -> None:
    for part in parts:
        connection.sendall(part)
        time.sleep(pause)


def header_drip() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-A: "
    yield from (b"a" for _ in range(100))


def body_drip() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    yield from (b"a" for _ in range(100))


def continue_flood() -> Iterator[bytes]:
    yield from (b"HTTP/1.1 100 Continue\r\n\r\n" for _ in range(100))


@pytest.mark.parametrize("parts", [header_drip, body_drip, continue_flood])
def test_a_dripping_server_is_cut_off_at_the_total_deadline(
    parts: Callable[[], Iterator[bytes]],
) -> None:
    began = time.monotonic()
    with raw_server(lambda connection: drip(connection, parts(), 0.05)) as port:
        with pytest.raises(FetchRefused) as refusal:
            fetch_raw(port, timeout_seconds=0.5)
        took = time.monotonic() - began
    assert refusal.value.reason == "timeout"
    assert took < 1.5


def test_a_body_that_is_never_read_is_cut_off_at_the_total_deadline() -> None:
    began = time.monotonic()
    with raw_server(lambda connection: time.sleep(1.5)) as port:
        client = GuardedClient(allow_private_hosts=frozenset({f"127.0.0.1:{port}"}))
        with client, pytest.raises(FetchRefused) as refusal:
            client.request(
                "POST",
                f"http://127.0.0.1:{port}/",
                content=b"a" * 50_000_000,
                max_bytes=10,
                timeout_seconds=0.5,
            )
        assert time.monotonic() - began < 1.5
    assert refusal.value.reason == "timeout"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 4096,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50_000_000)),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
        + gzip.compress(gzip.compress(bytes(50_000_000)) + bytes(2_000)),
    ],
    ids=["announced", "streamed", "chunked", "gzip bomb", "gzip"],
)
def test_more_bytes_than_allowed_are_refused(answer: bytes) -> None:
    with (
        raw_server(lambda connection: connection.sendall(answer)) as port,
        pytest.raises(FetchRefused) as refusal,
    ):
        fetch_raw(port, max_bytes=2_000)
    assert refusal.value.reason == "size"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"-ERR unknown command\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip at all",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + BROKEN_GZIP,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_file_is_refused(answer: bytes) -> None:
    with (
        raw_server(lambda connection: connection.sendall(answer)) as port,
        pytest.raises(FetchRefused, match=r"^This address cannot be fetched\.$"),
    ):
        fetch_raw(port)


# --- what works -------------------------------------------------------------------------------


def test_a_file_is_fetched_with_its_type(canary: HTTPServer) -> None:
    canary.expect_request("/pic").respond_with_data(b"\x89PNG", content_type="Image/PNG; q=1")
    fetched = fetch(
        f"http://127.0.0.1:{canary.port}/pic",
        allow_private_hosts=frozenset({f"127.0.0.1:{canary.port}"}),
        max_bytes=4,
        timeout_seconds=5,
    )
    assert (fetched.content, fetched.content_type) == (b"\x89PNG", "image/png")


def test_host_and_identity_are_sent_and_cookies_are_not_kept(canary: HTTPServer) -> None:
    seen: list[dict[str, str]] = []

    def note(request: Request) -> Response:
        seen.append(dict(request.headers))
        return Response("ok", headers={"Set-Cookie": "who=bo"})

    canary.expect_request("/note").respond_with_handler(note)
    with client_for(canary) as client:
        for _ in range(2):
            client.fetch(public_url(canary, "/note"), **LIMITS)
    assert [headers["Host"] for headers in seen] == [f"public.example:{canary.port}"] * 2
    assert {headers["Accept-Encoding"] for headers in seen} == {"identity"}
    assert not any("Cookie" in headers for headers in seen)


def test_a_request_carries_json_and_returns_any_status(canary: HTTPServer) -> None:
    canary.expect_request("/check", method="POST", json={"text": "hello"}).respond_with_json(
        {"error": "slow down"}, status=429, headers={"Retry-After": "3"}
    )
    with client_for(canary) as client:
        reply = client.request(
            "POST",
            public_url(canary, "/check"),
            headers={"Authorization": "Bearer k"},
            json={"text": "hello"},
            **LIMITS,
        )
    assert (reply.status, reply.headers["retry-after"]) == (429, "3")
    assert canary.log[0][0].headers["Authorization"] == "Bearer k"


def test_a_request_does_not_follow_a_redirect(canary: HTTPServer) -> None:
    canary.expect_request("/hop").respond_with_response(
        Response(status=302, headers={"Location": "/public"})
    )
    with client_for(canary) as client:
        assert client.request("GET", public_url(canary, "/hop"), **LIMITS).status == 302
    assert len(canary.log) == 1


def test_gzip_sent_unasked_is_unpacked(canary: HTTPServer) -> None:
    packed = gzip.compress(b"a" * 50_000, mtime=0)
    canary.expect_request("/packed").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    with client_for(canary) as client:
        assert client.fetch(public_url(canary, "/packed"), **LIMITS).content == b"a" * 50_000


def test_the_environment_cannot_name_a_proxy(
    canary: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with client_for(canary) as client:
        assert client.fetch(public_url(canary), **LIMITS).content == b"fine"


def test_threads_share_one_client(canary: HTTPServer) -> None:
    with client_for(canary, max_connections=4) as client, ThreadPoolExecutor(16) as threads:
        results = list(
            threads.map(lambda _: client.fetch(public_url(canary), **LIMITS).content, range(100))
        )
    assert results == [b"fine"] * 100


def test_a_kept_connection_that_the_server_closed_is_not_reused() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with raw_server(lambda connection: connection.sendall(answer)) as port:
        client = GuardedClient(allow_private_hosts=frozenset({f"127.0.0.1:{port}"}))
        with client:
            for _ in range(3):
                url = f"http://127.0.0.1:{port}/"
                assert client.fetch(url, **LIMITS).content == b"ok"
                time.sleep(0.05)


# --- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for public.example only, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "public.example")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("public.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "public.example.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture(scope="module")
def tls_server(certificate: Path) -> Iterator[tuple[HTTPServer, list[str | None]]]:
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    with HTTPServer(host="127.0.0.1", port=0, ssl_context=context) as server:
        server.expect_request("/").respond_with_data(b"fine")
        yield server, names


def tls_client(server: HTTPServer, trusted: Path, host: str) -> GuardedClient:
    return GuardedClient(
        allow_private_hosts=frozenset({f"{host}:{server.port}"}),
        resolver=answering("127.0.0.1"),
        ssl_context=ssl.create_default_context(cafile=str(trusted)),
    )


def test_the_name_is_kept_for_tls_though_the_address_is_dialled(
    tls_server: tuple[HTTPServer, list[str | None]], certificate: Path
) -> None:
    server, names = tls_server
    names.clear()
    with tls_client(server, certificate, "public.example") as client:
        for _ in range(3):
            fetched = client.fetch(f"https://public.example:{server.port}/", **LIMITS)
            assert fetched.content == b"fine"
    assert set(names) == {"public.example"}


def test_a_certificate_for_another_name_is_refused(
    tls_server: tuple[HTTPServer, list[str | None]], certificate: Path
) -> None:
    server, _ = tls_server
    with (
        tls_client(server, certificate, "other.example") as client,
        pytest.raises(FetchRefused) as refusal,
    ):
        client.fetch(f"https://other.example:{server.port}/", **LIMITS)
    assert refusal.value.reason == "connection"
    assert not any(request.host.startswith("other.example") for request, _ in server.log)


def test_an_ipv6_host_can_be_allowed() -> None:
    with (
        GuardedClient(allow_private_hosts=frozenset({"[::1]:9"})) as client,
        pytest.raises(FetchRefused) as refusal,
    ):
        client.fetch("http://[::1]:9/", max_bytes=10, timeout_seconds=2)
    # It was dialled: nothing listens there.
    assert refusal.value.reason == "connection"
