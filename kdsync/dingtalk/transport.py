"""HTTP as DingTalk needs it: one kept-alive session a thread and host, and no exception that could show an URL.

The URLs of the old host and of group robots carry tokens; requests and urllib3 print URLs in their errors and logs.
"""

from __future__ import annotations

import logging
import ssl
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import requests
import urllib3.exceptions

from kdsync.clock import Clock
from kdsync.dingtalk.answers import Answer
from kdsync.server_clock import ServerClock

CONNECT = 5.0  # seconds for each address of a host, which may have several
NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)

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
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.server_clock = ServerClock(clock)

    def exchange(self, request: Request) -> Answer:
        """Send once, follow nothing. Raises ConnectionTroubleError."""
        sent = self._clock.monotonic()
        try:
            response = self._session(request.url).request(
                request.method,
                request.url,
                params=request.query,
                data=request.body,
                headers={"Content-Type": "application/json; charset=utf-8", **request.headers},
                timeout=self._timeouts,
                allow_redirects=False,
                verify=True,
            )
        except requests.RequestException as error:
            trouble = connection_trouble(error)
        else:
            self.server_clock.hear(response.headers, sent)
            return Answer(response.status_code, response.content)
        raise trouble  # outside of the except clause, so that the error with the URL is not chained to it

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
            sessions[host] = requests.Session()
            with self._lock:
                self._sessions.add(sessions[host])
        return sessions[host]


def connection_trouble(error: requests.RequestException) -> ConnectionTroubleError:
    """What happened to the connection, without the URL."""
    chain = list(_chain(error))
    detail = next((cause.strerror for cause in chain if isinstance(cause, OSError) and cause.strerror), "")
    return ConnectionTroubleError(_trouble_code(error, chain), detail)


def _trouble_code(error: requests.RequestException, chain: list[BaseException]) -> str:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return "certificate"
    if isinstance(error, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(error, requests.exceptions.SSLError):
        return "tls"
    if any(isinstance(cause, NO_CONNECTION) for cause in chain):
        return "connect"
    if isinstance(error, requests.exceptions.Timeout):
        return "timeout"
    return "address" if isinstance(error, ValueError) else "broken"  # requests' errors of the URL are ValueErrors


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__]
            yield cause
