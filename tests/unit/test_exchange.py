"""Servers that mean no good, on loopback: every exchange ends in time, in little memory, as an error of the edge."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import re
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from kdsync import exchange
from kdsync.clock import Clock, FakeClock, SystemClock
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.transport import Transport
from kdsync.server_clock import ServerClock
from kdsync.settings.schema import DingTalkSection, KingdeeSection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = 1 << 20
HUGE = 200 * MEGABYTE
Answer = Callable[[], Iterator[bytes]]
SECRET = "the-secret-value"


def whole_request(connection: socket.socket) -> bytes:
    """Head and body: a connection that is closed before all of it is read breaks off what was sent over it."""
    with connection.makefile("rb") as incoming:
        head = b"".join(itertools.takewhile(b"\r\n".__ne__, incoming))
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        return head + incoming.read(int(length[1]) if length else 0)


class Server:
    """Sends what it was given for each request, for as long as somebody listens."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/K3Cloud/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # stopped, or nobody listens any more
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                with contextlib.suppress(OSError), connection:
                    self.requests.append(whole_request(connection))
                    for piece in self._answer():
                        connection.sendall(piece)

    def stop(self) -> None:
        for one in (*self._open, self._listener):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Server]]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    running: list[Server] = []

    def start(answer: Answer) -> Server:
        running.append(Server(answer))
        return running[-1]

    yield start
    for server in running:
        server.stop()


class Ticking(FakeClock):
    """A clock on which each look at it takes a second."""

    def monotonic(self) -> float:
        self.advance(1.0)
        return super().monotonic()


def ticking() -> Ticking:
    return Ticking(datetime(2026, 11, 23, tzinfo=UTC))


def ask_kingdee(url: str, clock: Clock, *, read: bool) -> Any:
    written = {"url": url, "acct_id": "a", "username": "u", "app_id": "i", "app_secret": {"env": "X"}, "timeout": "10s"}
    settings = KingdeeSection.model_validate(written, context={"secrets": lambda _: SECRET, "base": "/"})
    transport = Transport(settings, clock, ServerClock(clock), None)
    try:
        return transport.post("A.B", b"{}", {"kdservice-sessionid": SECRET}, read=read).value
    finally:
        transport.close()


def ask_dingtalk(url: str, clock: Clock, *, read: bool) -> Any:
    section = DingTalkSection.model_validate(
        {"client_id": "c", "client_secret": "s", "agent_id": 1, "api_url": url, "oapi_url": url},
        context={"secrets": str},
    )
    client = DingTalkClient(section, clock, timeout=10.0)
    try:
        return client.call(Call("robot/send", host="webhook", query={"access_token": SECRET}, writes=not read))
    finally:
        client.close()


Ask = Callable[..., Any]
BOTH = pytest.mark.parametrize("ask", [ask_kingdee, ask_dingtalk])


def refused(ask: Ask, server: Server, clock: Clock) -> EdgeError:
    """The error of a read; a write that fails in the same way is of unknown outcome."""
    with pytest.raises(EdgeError) as caught:
        ask(server.url, clock, read=True)
    with pytest.raises(EdgeError) as written:
        ask(server.url, clock, read=False)
    assert written.value.kind is FailureKind.UNKNOWN_OUTCOME
    assert SECRET not in str(caught.value)
    return caught.value


def announced() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: %d\r\n\r\n" % HUGE
    yield from itertools.repeat(b" " * MEGABYTE, 200)


def announced_in_a_million_digits() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"
    yield from itertools.repeat(b" " * MEGABYTE, 200)


def chunked() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"100000\r\n" + b" " * MEGABYTE + b"\r\n", 200)


def without_length() -> Iterator[bytes]:
    yield HEAD + b"Connection: close\r\n\r\n"
    yield from itertools.repeat(b" " * MEGABYTE, 200)


@cache
def packed_blanks() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b" " * MEGABYTE) for _ in range(200)) + packer.flush()
    assert len(packed) < MEGABYTE
    return packed


def bomb() -> Iterator[bytes]:
    packed = packed_blanks()
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


def bomb_in_a_bomb() -> Iterator[bytes]:
    packed = gzip.compress(packed_blanks())
    yield HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


@BOTH
@pytest.mark.parametrize(
    "answer", [announced, announced_in_a_million_digits, chunked, without_length, bomb, bomb_in_a_bomb]
)
def test_two_hundred_megabytes_are_refused_in_little_memory(
    serve: Callable[[Answer], Server], ask: Ask, answer: Answer
) -> None:
    packed_blanks()
    server = serve(answer)
    tracemalloc.start()
    try:
        error = refused(ask, server, SystemClock())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.code.replace(" ", "-") == "too-large"
    assert answer not in (announced, announced_in_a_million_digits) or "more than" not in error.message  # nor read
    assert peak < (80 if ask is ask_kingdee else 24) * MEGABYTE


def go_on() -> Iterator[bytes]:
    yield from itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(90):
        yield b"X-%d: " % number
        yield from itertools.repeat(b"a" * 1000, 60)
        yield b"\r\n"


def byte_by_byte() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 1000000\r\n\r\n"
    yield from itertools.repeat(b" ", 1_000_000)


@BOTH
@pytest.mark.parametrize("answer", [go_on, endless_headers, byte_by_byte])
def test_an_answer_that_trickles_in_ends_all_the_same(
    serve: Callable[[Answer], Server], ask: Ask, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PIECE", 4096)  # however far the server is ahead, it takes many reads
    error = refused(ask, serve(answer), ticking())
    assert (error.kind, error.code) == (FailureKind.TRANSIENT, "timeout")
    assert "trickles" in error.message


def ten_thousand_headers() -> Iterator[bytes]:
    yield HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(10_000)) + b"\r\n{}"


def a_header_of_ten_megabytes() -> Iterator[bytes]:
    yield HEAD + b"X-Long: "
    yield from itertools.repeat(b"a" * MEGABYTE, 10)
    yield b"\r\n\r\n{}"


def a_status_of_ten_megabytes() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 "
    yield from itertools.repeat(b"a" * MEGABYTE, 10)


def lengths_that_differ() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 2, 3\r\n\r\n{}"


def chunks_of_nonsense() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\nzzzz\r\n{}\r\n"


def a_chunk_of_a_negative_length() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"


def packed_nonsense() -> Iterator[bytes]:
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"


def five_hundred_wrappings() -> Iterator[bytes]:
    yield HEAD + b"Content-Encoding: " + b"gzip, " * 500 + b"gzip\r\nContent-Length: 4\r\n\r\nabcd"


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        ten_thousand_headers,
        a_header_of_ten_megabytes,
        a_status_of_ten_megabytes,
        lengths_that_differ,
        chunks_of_nonsense,
        a_chunk_of_a_negative_length,
        packed_nonsense,
        five_hundred_wrappings,
    ],
)
def test_an_answer_that_is_no_http_may_have_done_what_was_asked(
    serve: Callable[[Answer], Server], ask: Ask, answer: Answer
) -> None:
    assert refused(ask, serve(answer), SystemClock()).kind is FailureKind.TRANSIENT


PLACES = [b"http://[", b"http://a:b:c/", b"\xff\xfe", b"//", b"", b"http://" + b"a" * 300, b"file:///etc/passwd"]


@BOTH
@pytest.mark.parametrize("place", PLACES)
def test_a_redirect_to_nowhere(serve: Callable[[Answer], Server], ask: Ask, place: bytes) -> None:
    def answer() -> Iterator[bytes]:
        yield b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"

    with pytest.raises(EdgeError):
        ask(serve(answer).url, SystemClock(), read=True)


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_to_elsewhere_with_secrets(
    serve: Callable[[Answer], Server], ask: Ask, status: int
) -> None:
    def good() -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 13\r\n\r\n" + b'{"errcode":0}'

    other = serve(good)

    def away() -> Iterator[bytes]:
        yield b"HTTP/1.1 %d Away\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % (status, other.url.encode())

    with pytest.raises(EdgeError):
        ask(serve(away).url, SystemClock(), read=True)
    assert other.requests == []


HEADERS = [
    b"Retry-After: 99999999999999999999",
    b"Retry-After: " + b"9" * 60_000,
    b"Retry-After: -1",
    b"Retry-After: \xb2",
    b"Retry-After: soon",
    b"Date: " + b"9" * 60_000,
    b"Date: Mon, 99 Nov 99999 99:99:99 +9999",
    b"Date: Mon, 23 Nov 2026 01:00:00 " + b"9" * 30,
    b"Date: \xff",
    b"Age: " + b"9" * 60_000,
    b"Set-Cookie: " + b"a=b;" * 10_000,
    b"Set-Cookie: =; expires=" + b"9" * 10_000,
    b"Set-Cookie: a=\xff\xfe\x01",
]


@BOTH
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("status", [200, 429, 503])
def test_headers_of_nonsense(serve: Callable[[Answer], Server], ask: Ask, header: bytes, status: int) -> None:
    def answer() -> Iterator[bytes]:
        body = b'{"errcode":0}'
        yield b"HTTP/1.1 %d X\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (status, header, len(body), body)

    server = serve(answer)
    if status == 200:
        assert ask(server.url, SystemClock(), read=True) == {"errcode": 0}
        return
    with pytest.raises(EdgeError) as caught:
        ask(server.url, SystemClock(), read=True)
    assert (caught.value.retry_after or 0.0) <= 3600.0


def test_a_cookie_that_no_header_can_hold_is_not_taken(serve: Callable[[Answer], Server]) -> None:
    def answer() -> Iterator[bytes]:
        cookies = b"Set-Cookie: good=1\r\nSet-Cookie: bad=\xc3\xa9\r\nSet-Cookie: long=" + b"a" * 5000
        yield HEAD + cookies + b"\r\nContent-Length: 2\r\n\r\n[]"

    clock = SystemClock()
    settings = KingdeeSection.model_validate(
        {"url": serve(answer).url, "acct_id": "a", "username": "u"}, context={"secrets": str, "base": "/"}
    )
    transport = Transport(settings, clock, ServerClock(clock), None)
    assert transport.post("A.B", b"{}", {}, read=True).cookies == {"good": "1"}
    transport.close()
