"""The websocket that Stream clients of the simulated DingTalk connect to."""

from __future__ import annotations

import contextlib
import http
import logging
import socket
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from kdsync.simulator.dingtalk_http import RESET
from kdsync.simulator.dingtalk_stream import Stream, Subscription

_TICK = 0.02  # seconds of real time between two looks at the simulator's clock
_QUIET = logging.getLogger("kdsync.simulator.websocket")
_QUIET.setLevel(logging.CRITICAL)  # broken connections are what it is for


class _SocketLine:
    """A Stream client's line over a websocket."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def send(self, frame: str) -> None:
        try:
            self._connection.send(frame)
        except ConnectionClosed as gone:
            raise ConnectionResetError(str(gone)) from gone

    def cut(self) -> None:
        with contextlib.suppress(OSError):  # it is gone already
            self._connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._connection.close_socket()


class StreamServer:
    """Accepts clients with a ticket, hands their frames to the Stream, and lets its time pass."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._admitted: dict[ServerConnection, frozenset[Subscription]] = {}
        self._stopping = Event()
        self._server = serve(
            self._talk,
            "127.0.0.1",
            0,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            logger=_QUIET,
        )
        self._threads = [
            Thread(target=self._server.serve_forever, name="dingtalk-stream", daemon=True),
            Thread(target=self._run_clock, name="dingtalk-stream-clock", daemon=True),
        ]

    @property
    def endpoint(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/connect"

    def start(self) -> None:
        self._stream.endpoint = self.endpoint
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._stream.drop()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse the handshake of whoever has no good ticket."""
        target = urlsplit(request.path)
        ticket = parse_qs(target.query).get("ticket", [""])[0]
        subscriptions = self._stream.redeem(ticket) if target.path == "/connect" else None
        if subscriptions is None:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "ticket is invalid\n")
        self._admitted[connection] = subscriptions
        return None

    def _talk(self, line: ServerConnection) -> None:
        connection = self._stream.join(_SocketLine(line), self._admitted.pop(line))
        try:
            for frame in line:
                self._stream.hear(connection, frame)
        except ConnectionClosed:
            pass  # an abrupt end is an end too
        finally:
            self._stream.leave(connection)

    def _run_clock(self) -> None:
        while not self._stopping.wait(_TICK):
            self._stream.tick()
