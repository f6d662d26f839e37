"""The web server in front of the simulated Kingdee: HTTP/1.1 with keep-alive on loopback."""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock, Thread
from typing import Any

from kdsync.clock import Clock
from kdsync.simulator.kingdee_login import SID
from kdsync.simulator.kingdee_replies import Reply, page
from kdsync.simulator.kingdee_requests import Incoming

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends RST
Answer = Callable[[Incoming], Reply]


class Server(socketserver.ThreadingTCPServer):
    """One listening socket. `now` feeds the Date header; `clock` waits out the fault `slow`."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Answer, clock: Clock, now: Callable[[], datetime]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answer = answer
        self.clock = clock
        self.now = now
        self.stopping = Event()
        self._open: set[socket.socket] = set()
        self._aborted: set[socket.socket] = set()
        self._lock = Lock()
        self._thread = Thread(target=self.serve_forever, args=(0.01,), name="simulated-kingdee", daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection; returns when no thread is left."""
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def abort(self, connection: socket.socket) -> None:
        """Have the connection reset when its handler returns."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        with self._lock:
            self._aborted.add(connection)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
            aborted = request in self._aborted
            self._aborted.discard(request)
        if aborted:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the other side went away
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-IIS/8.5"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        self._send(page("金蝶云星空"))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not re.fullmatch("[0-9]{1,12}", length):
            self.close_connection = True
            self._send(page("400 - Bad Request", 400))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        reply = self.server.answer(Incoming(self.path, self.headers, body))  # type: ignore[arg-type]  # a mapping too
        if reply.slow:
            self.server.clock.wait(self.server.stopping, reply.slow)
        if reply.hang is not None:
            self._wait_for_the_end(reply.hang)
        if reply.dropped:
            self.close_connection = True
            self.server.abort(self.connection)
        else:
            self._send(reply)

    def _wait_for_the_end(self, seconds: float) -> None:
        self.connection.settimeout(seconds)
        with suppress(OSError):
            self.connection.recv(1)  # returns when the caller or the server closes the connection

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.cut == "chunks":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(reply.body) if reply.announced is None else reply.announced))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.session is not None:
            for name in (SID, "ASP.NET_SessionId"):
                self.send_header("Set-Cookie", f"{name}={reply.session.sid}; path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(_sent(reply))
        self.wfile.flush()
        if reply.cut:
            self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002  # the library's signature
        return format_datetime(self.server.now(), usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's signature
        """The list of requests is the log."""


def _sent(reply: Reply) -> bytes:
    """The body, or the part of it that gets through."""
    half = reply.body[: len(reply.body) // 2]
    if reply.cut == "chunks":
        return b"%x\r\n%b\r\n" % (len(half), half) if half else b""
    return half if reply.cut else reply.body
