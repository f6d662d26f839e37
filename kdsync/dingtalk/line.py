"""One connection of DingTalk's Stream, in a thread of its own.

Opening one takes as long as a network likes, and must hold up nobody, least of all a stop. Proxies and certificates
are those of every other connection to DingTalk. Ticket and address are secrets; what `websockets` raises and logs may
quote them. Source: the Stream protocol page of open-dingtalk/developerpedia.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import orjson
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from websockets.exceptions import (
    ConnectionClosed,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)
from websockets.sync.client import ClientConnection, connect

from kdsync import __version__, logs
from kdsync.clock import Clock
from kdsync.dingtalk.answers import Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.frames import LARGEST, OPEN
from kdsync.errors import EdgeError
from kdsync.settings.values import web_address

log = logs.get("stream")
NAME = "the Stream's websocket"
CONNECT, CLOSE, PING = 10.0, 1.0, 20.0  # seconds
PRINTABLE = re.compile(r"[!-~]{1,4096}")
TROUBLES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((ssl.SSLCertVerificationError,), "certificate"),
    ((ssl.SSLError,), "tls"),
    ((TimeoutError,), "timeout"),
    ((ProxyError, InvalidProxy, ImportError), "proxy"),  # for some proxies a library is missing
    ((InvalidURI, ValueError), "address"),
    ((OSError,), "connect"),
)
"""What an error means, by the first of these that it is; else `broken`."""

LIBRARY = logging.getLogger("kdsync.websockets")
LIBRARY.setLevel(logging.CRITICAL)  # what it has to tell is told here

Topics = Collection[tuple[str, str]]


class _Ticket(Shape):
    endpoint: str
    ticket: str


class Socket(Protocol):
    """What a line needs of a websocket."""

    def recv(self) -> str | bytes:
        """The next frame; ConnectionClosed at the end."""

    def send(self, message: str) -> None:
        """Send a text frame; ConnectionClosed where it cannot be."""

    def close(self) -> None:
        """Take leave, and wait a second for the other side to do so too."""

    def close_socket(self) -> None:
        """End it at once."""


class Door:
    """Where connections come from; `topics` are pairs of a kind of frames and a topic."""

    def __init__(self, client: DingTalkClient, topics: Topics) -> None:
        self._client = client
        self._topics = topics

    @contextmanager
    def open(self) -> Iterator[Socket]:
        """A connection that is closed at the end. Raises EdgeError where there is none to be had."""
        address = self._address()
        with ExitStack() as held:
            yield self._connect(address, held)

    def _address(self) -> str:
        """With a ticket, which opens one connection within 90 seconds: no token, and none of the month's calls."""
        settings = self._client.settings
        question = {
            "clientId": settings.client_id,
            "clientSecret": settings.client_secret.get_secret_value(),
            "subscriptions": [{"type": kind, "topic": topic} for kind, topic in self._topics],
            "ua": f"kdsync/{__version__}",
        }
        call = Call(OPEN, orjson.dumps(question), host="new", metered=False, signed=False)
        granted = shaped(_Ticket, self._client.call(call), OPEN, now=self._client.now())
        if not _is_safe(granted.endpoint):
            raise self._client.failure("malformed", OPEN, "the address to connect to is no wss://")
        if not PRINTABLE.fullmatch(granted.ticket):
            raise self._client.failure("malformed", OPEN, "the ticket is no ticket")
        return f"{granted.endpoint}?ticket={quote(granted.ticket, safe='')}"

    def _connect(self, address: str, held: ExitStack) -> ClientConnection:
        try:
            connection: ClientConnection = held.enter_context(
                connect(
                    address,
                    **_way(address),
                    open_timeout=CONNECT,
                    close_timeout=CLOSE,
                    ping_interval=PING,
                    ping_timeout=PING,
                    max_size=LARGEST,
                    compression=None,
                    user_agent_header=f"kdsync/{__version__}",
                    logger=LIBRARY,
                )
            )
        except (OSError, WebSocketException, ValueError, ImportError) as error:
            trouble = self._trouble(error)
        else:
            return connection
        raise trouble  # outside of the except clause, so that an error with the address is not chained to it

    def _trouble(self, error: Exception) -> EdgeError:
        if isinstance(error, InvalidProxyStatus):
            code, said = "http 407" if error.response.status_code == PROXY_WANTS_PASSWORD else "proxy", ""
        elif isinstance(error, InvalidStatus):
            status = error.response.status_code
            code, said = f"http {status}" if status >= SERVER_FAILED else "ticket", f"HTTP {status}"
        else:
            code = next((code for kinds, code in TROUBLES if isinstance(error, kinds)), "broken")
            said = error.strerror or "" if isinstance(error, OSError) else type(error).__name__
        return self._client.failure(code, NAME, said)


PROXY_WANTS_PASSWORD, SERVER_FAILED = 407, 500  # HTTP's own numbers


class Line:
    """One connection from its opening to its end; the attributes are for all threads to read.

    `heard` is when the last frame came, or opening began; `ready_at` when it was open; both by the monotonic clock.
    `trouble` says why it never was, `ending` how it ended. `hear` gets each frame, and `changed` is called with each
    turn of its life, both on the line's own thread.
    """

    def __init__(
        self,
        door: Callable[[], AbstractContextManager[Socket]],
        clock: Clock,
        hear: Callable[[Line, str | bytes], None],
        changed: Callable[[], None],
    ) -> None:
        self._door, self._clock, self._hear, self._changed = door, clock, hear, changed
        self._socket: Socket | None = None
        self._closing = False
        self.heard = clock.monotonic()
        self.ready_at: float | None = None
        self.asked_to_go = False
        self.over = False
        self.trouble: EdgeError | None = None
        self.ending = ""
        self.thread = threading.Thread(target=self._live, name="stream-line", daemon=True)

    @property
    def delivers(self) -> bool:
        """Whether something new can come in."""
        return self.ready_at is not None and not self.asked_to_go and not self.over

    def start(self) -> None:
        """Begin to open it."""
        self.thread.start()

    def send(self, text: str) -> None:
        """Send a frame; where it cannot be sent any more, what it answers comes again."""
        try:
            if self._socket:
                self._socket.send(text)
        except (ConnectionClosed, OSError):
            log.warning("stream.not_acknowledged", reason="the connection has ended meanwhile")

    def go(self) -> None:
        """Note that DingTalk wants it closed: nothing new comes, though what is under way does."""
        self.asked_to_go = True
        self._changed()

    def close(self) -> None:
        """Take leave; a second at most. One that is being opened ends when it is open."""
        self._closing = True
        if self._socket:
            self._socket.close()

    def cut(self) -> None:
        """End it at once."""
        self._closing = True
        if self._socket:
            self._socket.close_socket()

    def _live(self) -> None:
        try:
            with self._door() as self._socket:
                self._read(self._socket)
        except EdgeError as error:
            self.trouble = error
        except Exception:
            log.exception("stream.failed")
            self.ending = "an error of ours"
        finally:
            self.over = True
            self._changed()

    def _read(self, socket: Socket) -> None:
        """Until the end; what has come before it is still heard."""
        if self._closing:
            return
        self.heard = self.ready_at = self._clock.monotonic()
        self._changed()
        try:
            while True:
                text = socket.recv()
                self.heard = self._clock.monotonic()
                self._hear(self, text)
        except ConnectionClosed as closed:
            received = closed.rcvd or closed.sent
            self.ending = f"closed with {received.code}" if received else "cut"
        except OSError as error:
            self.ending = error.strerror or "cut"


def _is_safe(endpoint: str) -> bool:
    """Whether nobody can read along: encrypted, or within this machine or a private network."""
    if not PRINTABLE.fullmatch(endpoint) or not re.match("wss?://", endpoint):
        return False
    try:
        return bool(web_address(endpoint.replace("ws", "http", 1)))
    except ValueError:
        return False


def _way(address: str) -> dict[str, Any]:
    """Through which proxy, and with whose certificates: what `requests` makes of the environment."""
    web = address.replace("ws", "http", 1)
    with requests.Session() as session:
        found = session.merge_environment_settings(web, {}, None, None, None)
    proxy = select_proxy(web, found["proxies"])
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    way: dict[str, Any] = {"proxy": proxy}
    if web.startswith("https"):
        way["ssl"] = _trusting(found["verify"] if isinstance(found["verify"], str) else DEFAULT_CA_BUNDLE_PATH)
        if proxy and proxy.startswith("https"):
            way["proxy_ssl"] = way["ssl"]
    return way


def _trusting(bundle: str) -> ssl.SSLContext:
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
