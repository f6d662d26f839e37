"""One access token for all threads: fetched once, renewed early, dropped when DingTalk says so.

As it is renewed early, it is good for some minutes more while that fails, or takes its time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError

log = logs.get("dingtalk")
EARLY = 600.0  # seconds before its end that a token is renewed, as "Obtain the access token" advises
AGAIN = 60.0  # seconds until that is tried again


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    renew_at: float  # monotonic
    ends_at: float


class TokenCache:
    """`fetch` gives a token and its lifetime in seconds; one fetch is under way at a time."""

    def __init__(self, fetch: Callable[[], tuple[str, float]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Token | None = None

    def get(self) -> str:
        """A token that is still good. Raises EdgeError where there is none to be had."""
        held, now = self._held, self._clock.monotonic()
        if held and now < held.renew_at:
            return held.text
        if held and now < held.ends_at and self._lock.locked():
            return held.text  # another thread is at it
        with self._lock:
            return self._renewed()

    def drop(self, token: str) -> None:
        """Forget `token`, unless another thread has already replaced it."""
        with self._lock:
            if self._held and self._held.text == token:
                self._held = None

    def _renewed(self) -> str:
        held, now = self._held, self._clock.monotonic()
        if held and now < held.renew_at:
            return held.text
        try:
            text, lifetime = self._fetch()
        except EdgeError as error:
            if held is None or now >= held.ends_at:
                raise
            log.warning("token.not_renewed", error=str(error), cure=error.cure)
            self._held = replace(held, renew_at=now + AGAIN)
            return held.text
        self._held = _Token(text, now + max(lifetime - EARLY, lifetime / 2), now + lifetime)
        return text
