"""The socket side of the simulated DingTalk: HTTP/1.1 on loopback, with answers that can also fail to come."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_manners import Manners

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; the names of the headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """With `cut` the connection ends in the middle of the body."""

    body: bytes
    status: int = 200
    content_type: str = "application/json;charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class HungUpError(Exception):
    """The connection is reset instead of an answer."""


Responder = Callable[[Request], Answer]


class HttpServer:
    """Serves one responder until it is stopped; stopping ends every connection."""

    def __init__(self, respond: Responder, clock: Clock, manners: Manners, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), respond, clock, manners)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="dingtalk-http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up_all()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], respond: Responder, clock: Clock, manners: Manners) -> None:
        self.respond = respond
        self.clock = clock
        self.manners = manners
        self._open: set[socket.socket] = set()
        self.resetting: set[socket.socket] = set()
        self._changed = Condition()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        if request in self.resetting:
            request.close()  # an orderly shutdown first would spoil the reset
        else:
            super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self.resetting.discard(request)
            self._changed.notify_all()

    def hang_up_all(self) -> None:
        """End every connection and wait until their threads let go of them."""
        with self._changed:
            for connection in self._open:
                _shut(connection)
            self._changed.wait_for(lambda: not self._open, timeout=5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is daily life; anything else is a defect of the simulator and shall be seen."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the peer was faster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body leave in one packet
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            answer = self.server.respond(self._request())
        except HungUpError:
            self._reset()
            return
        self.send_response_only(answer.status)
        if self.server.manners.dates:
            self.send_header("Date", format_datetime(self.server.clock.now(), usegmt=True))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)
        self.close_connection = self.close_connection or answer.cut

    def _request(self) -> Request:
        target = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        return Request(self.command, target.path, dict(parse_qsl(target.query, keep_blank_values=True)), headers, body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.server.resetting.add(self.connection)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's signature
        """The simulator keeps its own record of calls."""
