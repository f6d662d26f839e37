"""The way to a host that is broken in one place: name, port, certificate, proxy, or what answers there."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kdsync.clock import Clock
from kdsync.doctor import network
from kdsync.doctor.finding import FAILED, OK, WARNING, Finding
from kdsync.doctor.network import Host, proxies, walk
from kdsync.doctor.service import Service
from kdsync.errors import EdgeError
from kdsync.kingdee.errors import failure
from kdsync.kingdee.transport import symptom_of

Key = ec.EllipticCurvePrivateKey
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def explain(error: Exception) -> EdgeError:
    return failure(symptom_of(error))


@contextmanager
def answering(answer: bytes | None, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that says the same to everybody; None takes connections and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            taken.append(connection)
            threading.Thread(target=speak, args=(connection,), daemon=True).start()

    def speak(connection: socket.socket) -> None:
        if answer is None:
            return
        try:
            spoken = context.wrap_socket(connection, server_side=True) if context else connection
            if spoken.recv(4096):
                spoken.sendall(answer)
            spoken.close()
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for connection in taken:
            connection.close()


class Authority:
    """A company's own certificate authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Our Company")])
        own = self._built(self.name, self.key, 100, -1).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, *, days: float = 90, since: float = -1, names: tuple[str, ...] = (), alone: bool = False) -> Any:
        """A context of a server with a certificate of ours, or with `alone` one that signs itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        told: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        told = told or [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        built = self._built(subject, key, days, since, subject if alone else self.name)
        built = built.add_extension(x509.SubjectAlternativeName(told), critical=False)
        signed = built.sign(key if alone else self.key, hashes.SHA256())
        file = self.folder / "server.pem"
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + _pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _built(
        self, subject: x509.Name, key: Key, days: float, since: float, issuer: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=since))
            .not_valid_after(now + timedelta(days=days))
        )


def _pem(key: Key) -> bytes:
    nothing = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, nothing)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def named(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str) -> None:
    """Have the name server of this machine know a name."""
    real = socket.getaddrinfo

    def told(host: str, port: int, *rest: Any, **options: Any) -> list[Any]:
        there = addresses if host == name else (host,)
        return [found for one in there for found in real(one, port, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", told)


Walked = Callable[..., dict[str, Finding]]


@pytest.fixture
def walked(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Walked:
    monkeypatch.setattr(network, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(network, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("kdsync.doctor.tls.SECONDS", 0.5)

    def walk_to(url: str, ca_file: Path | None = None) -> dict[str, Finding]:
        return {finding.what: finding for finding in walk(Host("kingdee", url, explain, ca_file), clock)}

    return walk_to


def test_a_name_that_does_not_exist(walked: Walked) -> None:
    found = walked("https://erp.invalid/K3Cloud/")["kingdee name"]
    assert found.result == FAILED
    assert "erp.invalid cannot be resolved" in found.detail
    assert "getent hosts erp.invalid" in found.cure


def test_a_name_server_that_never_answers(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(network, "NAME_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: over.wait(10) and [])
    found = walked("https://erp.example.com/")["kingdee name"]
    over.set()
    assert found.result == FAILED
    assert "resolvectl" in found.cure


def test_a_port_where_nothing_listens(walked: Walked) -> None:
    with answering(b"") as port:
        pass
    found = walked(f"http://127.0.0.1:{port}/")["kingdee connection"]
    assert found.result == FAILED
    assert "nothing listens there" in found.detail
    assert f"check the port {port}" in found.cure


def test_a_firewall_that_drops_everything(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    def dropped(*_: Any) -> socket.socket:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", dropped)
    found = walked("http://127.0.0.1:8080/")["kingdee connection"]
    assert found.result == FAILED
    assert "does not answer within" in found.detail
    assert "open the firewall from this machine to 127.0.0.1:8080" in found.cure


def test_one_of_two_addresses_is_dead(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(HELLO) as port:
        named(monkeypatch, "erp.lan", "127.0.0.9", "127.0.0.1")
        found = walked(f"http://erp.lan:{port}/")
    assert found["kingdee connection"].result == WARNING
    assert "127.0.0.9" in found["kingdee connection"].detail
    assert "DNS" in found["kingdee connection"].cure


def test_a_port_that_takes_connections_and_says_nothing(walked: Walked) -> None:
    started = time.monotonic()
    with answering(None) as port:
        plain = walked(f"http://127.0.0.1:{port}/")["kingdee http"]
        secure = walked(f"https://127.0.0.1:{port}/")["kingdee tls"]
    assert (plain.result, secure.result) == (FAILED, FAILED)
    assert "did not answer in time" in plain.detail
    assert "takes the connection, then nothing" in secure.detail
    assert time.monotonic() - started < 10


def test_a_certificate_of_the_companys_authority(walked: Walked, authority: Authority) -> None:
    with answering(HELLO, authority.server()) as port:
        trusted = walked(f"https://127.0.0.1:{port}/", authority.file)
        unknown = walked(f"https://127.0.0.1:{port}/")["kingdee tls"]
    assert {one.result for one in trusted.values()} == {OK}
    assert "Our Company" in trusted["kingdee tls"].detail
    assert "89 days" in trusted["kingdee tls"].detail
    assert unknown.result == FAILED
    assert "authority this machine does not know" in unknown.detail
    assert "by Our Company" in unknown.detail
    assert "kingdee.ca_file" in unknown.cure


def test_a_certificate_that_ends_soon(walked: Walked, authority: Authority) -> None:
    with answering(HELLO, authority.server(days=13.5)) as port:
        found = walked(f"https://127.0.0.1:{port}/", authority.file)["kingdee tls"]
    assert found.result == WARNING
    assert "(13 days)" in found.detail
    assert "renewed" in found.cure


@pytest.mark.parametrize(
    ("made", "cause", "cure"),
    [
        ({"days": -0.5}, "expired since", "renewed"),
        ({"since": 2}, "not valid yet", "NTP"),
        ({"names": ("old.example.com",)}, "is not for 127.0.0.1; it is for old.example.com", "one made for this name"),
        ({"alone": True}, "signed by itself", "kingdee.ca_file"),
    ],
)
def test_a_certificate_that_is_wrong(
    walked: Walked, authority: Authority, made: dict[str, Any], cause: str, cure: str
) -> None:
    with answering(HELLO, authority.server(**made)) as port:
        found = walked(f"https://127.0.0.1:{port}/", authority.file)
    assert found["kingdee tls"].result == FAILED
    assert cause in found["kingdee tls"].detail
    assert cure in found["kingdee tls"].cure
    assert "kingdee http" not in found


def test_https_is_asked_of_a_server_that_speaks_http(walked: Walked) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        found = walked(f"https://127.0.0.1:{port}/")["kingdee tls"]
    assert found.result == FAILED
    assert "does not speak TLS" in found.detail
    assert "http://" in found.cure


def test_a_certificate_file_that_holds_none(walked: Walked, authority: Authority, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with answering(HELLO, authority.server()) as port:
        found = walked(f"https://127.0.0.1:{port}/", wrong)["kingdee tls"]
    assert found.result == FAILED
    assert str(wrong) in found.detail
    assert "BEGIN CERTIFICATE" in found.cure


@pytest.mark.parametrize(
    ("answer", "result", "cause"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", FAILED, "the proxy wants a login"),
        (b"HTTP/1.1 503 No\r\nServer: IIS\r\n\r\n<title>Service Unavailable</title>", FAILED, "“Service Unavailable”"),
        (b"HTTP/1.1 403 No\r\n\r\n", WARNING, "turned away"),
        (b"HTTP/1.1 302 No\r\nLocation: http://portal.example.net/\r\n\r\n", WARNING, "portal.example.net"),
        (b"HTTP/1.1 302 No\r\nLocation: /K3Cloud/html5/\r\n\r\n", OK, "HTTP 302"),
        (b"HTTP/1.1 404 No\r\n\r\n", OK, "HTTP 404"),
    ],
)
def test_what_answers_over_http(walked: Walked, answer: bytes, result: str, cause: str) -> None:
    with answering(answer) as port:
        found = walked(f"http://127.0.0.1:{port}/")["kingdee http"]
    assert found.result == result
    assert cause in found.detail
    assert bool(found.cure) == (result != OK)


def test_a_private_server_behind_the_proxy(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(HELLO) as port:
        monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{port}")
        found = list(walked("http://erp/K3Cloud/").values())
    assert [one.what for one in found] == [
        "kingdee proxy name",
        "kingdee proxy",
        "kingdee proxy connection",
        "kingdee http",
    ]
    assert "add erp to NO_PROXY" in found[1].cure
    assert found[3].result == OK
    assert "secret" not in str(found)


def test_a_proxy_that_is_not_there(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"") as port:
        pass
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
    found = walked("https://erp.example.com/")["kingdee proxy connection"]
    assert found.result == FAILED
    assert "HTTPS_PROXY" in found.cure


def test_no_proxy_covers_the_server(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with answering(HELLO) as port:
        assert walked(f"http://127.0.0.1:{port}/")["kingdee http"].result == OK


def test_the_shell_has_a_proxy_that_the_service_has_not() -> None:
    ours = {"HTTPS_PROXY": "http://me:hush@proxy:3128"}
    shell, service = proxies(Service(installed=True, environment={}), ours)
    assert shell.detail == "HTTPS_PROXY=http://***@proxy:3128"
    assert service.result == WARNING
    assert "systemctl edit kdsync" in service.cure
    assert len(list(proxies(Service(installed=True, environment={"https_proxy": ours["HTTPS_PROXY"]}), ours))) == 1


def test_documents_travel_unencrypted_over_the_internet(walked: Walked, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(HELLO) as port:
        real = socket.create_connection
        named(monkeypatch, "erp.example.com", "8.8.8.8")
        monkeypatch.setattr(socket, "create_connection", lambda _to, *rest: real(("127.0.0.1", port), *rest))
        found = walked(f"http://erp.example.com:{port}/")
    assert found["kingdee tls"].result == WARNING
    assert "use https" in found["kingdee tls"].cure
