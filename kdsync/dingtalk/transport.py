"""HTTP as DingTalk needs it: one kept-alive session a thread and host, and no exception that could show an URL.

The URLs of the old host and of group robots carry tokens; requests and urllib3 print URLs in their errors and logs.
"""

from __future__ import annotations

import logging
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3.exceptions

from kdsync.clock import Clock
from kdsync.dingtalk.answers import Answer
from kdsync.exchange import NETWORK, Adapter, TooLargeError, body_of, causes_of, ending, refused_by_proxy
from kdsync.server_clock import ServerClock

OK = 200  # HTTP's own number
LARGEST = 4 * 1024 * 1024  # bytes; no answer that kdsync asks for comes near it
PATIENCE = 3  # an answer that trickles in is given up after so many time-outs
CONNECT = 5.0  # seconds for each address of a host, which may have several
NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
PROXY = requests.exceptions.ProxyError
UNADMITTED = "http 407"  # the proxy wants a login
TROUBLES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((PROXY,), "proxy"),
    ((requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError), "tls"),
    ((requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError), "timeout"),
    ((requests.exceptions.InvalidHeader,), "broken"),  # of the answer
    ((ValueError,), "address"),  # requests' errors of the URL
)
"""What an error means, by the first of these that it is; else `broken`."""

logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # its debug lines show the query, and so the token


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; what may hold a secret is not printed."""

    url: str
    body: bytes = field(repr=False)
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class ConnectionTroubleError(Exception):
    """No answer came; `code` is a row of the table of errors, `detail` the system's words for it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Transport:
    """Sends requests and measures how far DingTalk's clock is from ours."""

    def __init__(self, clock: Clock, timeout: float) -> None:
        self._clock = clock
        self._timeouts = (min(CONNECT, timeout), timeout)
        self._pools = ending(clock, PATIENCE * timeout)
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.server_clock = ServerClock(clock)

    def exchange(self, request: Request) -> Answer:
        """Send once, follow nothing. Raises ConnectionTroubleError."""
        return self._settled(self._answer, request)

    def fetch(self, url: str, most: int) -> Answer:
        """Get a file of at most `most` bytes, as it is. Raises ConnectionTroubleError.

        The signature of its address covers headers that kdsync sends elsewhere, so they are left out; and what
        answers is a store of files, whose clock is not DingTalk's.
        """
        return self._settled(self._file, url, most)

    def _settled(self, ask: Callable[..., Answer], *what: Any) -> Answer:
        try:
            return ask(*what)
        except TooLargeError as error:
            trouble = ConnectionTroubleError("too large", str(error))
        except NETWORK as error:
            trouble = connection_trouble(error)
        raise trouble  # outside of the except clause, so that the error with the URL is not chained to it

    def _answer(self, request: Request) -> Answer:
        """The session's adapter is asked itself: a session looks at where a redirect leads even if it does not go."""
        session = self._session(request.url)
        headers = {"Content-Type": "application/json; charset=utf-8", **request.headers}
        asked = requests.Request(request.method, request.url, params=request.query, data=request.body, headers=headers)
        sent = self._clock.monotonic()
        with self._send(session, asked) as response:
            self.server_clock.hear(response.headers, sent)
            return Answer(response.status_code, body_of(response, LARGEST))

    def _file(self, url: str, most: int) -> Answer:
        headers = {"Accept-Encoding": "identity"}
        with self._send(self._session(url), requests.Request("GET", url, headers=headers)) as response:
            return Answer(response.status_code, body_of(response, most if response.status_code == OK else LARGEST))

    def _send(self, session: requests.Session, asked: requests.Request) -> requests.Response:
        prepared, adapter = session.prepare_request(asked), session.get_adapter(str(asked.url))
        return adapter.send(prepared, True, self._timeouts, session.verify or True, None, session.proxies)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def _session(self, url: str) -> requests.Session:
        sessions: dict[str, requests.Session] = self._local.__dict__
        host = "/".join(url.split("/", 3)[:3])  # with the scheme; the address may be no good, which requests will say
        if host not in sessions:
            sessions[host] = self._new_session(host)
            with self._lock:
                self._sessions.add(sessions[host])
        return sessions[host]

    def _new_session(self, host: str) -> requests.Session:
        """Proxies and certificate bundle are read from the environment once; a .netrc is nobody's business here."""
        session = requests.Session()
        found = session.merge_environment_settings(host, {}, None, None, None)
        session.proxies, session.verify = dict(found["proxies"]), found["verify"] or True
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(self._pools))
        return session


def connection_trouble(error: Exception) -> ConnectionTroubleError:
    """What happened to the connection, without the URL."""
    chain = causes_of(error)
    refusal = refused_by_proxy(chain)
    if refusal:
        return ConnectionTroubleError(UNADMITTED if refusal["status"] == "407" else "proxy", refusal[0])
    detail = next((cause.strerror for cause in chain if isinstance(cause, OSError) and cause.strerror), "")
    return ConnectionTroubleError(_trouble_code(error, chain), detail)


def _trouble_code(error: Exception, chain: list[BaseException]) -> str:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return "certificate"
    if any(isinstance(cause, NO_CONNECTION) for cause in chain) and not isinstance(error, PROXY):
        return "connect"
    return next((code for kinds, code in TROUBLES if isinstance(error, kinds)), "broken")
