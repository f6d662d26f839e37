"""One HTTP exchange with Kingdee: a kept connection for each thread, a time-out, a checked certificate, a bounded body.

Whatever the network does becomes an `EdgeError`. Requests are prepared once for each address and thread; only the body
and the headers of the session change, which keeps an idle poll cheap.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests
import urllib3

from kdsync import __version__
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.exchange import NETWORK, Adapter, TooLargeError, body_of, causes_of, ending, refused_by_proxy
from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.errors import Symptom, failure
from kdsync.server_clock import ServerClock
from kdsync.settings.schema import KingdeeSection

LARGEST = 32 * 1024 * 1024
"""Bytes; a longer answer is refused before it is read. Parsed, it may take twenty times as much memory."""
PATIENCE = 10
"""An answer that trickles in is given up after so many time-outs."""
LONGEST_PAUSE = 3600.0
"""Seconds: no server is obeyed that asks for a longer pause."""
COOKIE = re.compile(r"[ -~]{1,4096}")
"""Names and values of cookies that can be sent back."""
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "application/json",
    "Accept-Charset": "utf-8",
    "User-Agent": f"kdsync/{__version__}",
}
NO_CACHE = {"User-Agent": HEADERS["User-Agent"], "Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange as it went, for metrics and traces."""

    service: str
    read: bool
    seconds: float
    status: int | None  # of HTTP; None where no answer came
    size: int  # bytes of the answer
    failure: FailureKind | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: its value, the server's clock when it was given, and the cookies that came along."""

    value: Any
    server_now: datetime
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Exchange:
    """What is known of an exchange while it runs."""

    status: int | None = None
    size: int = 0


class Transport:
    """Sends requests to one server. Threads share it; each has a connection of its own."""

    def __init__(
        self, settings: KingdeeSection, clock: Clock, server_clock: ServerClock, on_call: Callable[[Call], None] | None
    ) -> None:
        self.base = settings.url.rstrip("/") + "/"
        self._timeout = settings.timeout
        self._clock = clock
        self._server_clock = server_clock
        self._on_call = on_call
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._pools = ending(clock, PATIENCE * settings.timeout)
        self._environment = self._from_environment(str(settings.ca_file) if settings.ca_file else None)

    def _from_environment(self, ca_file: str | None) -> dict[str, Any]:
        """Proxies and certificate bundle, read from the environment once and not for each call."""
        with requests.Session() as session:
            found: Mapping[str, Any] = session.merge_environment_settings(self.base, {}, None, None, None)
        return {"proxies": dict(found["proxies"]), "verify": ca_file or found["verify"] or True, "cert": None}

    def close(self) -> None:
        """Close every thread's connections."""
        for session in list(self._sessions):
            session.close()

    def post(self, service: str, body: bytes, headers: Mapping[str, str], *, read: bool) -> Reply:
        """Call `service` (its full name); EdgeError where anything goes wrong."""
        return self._exchange(service, self._prepared(service, body, headers), read)

    def probe(self) -> None:
        """Ask for the base address only to learn the server's clock; any answer will do."""
        request = requests.Request("GET", self.base, headers=NO_CACHE).prepare()
        try:
            response, _ = self._send(request)
            response.close()
        except NETWORK as error:
            raise failure(symptom_of(error)) from None

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False  # read once, see above; and no .netrc
            for scheme in ("http://", "https://"):
                session.mount(scheme, Adapter(self._pools))
            self._local.prepared = {}
            self._sessions.add(session)
        return session

    def _prepared(self, service: str, body: bytes, headers: Mapping[str, str]) -> requests.PreparedRequest:
        session = self._session()
        request: requests.PreparedRequest | None = self._local.prepared.get(service)
        if request is None:
            url = f"{self.base}{service}.common.kdsvc"
            request = self._local.prepared[service] = _prepare(session, url)
        changed = request.copy()
        changed.body = body
        changed.headers.update(headers)
        changed.headers["Content-Length"] = str(len(body))
        return changed

    def _exchange(self, service: str, request: requests.PreparedRequest, read: bool) -> Reply:
        started, exchange = self._clock.monotonic(), _Exchange()
        try:
            reply = self._answer(request, read, exchange)
        except EdgeError as error:
            self._report(
                Call(service, read, self._since(started), exchange.status, exchange.size, error.kind, error.code)
            )
            raise
        self._report(Call(service, read, self._since(started), exchange.status, exchange.size))
        return reply

    def _answer(self, request: requests.PreparedRequest, read: bool, exchange: _Exchange) -> Reply:
        try:
            response, server_now = self._send(request)
            with response:
                exchange.status = response.status_code
                body = body_of(response, LARGEST)
        except TooLargeError as error:
            raise failure(Symptom(fault="too-large", detail=str(error)), read=read) from None
        except NETWORK as error:
            raise failure(symptom_of(error), read=read) from None
        exchange.size = len(body)
        pause = _retry_after(response.headers.get("Retry-After"))
        value = read_answer(response.status_code, body, read=read, retry_after=pause)
        cookies = _cookies(response) if "Set-Cookie" in response.headers else {}
        return Reply(value, server_now, cookies)

    def _send(self, request: requests.PreparedRequest) -> tuple[requests.Response, datetime]:
        """The answer as it begins, and Kingdee's time, which is not the `Date` of this answer where that is odd."""
        sent = self._clock.monotonic()
        adapter = self._session().get_adapter(request.url or "")
        response = adapter.send(request, stream=True, timeout=self._timeout, **self._environment)
        self._server_clock.hear(response.headers, sent)
        return response, self._server_clock.now()

    def _since(self, started: float) -> float:
        return self._clock.monotonic() - started

    def _report(self, call: Call) -> None:
        if self._on_call is not None:
            self._on_call(call)


def _prepare(session: requests.Session, url: str) -> requests.PreparedRequest:
    try:
        return session.prepare_request(requests.Request("POST", url, headers=HEADERS, data=b"{}"))
    except (requests.RequestException, ValueError) as error:
        raise failure(symptom_of(error)) from None


def _retry_after(header: str | None) -> float | None:
    return min(float(header), LONGEST_PAUSE) if header and header.isdecimal() else None


def _cookies(response: requests.Response) -> dict[str, str]:
    """The cookies of an answer, as far as a header can hold them: any other would spoil every call from now on."""
    found = response.cookies.get_dict().items()
    return {name: text for name, text in found if COOKIE.fullmatch(name) and text and COOKIE.fullmatch(text)}


_FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "certificate"),
    (requests.exceptions.ProxyError, "proxy"),
    (urllib3.exceptions.ProxyError, "proxy"),
    (urllib3.exceptions.NameResolutionError, "dns"),
    (socket.gaierror, "dns"),
    (ssl.SSLError, "tls"),
    (urllib3.exceptions.SSLError, "tls"),
    (requests.exceptions.SSLError, "tls"),
    (urllib3.exceptions.NewConnectionError, "refused"),
    (urllib3.exceptions.ConnectTimeoutError, "connect-timeout"),
    (requests.ConnectTimeout, "connect-timeout"),
    (requests.Timeout, "timeout"),
    (urllib3.exceptions.TimeoutError, "timeout"),
    (TimeoutError, "timeout"),
    (requests.ConnectionError, "cut"),
    (requests.exceptions.ChunkedEncodingError, "cut"),
    (urllib3.exceptions.HTTPError, "cut"),
    (ConnectionError, "cut"),
)
"""What happened to a connection, by the first of these that is anywhere in the chain of causes; else `address`."""


def symptom_of(error: BaseException) -> Symptom:
    """What an exception of the network means. Its text is not quoted: it may hold a proxy's password."""
    chain = causes_of(error)
    refusal = refused_by_proxy(chain)
    if refusal:
        seen = {"http": "407"} if refusal["status"] == "407" else {"fault": "proxy"}
        return Symptom(**seen, detail=refusal[0])
    detail = next((text for link in reversed(chain) if (text := _detail(link))), type(error).__name__)
    for kind, fault in _FAULTS:
        if any(isinstance(link, kind) for link in chain):
            return Symptom(fault=fault, detail=detail)
    return Symptom(fault="address", detail=type(error).__name__)


def _detail(link: BaseException) -> str:
    if isinstance(link, ssl.SSLCertVerificationError):
        return getattr(link, "verify_message", "")
    return link.strerror or "" if isinstance(link, OSError) else ""
