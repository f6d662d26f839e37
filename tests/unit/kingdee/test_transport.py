"""Real sockets on loopback: what the network does, and what becomes of it."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import requests
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kdsync.clock import FakeClock, SystemClock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee import transport as module
from kdsync.kingdee.transport import Call, Transport, symptom_of
from kdsync.server_clock import ServerClock
from kdsync.settings.schema import KingdeeSection

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 01:00:00 GMT\r\n"


class Wire:
    """Accepts connections and plays one raw answer for each request; an empty one hangs up."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.asks_end_with = b"}"
        self.silent = threading.Event()
        self.wrap: ssl.SSLContext | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/K3Cloud/"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.wrap is not None:
                try:
                    connection = self.wrap.wrap_socket(connection, server_side=True)
                except OSError:  # the peer does not like the certificate
                    connection.close()
                    continue
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # the peer may not wait for the end
            while request := self._request(connection):
                self.requests.append(request)
                if not self.answers:
                    self.silent.wait(10)
                    return
                answer = self.answers.pop(0)
                if not answer:
                    return
                connection.sendall(answer)
                if b"Connection: close" in answer:
                    return

    def _request(self, connection: socket.socket) -> bytes:
        data = b""
        try:
            while b"\r\n\r\n" not in data or not data.endswith(self.asks_end_with):
                piece = connection.recv(65536)
                if not piece:
                    return b""
                data += piece
        except OSError:
            return b""
        return data

    def close(self) -> None:
        self.silent.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):  # the peer was faster
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
def connect(
    make_settings: Callable[..., KingdeeSection], calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Transport]]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made: list[Transport] = []

    def make(url: str, *, timeout: float = 0.5, ca_file: Path | None = None) -> Transport:
        clock = SystemClock()
        settings = make_settings().model_copy(update={"url": url, "timeout": timeout, "ca_file": ca_file})
        made.append(Transport(settings, clock, ServerClock(clock), calls.append))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def answer(body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return OK + b"\r\n".join((*(headers or (length,)), b"", body))


def fail(transport: Transport, *, read: bool = True) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        transport.post("A.B", b"{}", {}, read=read)
    return caught.value


def test_a_connection_is_kept(wire: Wire, connect: Callable[..., Transport]) -> None:
    transport = connect(wire.url)
    wire.answers = [answer(b"[[1]]"), answer(b"[[2]]")]
    assert transport.post("A.B", b"{}", {"x": "1"}, read=True).value == [[1]]
    assert transport.post("A.B", b'{"a":1}', {}, read=True).value == [[2]]
    assert wire.connections == 1
    first, second = wire.requests
    assert first.startswith(b"POST /K3Cloud/A.B.common.kdsvc HTTP/1.1\r\n")
    assert b"x: 1\r\n" in first
    assert b"x: 1\r\n" not in second
    assert second.endswith(b'\r\n\r\n{"a":1}')


def test_a_compressed_and_a_chunked_answer(wire: Wire, connect: Callable[..., Transport]) -> None:
    transport = connect(wire.url)
    packed = gzip.compress(b"[[1]]")
    wire.answers = [
        answer(packed, b"Content-Encoding: gzip", b"Content-Length: %d" % len(packed)),
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[[\r\n3\r\n2]]\r\n0\r\n\r\n",
    ]
    assert transport.post("A.B", b"{}", {}, read=True).value == [[1]]
    assert transport.post("A.B", b"{}", {}, read=True).value == [[2]]
    assert wire.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        OK + b"Content-Length: 50\r\nConnection: close\r\n\r\n[[1]",
        OK + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nff\r\n[[1",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz",
        b"nonsense\r\n\r\nConnection: close",
    ],
)
def test_a_broken_answer(wire: Wire, connect: Callable[..., Transport], raw: bytes, calls: list[Call]) -> None:
    transport = connect(wire.url)
    wire.answers = [raw, raw]
    read = fail(transport)
    assert (read.kind, read.code) == (FailureKind.TRANSIENT, "cut")
    assert fail(transport, read=False).kind is FailureKind.UNKNOWN_OUTCOME
    assert [call.failure for call in calls] == [FailureKind.TRANSIENT, FailureKind.UNKNOWN_OUTCOME]


def test_a_silent_server(wire: Wire, connect: Callable[..., Transport]) -> None:
    assert fail(connect(wire.url, timeout=0.05), read=False).code == "timeout"


def test_an_answer_that_stops_half_way(wire: Wire, connect: Callable[..., Transport]) -> None:
    wire.answers = [OK + b"Content-Length: 50\r\n\r\n[[1]"]
    assert fail(connect(wire.url, timeout=0.1)).code == "timeout"


def test_an_answer_that_trickles_in_is_given_up(
    wire: Wire, connect: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0)
    wire.answers = [answer(b"[[1]]")]
    assert fail(connect(wire.url)).message.endswith("trickles in")


def test_an_answer_that_says_it_is_too_large_is_not_read(wire: Wire, connect: Callable[..., Transport]) -> None:
    wire.answers = [OK + b"Content-Length: 33554433\r\n\r\n"]
    assert fail(connect(wire.url)).code == "too-large"


def test_an_answer_that_turns_out_too_large(
    wire: Wire, connect: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    bomb = gzip.compress(b" " * 100_000)
    wire.answers = [answer(bomb, b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb))]
    error = fail(connect(wire.url))
    assert (error.kind, error.code) == (FailureKind.REFUSED, "too-large")


def test_nobody_listens(connect: Callable[..., Transport]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = fail(connect(f"http://127.0.0.1:{port}/"), read=False)
    assert (error.kind, error.code) == (FailureKind.TRANSIENT, "refused")
    assert "Connection refused" in error.message


def test_a_proxy_of_the_environment_is_used_and_its_password_kept(
    wire: Wire, make_settings: Callable[..., KingdeeSection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", wire.url.replace("http://", "http://me:hunter2@").removesuffix("K3Cloud/"))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    clock = FakeClock(SystemClock().now())
    settings = make_settings().model_copy(update={"url": "http://erp.invalid/K3Cloud/"})
    transport = Transport(settings, clock, ServerClock(clock), None)
    wire.answers = [answer(b"[]"), b""]
    assert transport.post("A.B", b"{}", {}, read=True).value == []
    assert wire.requests[0].startswith(b"POST http://erp.invalid/K3Cloud/A.B.common.kdsvc HTTP/1.1")
    assert "hunter2" not in str(fail(transport))
    transport.close()


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (b"407 Proxy Authentication Required", FailureKind.CONFIGURATION, "http-407"),
        (b"403 Forbidden", FailureKind.TRANSIENT, "proxy"),
        (b"503 Service Unavailable", FailureKind.TRANSIENT, "proxy"),
    ],
)
@pytest.mark.parametrize("read", [True, False])
def test_a_proxy_that_opens_no_way_to_the_server_is_quoted(
    wire: Wire,
    connect: Callable[..., Transport],
    monkeypatch: pytest.MonkeyPatch,
    said: bytes,
    kind: FailureKind,
    code: str,
    read: bool,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", wire.url.replace("http://", "http://me:hunter2@").removesuffix("K3Cloud/"))
    monkeypatch.setenv("NO_PROXY", "")
    wire.asks_end_with = b"\r\n\r\n"
    wire.answers = [b"HTTP/1.1 " + said + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    error = fail(connect("https://erp.invalid/K3Cloud/"), read=read)
    assert (error.kind, error.code) == (kind, code)
    assert said.decode() in error.message
    assert "hunter2" not in str(error)


def test_the_clock_is_read_from_errors_too(wire: Wire, connect: Callable[..., Transport]) -> None:
    transport = connect(wire.url)
    wire.answers = [OK.replace(b"200 OK", b"500 Oops") + b"Content-Length: 0\r\n\r\n"]
    fail(transport)
    assert transport._server_clock.measured


def test_an_unusable_address_is_for_an_operator(connect: Callable[..., Transport]) -> None:
    for url in ("ftp://erp.example.com/", "http:///K3Cloud/", "erp.example.com/K3Cloud"):
        error = fail(connect(url))
        assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "address")


def test_a_missing_certificate_file_is_for_an_operator(connect: Callable[..., Transport], tmp_path: Path) -> None:
    error = fail(connect("https://127.0.0.1:9/", ca_file=tmp_path / "no.pem"))
    assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "address")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "erp")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(signed.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_a_certificate_is_always_checked(
    wire: Wire, connect: Callable[..., Transport], certificate: tuple[Path, Path]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    wire.wrap = context
    url = wire.url.replace("http://", "https://")
    error = fail(connect(url), read=False)
    assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "certificate")
    assert "self-signed certificate" in error.message
    wire.answers = [answer(b"[[1]]")]
    assert connect(url, ca_file=certificate[0]).post("A.B", b"{}", {}, read=True).value == [[1]]


def wrapped(cause: Exception) -> requests.ConnectionError:
    """As requests wraps what urllib3 raised."""
    pool = urllib3.HTTPConnectionPool("erp.example.com")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", cause))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (wrapped(ssl.SSLCertVerificationError(1, "certificate verify failed")), "certificate"),
        (requests.exceptions.SSLError("handshake"), "tls"),
        (wrapped(socket.gaierror(-2, "Name or service not known")), "dns"),
        (requests.exceptions.ProxyError("no"), "proxy"),
        (requests.ConnectTimeout(), "connect-timeout"),
        (requests.ReadTimeout(), "timeout"),
        (ConnectionResetError(104, "Connection reset by peer"), "cut"),
        (requests.exceptions.InvalidURL("no host"), "address"),
    ],
)
def test_what_an_exception_means(error: Exception, fault: str) -> None:
    assert symptom_of(error).fault == fault


def test_an_exception_that_causes_itself_is_read_to_an_end() -> None:
    error = requests.ConnectionError("ring")
    error.args = (error,)
    assert symptom_of(error).fault == "cut"
