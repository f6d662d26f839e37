"""HTTP exchanges that come to an end: in time, whatever trickles in, and in size, whatever unpacks.

A time-out of `requests` is for each wait; a server that sends a byte now and then, or one "100 Continue" after the
other, would hold a thread for ever. Here the whole answer, from the status line on, has to be there in time.
"""

from __future__ import annotations

import errno
import http.client
import io
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from kdsync.clock import Clock

PIECE = 256 * 1024
TRICKLES = "the answer trickles in"
TUNNEL = re.compile(r"Tunnel connection failed: (?P<status>[0-9]{3})[ -~]{0,100}")
NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""All that `requests` and what lies under it raise."""

Pools = Mapping[str, type[urllib3.HTTPConnectionPool]]


class TooLargeError(Exception):
    """The body is larger than the caller takes; no more than that was read of it."""


def ending(clock: Clock, seconds: float) -> Pools:
    """Connections whose answers are there `seconds` after the request was sent, or a time-out."""
    bounds = {"clock": clock, "seconds": seconds}
    http_connection = type("Connection", (_Ending, HTTPConnection), bounds)
    https_connection = type("SecureConnection", (_Ending, HTTPSConnection), bounds)
    return {
        "http": type("Pool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": http_connection}),
        "https": type("SecurePool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": https_connection}),
    }


def body_of(response: requests.Response, most: int) -> bytes:
    """The unpacked body of a streamed response. Raises TooLargeError, and the errors of NETWORK."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and (len(announced) > len(str(most)) or int(announced) > most):
        raise TooLargeError(f"{announced[:20]} bytes")
    pieces, size = [], 0
    while piece := response.raw.read1(PIECE, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise TooLargeError(f"more than {most} bytes")
    return b"".join(pieces)


def causes_of(error: BaseException) -> list[BaseException]:
    """The exception and everything it was raised from or holds, outermost first."""
    chain: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and link not in chain:
            chain.append(link)
            waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    return chain


def refused_by_proxy(chain: Iterable[BaseException]) -> re.Match[str] | None:
    """What a proxy said that opens no way to an https address, with its `status`: Python tells it in a text only, of
    one of the errors that lie below another."""
    said = (TUNNEL.match(str(error)) for error in chain if type(error) is OSError)
    return next(filter(None, said), None)


class Adapter(HTTPAdapter):
    """What a session of `requests` is mounted with to use such connections, through a proxy as well."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = dict(self._pools)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = dict(self._pools)
        return manager


class _Ending:
    """A connection whose every answer has its end; `http.client` makes an answer by `response_class`."""

    clock: Clock
    seconds: float
    _answer: _Answer | None = None

    @property
    def response_class(self) -> Any:
        return partial(self._begin, _Until(self.clock, self.clock.monotonic() + self.seconds))

    def _begin(self, *args: Any, **options: Any) -> _Answer:
        self._answer = _Answer(*args, **options)
        return self._answer

    def getresponse(self) -> Any:
        """An answer that cannot even be begun is let go of at once: nobody else holds it."""
        try:
            return super().getresponse()  # type: ignore[misc]  # of the connection that this is mixed into
        except Exception:
            if self._answer is not None:
                self._answer.close()
            raise
        finally:
            self._answer = None


class _Until:
    """A moment by a clock."""

    def __init__(self, clock: Clock, end: float) -> None:
        self._clock = clock
        self._end = end

    def check(self) -> None:
        if self._clock.monotonic() > self._end:
            raise TimeoutError(errno.ETIMEDOUT, TRICKLES)


class _Answer(http.client.HTTPResponse):
    """An answer that is read from its socket until a moment."""

    def __init__(self, until: _Until, sock: Any, *args: Any, **options: Any) -> None:
        self._until = until
        self._sock = sock
        super().__init__(self, *args, **options)  # type: ignore[arg-type]  # all it wants of a socket is makefile()

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Bytes(self._sock.makefile("rb", buffering=0), self._until))


class _Bytes(io.RawIOBase):
    """The bytes of a socket until a moment."""

    def __init__(self, raw: Any, until: _Until) -> None:
        self._raw = raw
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._until.check()
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
