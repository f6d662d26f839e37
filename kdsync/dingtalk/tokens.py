"""One access token for all threads: fetched once, renewed early, dropped when DingTalk says so."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdsync.clock import Clock

EARLY = 600.0  # seconds before its end that a token is renewed, as "Obtain the access token" advises


class TokenCache:
    """`fetch` gives a token and its lifetime in seconds; one fetch is under way at a time."""

    def __init__(self, fetch: Callable[[], tuple[str, float]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def get(self) -> str:
        """A token that is good for some minutes more. Raises EdgeError."""
        with self._lock:
            if not self._token or self._clock.monotonic() >= self._renew_at:
                self._token, lifetime = self._fetch()
                self._renew_at = self._clock.monotonic() + max(lifetime - EARLY, lifetime / 2)
            return self._token

    def drop(self, token: str) -> None:
        """Forget `token`, unless another thread has already replaced it."""
        with self._lock:
            if self._token == token:
                self._token = ""
