"""`/health/live`, `/health/ready` and `/metrics` over plain HTTP, for systemd, Prometheus and the curious."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from kdsync import logs
from kdsync.errors import KdsyncError, StoreUnusableError

Answer = tuple[int, str, bytes]
NO_PAGE: Answer = (404, "text/plain", b"see /health/live, /health/ready, /metrics\n")
log = logs.get("health")


class HealthServer:
    """Serves the three pages from a thread of its own until `close`. Raises KdsyncError where it cannot listen."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        live: Callable[[], dict[str, Any]],
        ready: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
    ) -> None:
        pages: dict[str, Callable[[], Answer]] = {
            "/health/live": lambda: _verdict(live()),
            "/health/ready": lambda: _verdict(ready()),
            "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics()),
        }
        self._server = _server(address, _handler(pages))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Without asking DNS for the name of this machine, as the library does: that may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the library's
        """Who hangs up is no news; the library would print either."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("health.failed", exc_info=error)


def _server(address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return _Server(address, handler)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        cure = 'set listen in kdsync.yaml to another address, or to "" for none'
        raise KdsyncError(f"cannot listen on {where}: {error.strerror} ({cure})") from None


def _verdict(state: dict[str, Any]) -> Answer:
    return 200 if state.get("ok") else 503, "application/json", json.dumps(state, ensure_ascii=False).encode()


def _answer(page: Callable[[], Answer]) -> Answer:
    try:
        return page()
    except StoreUnusableError as error:  # of which the log has said it
        return _verdict({"ok": False, "error": str(error)})


def _handler(pages: dict[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:  # the library's name
            page = pages.get(self.path.partition("?")[0])
            status, kind, body = _answer(page) if page else NO_PAGE
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  # the library's name; some probes ask so

        def log_message(self, *_args: Any) -> None:
            """Probes every few seconds are no news."""

    return Handler
