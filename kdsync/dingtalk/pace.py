"""Staying below DingTalk's 20 calls a second for each app and API ("Call limits"), by never coming near them."""

from __future__ import annotations

import threading

from kdsync.clock import Clock

CALLS_A_SECOND = 15


class Pace:
    """Spaces the calls of each API evenly, because two bursts that meet a slow network can arrive as one."""

    def __init__(self, clock: Clock, per_second: float = CALLS_A_SECOND) -> None:
        self._clock = clock
        self._gap = 1.0 / per_second
        self._free_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._never = threading.Event()

    def take(self, api: str) -> None:
        """Wait for this call's turn."""
        with self._lock:
            now = self._clock.monotonic()
            start = max(now, self._free_at.get(api, now))
            self._free_at[api] = start + self._gap
        if start > now:
            self._clock.wait(self._never, start - now)
