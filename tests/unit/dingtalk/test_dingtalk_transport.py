"""Real sockets on loopback: what is kept open, and what each way of breaking means."""

from __future__ import annotations

import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
import urllib3.exceptions

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.transport import connection_trouble
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection

ROBOT = "robot-token-value"
AGREED = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"errcode":0}'
Behaviour = Callable[[socket.socket], None]


def request_from(connection: socket.socket) -> str:
    """The path of the next request, '' when there is none; reads its body (`{}` or a token's) too."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        received = connection.recv(65536)
        if not received:
            return ""
        data += received
    return data.split(b" ")[1].split(b"?")[0].decode()


def agree(connection: socket.socket) -> None:
    while request_from(connection):
        connection.sendall(AGREED)


def hang_up(connection: socket.socket) -> None:
    request_from(connection)


def stay_silent(connection: socket.socket) -> None:
    request_from(connection)
    request_from(connection)


def stop_halfway(connection: socket.socket) -> None:
    request_from(connection)
    connection.sendall(AGREED[:-5])


def send_noise(connection: socket.socket) -> None:
    request_from(connection)
    connection.sendall(b"\x00\xff\x00\xff not HTTP at all\r\n\r\n")


def compress_badly(connection: socket.socket) -> None:
    request_from(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")


class Peer:
    """A server of one behaviour; `accepted` counts its connections."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.accepted = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # stopped
                return
            self.accepted += 1
            self._start(lambda connection=connection: self._serve(connection))  # type: ignore[misc]  # a closure

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self._behaviour(connection)


@contextmanager
def peer(behaviour: Behaviour) -> Iterator[Peer]:
    running = Peer(behaviour)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def client_of(url: str, section: DingTalkSection, clock: FakeClock) -> Iterator[DingTalkClient]:
    client = DingTalkClient(section.model_copy(update={"oapi_url": url, "api_url": url}), clock, timeout=0.3)
    try:
        yield client
    finally:
        client.close()


def send(client: DingTalkClient, *, writes: bool = True) -> None:
    client.call(Call("robot/send", host="webhook", query={"access_token": ROBOT}, writes=writes))


@pytest.mark.parametrize("behaviour", [hang_up, stay_silent, stop_halfway, send_noise, compress_badly])
def test_a_connection_that_breaks_after_sending_leaves_the_outcome_unknown(
    behaviour: Behaviour, section: DingTalkSection, clock: FakeClock
) -> None:
    with peer(behaviour) as server, client_of(server.url, section, clock) as client:
        with pytest.raises(EdgeError) as caught:
            send(client)
        assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME
        with pytest.raises(EdgeError) as caught:
            send(client, writes=False)
        assert caught.value.kind is FailureKind.TRANSIENT


def test_where_nobody_listens_nothing_was_sent(section: DingTalkSection, clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with client_of(f"http://127.0.0.1:{port}", section, clock) as client, pytest.raises(EdgeError) as caught:
        send(client)
    assert (caught.value.kind, caught.value.code) == (FailureKind.TRANSIENT, "connect")
    assert "Connection refused" in caught.value.message


def test_an_error_of_the_connection_shows_no_token_anywhere(section: DingTalkSection, clock: FakeClock) -> None:
    with peer(hang_up) as server, client_of(server.url, section, clock) as client:
        with pytest.raises(EdgeError) as caught:
            send(client)
        shown = "".join(traceback.format_exception(caught.value))
    cause: BaseException | None = caught.value
    while cause is not None:
        shown += str(cause)
        cause = cause.__context__
    assert ROBOT not in shown


@pytest.mark.parametrize("url", ["http://", "nothing", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_for_the_operator_to_mend(
    url: str, section: DingTalkSection, clock: FakeClock
) -> None:
    with client_of(url, section, clock) as client, pytest.raises(EdgeError) as caught:
        send(client)
    assert (caught.value.kind, caught.value.code) == (FailureKind.CONFIGURATION, "address")


def test_a_thread_keeps_its_connection(section: DingTalkSection, clock: FakeClock) -> None:
    with peer(agree) as server, client_of(server.url, section, clock) as client:
        for _ in range(3):
            send(client)
        assert server.accepted == 1
        threads = [threading.Thread(target=send, args=(client,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.accepted == 3


def test_many_threads_fetch_one_token(section: DingTalkSection, clock: FakeClock) -> None:
    fetched: list[str] = []

    def give_token(connection: socket.socket) -> None:
        while path := request_from(connection):
            fetched.append(path)
            body = b'{"accessToken":"t","expireIn":7200,"errcode":0}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with peer(give_token) as server, client_of(server.url, section, clock) as client:
        threads = [threading.Thread(target=client.ask, args=("topapi/x", {})) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(fetched) == ["/topapi/x"] * 5 + ["/v1.0/oauth2/accessToken"]


def wrapped(reason: Exception) -> urllib3.exceptions.MaxRetryError:
    pool = urllib3.HTTPSConnectionPool("oapi.dingtalk.com")
    return urllib3.exceptions.MaxRetryError(pool, f"/robot/send?access_token={ROBOT}", reason)


def refused_by_proxy(said: str) -> requests.exceptions.ProxyError:
    """As urllib3 tells that a proxy did not open the way."""
    cause = OSError(f"Tunnel connection failed: {said}")
    return requests.exceptions.ProxyError(wrapped(urllib3.exceptions.ProxyError("Unable to connect to proxy", cause)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (requests.exceptions.SSLError(wrapped(ssl.SSLCertVerificationError(1, "self-signed"))), "certificate"),
        (requests.exceptions.SSLError(wrapped(ssl.SSLEOFError(8, "EOF"))), "tls"),
        (requests.exceptions.ProxyError(wrapped(Exception("Cannot connect to proxy"))), "proxy"),
        (refused_by_proxy("403 Forbidden"), "proxy"),
        (refused_by_proxy("407 Proxy Authentication Required"), "http 407"),
        (requests.exceptions.ReadTimeout("read"), "timeout"),
        (requests.exceptions.ChunkedEncodingError("cut"), "broken"),
    ],
)
def test_each_way_of_breaking_has_its_name(error: requests.RequestException, code: str) -> None:
    trouble = connection_trouble(error)
    assert trouble.code == code
    assert ROBOT not in str(trouble)


def test_a_proxy_that_opens_no_way_is_quoted() -> None:
    assert connection_trouble(refused_by_proxy("403 Forbidden")).detail == "Tunnel connection failed: 403 Forbidden"
